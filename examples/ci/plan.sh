#!/usr/bin/env bash
# plan.sh DIRECTORY COMMIT: what your manifests in DIRECTORY would change in Partner Center, and what is turned off because it stands there
# no more but did at COMMIT, which they are to be merged into; as a comment for the pull request, in Markdown. Writes nothing anywhere.
#
# Run it in a clone of the repository that has COMMIT. Needs git and kubectl-csp, and CSP_CREDENTIALS: the file with the sign-in.
set -euo pipefail
manifests=$1
commit=$2

before=$(mktemp -d)
trap 'git worktree remove --force "$before/tree" >&2 || true; rm -rf "$before"; git worktree prune' EXIT
git worktree add --quiet --detach "$before/tree" "$commit"
# Git keeps no directory without files, and where there was none, nothing was declared.
mkdir -p "$before/tree/$manifests"

code=0
kubectl-csp plan --filename="$manifests" --recursive --previous="$before/tree/$manifests" --output=markdown || code=$?
# 2 says that something would change, which is what pull requests are for.
if ((code == 2)); then
    code=0
fi
exit "$code"
