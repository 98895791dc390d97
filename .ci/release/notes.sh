#!/usr/bin/env bash
# notes.sh VERSION: prints what CHANGELOG.md says of a version.
set -euo pipefail
version=$1
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

awk -v heading="## [$version]" '
    index($0, heading) == 1 { inside = 1; next }
    inside && /^## / { exit }
    inside { print; printed = 1 }
    END { exit !printed }
' CHANGELOG.md
