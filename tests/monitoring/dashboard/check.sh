#!/usr/bin/env bash
# The dashboard against Grafana's own types; and that the check refuses what is wrong.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
if ! command -v npm >/dev/null; then
    echo "dashboard: npm is not installed, so manifests/chart/files/dashboard.json was NOT checked against Grafana's types"
    exit 0
fi
[[ node_modules/.package-lock.json -nt package-lock.json ]] || npm ci --silent --no-audit --no-fund --ignore-scripts
node check.mjs

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# refused WHAT SED-EXPRESSION WORD-OF-THE-COMPLAINT
refused() {
    sed "0,/$2" ../../../manifests/chart/files/dashboard.json > "$scratch/broken.json"
    cmp -s "$scratch/broken.json" ../../../manifests/chart/files/dashboard.json && { echo "nothing was broken: $1"; exit 1; }
    if node check.mjs "$scratch/broken.json" > "$scratch/said"; then
        echo "not refused: $1"
        exit 1
    fi
    grep -q "$3" "$scratch/said" || { echo "refused for another reason: $1"; cat "$scratch/said"; exit 1; }
}
refused 'a misspelt field' '"gridPos"/s//"gridPoss"/' gridPoss
refused 'a value that there is not' '"displayMode": "list"/s//"displayMode": "lists"/' lists
refused 'a panel of a kind that was not meant' '"type": "timeseries"/s//"type": "timeserie"/' never
refused 'two panels with one id' '"id": 2,/s//"id": 1,/' 'one id'
echo 'dashboard: 4 broken ones, each refused for its reason'
