#!/usr/bin/env bash
# Alerts and recording rules, and their tests (tests/monitoring/*_test.yaml).
. "$(dirname "${BASH_SOURCE[0]}")/setting.sh"

rules=(manifests/chart/files/rules.yaml)
tests=(tests/monitoring/*_test.yaml)
promtool check rules --lint=all --lint-fatal "${rules[@]}"
# One file at a time for each processor: they take most of the time, and know nothing of each other.
printf '%s\n' "${tests[@]}" | xargs -P "$(nproc 2> /dev/null || echo 2)" -n 1 promtool test rules
