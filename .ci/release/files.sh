#!/usr/bin/env bash
# files.sh ARTIFACTS DIRECTORY: gathers in DIRECTORY, where the chart is already, the archives of kubectl-csp and their manifest for krew, the
# bills of material, the CRDs and SHA256SUMS over all of them. GITHUB_REPOSITORY (owner/name) is where they can be fetched.
set -euo pipefail
artifacts=$1 out=$2
mkdir -p "$out"

cp "$artifacts"/release-plugin-*/*.tar.gz "$out"
.ci/release/krew.sh "${GITHUB_REPOSITORY:-}" "$out" >"$out/csp.yaml"
for architecture in amd64 arm64; do
    for program in csp-operator csp-simulator; do
        cp "$artifacts/release-image-$architecture/$program.cdx.json" "$out/$program-$architecture.cdx.json"
    done
done
cat crds/csp-operator.dev_*.yaml >"$out/crds.yaml"
(cd "$out" && rm -f SHA256SUMS && sha256sum -- * >SHA256SUMS)
