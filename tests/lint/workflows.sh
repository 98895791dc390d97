#!/usr/bin/env bash
# Workflows of continuous integration, those of the examples too. actionlint also hands scripts to shellcheck, if that is installed.
. "$(dirname "${BASH_SOURCE[0]}")/setting.sh"
shopt -s nullglob globstar

workflows=(.github/workflows/*.y*ml examples/**/.github/workflows/*.y*ml examples/ci/**/github*.y*ml)
if ((${#workflows[@]})); then
    actionlint -no-color "${workflows[@]}"
fi
tests/lint/artifacts.sh .github/workflows
tests/lint/same-targets.sh .ci/run .github/workflows/ci.yaml
echo "workflows: ${#workflows[@]} looked at"
command -v shellcheck > /dev/null || echo 'workflows: shellcheck is not installed, so the scripts in them were NOT checked by it'
