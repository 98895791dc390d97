#!/usr/bin/env bash
# sign-in.sh: signs in to the host of $REGISTRY what pushes there: docker, skopeo and helm. As REGISTRY_USER with REGISTRY_PASSWORD; or, where
# REGISTRY_IS_GITHUB says so, as GITHUB_ACTOR with GITHUB_TOKEN, which goes nowhere else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

die() { echo "release: $*" >&2; exit 1; }
host=$(.ci/release/registry.sh "${REGISTRY:-}")
host=${host%%/*}
if [[ ${REGISTRY_IS_GITHUB:-} == true ]]; then
    user=${GITHUB_ACTOR:-} password=${GITHUB_TOKEN:-}
    [[ -n $password ]] || die "the workflow gave no GITHUB_TOKEN to sign in to $host with"
else
    user=$REGISTRY_USER password=${REGISTRY_PASSWORD:-}
    [[ -n $password ]] || die "the variable REGISTRY_USER is set, but the secret REGISTRY_PASSWORD is not"
fi
for tool in "docker login" "skopeo login" "${HELM:-target/tools/helm} registry login"; do
    $tool "$host" --username "$user" --password-stdin <<<"$password"
done
