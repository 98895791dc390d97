#!/usr/bin/env bash
# Every shell script of the repository.
. "$(dirname "${BASH_SOURCE[0]}")/setting.sh"

if ! command -v shellcheck > /dev/null; then
    echo 'scripts: shellcheck is not installed, so shell scripts were NOT checked'
    exit 0
fi
mapfile -t scripts < <(grep -rlE --exclude-dir=target --exclude-dir=node_modules --exclude-dir=.git '^#!.*[/ ](ba)?sh$' .)
shellcheck --external-sources --severity=warning "${scripts[@]}"
echo "scripts: ${#scripts[@]} looked at"
