#!/bin/sh
# Prints the commit that is checked out, with -dirty if there is more than that. Where Git cannot tell, as in an archive of the source,
# CSP_REVISION says it (docs/ci.md); where Git can, the environment has no say. Without either, nothing is printed.
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
cd "$(dirname "$0")/../.." || exit 1
# An archive may have been unpacked somewhere within another repository: there is no prefix only at the top of one.
if prefix=$(git rev-parse --show-prefix 2>/dev/null) && [ -z "$prefix" ] && commit=$(git rev-parse --verify --quiet HEAD); then
    # Files that Git does not know count: a build reads them too.
    changes=$(git status --porcelain) || exit 1
    echo "$commit${changes:+-dirty}"
elif [ -n "${CSP_REVISION:-}" ]; then
    echo "$CSP_REVISION"
fi
