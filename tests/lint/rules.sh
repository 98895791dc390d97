#!/usr/bin/env bash
# Alerts and recording rules, and their tests (tests/monitoring/*_test.yaml).
. "$(dirname "${BASH_SOURCE[0]}")/setting.sh"
shopt -s nullglob

rules=(manifests/chart/files/rules.yaml)
tests=(tests/monitoring/*_test.yaml)
promtool check rules --lint=all --lint-fatal "${rules[@]}"
if ((${#tests[@]})); then
    promtool test rules "${tests[@]}"
fi
