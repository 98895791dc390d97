#!/bin/sh
# Prints the commit that is checked out, with -dirty if there is more than that. REVISION says it where there is no Git; without either,
# nothing is printed.
[ -z "${REVISION:-}" ] || { echo "$REVISION"; exit; }
cd "$(dirname "$0")/../.." || exit 1
git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null || true
