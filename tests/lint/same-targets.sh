#!/usr/bin/env bash
# same-targets.sh RUN WORKFLOW: what the script RUN makes, a job of WORKFLOW makes too: a release asks for the workflow only.
set -euo pipefail
run=$1 workflow=$2

mapfile -t targets < <(sed -nE 's/^make ([a-z-]+).*/\1/p' "$run")
((${#targets[@]} > 0)) || { echo "$run makes nothing" >&2; exit 1; }
missing=()
for target in "${targets[@]}"; do
    grep -qE "^ *(- run|command): (.*[ [])?make $target(,|]|\$)" "$workflow" || missing+=("make $target")
done
if ((${#missing[@]})); then
    echo "$workflow has no job for what $run does: ${missing[*]}" >&2
    exit 1
fi
