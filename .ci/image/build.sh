#!/usr/bin/env bash
# build.sh: both images, as OCI archives in target/image/, with what they are made of. No container engine is needed.
#
# IMAGE and SIMULATOR_IMAGE are what they are called once they are loaded.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cargo=${CARGO:-cargo}
cyclonedx_version=0.5.9
cyclonedx=target/tools/bin/cargo-cyclonedx
out=target/image
mkdir -p "$out"

say() { printf 'image: %s\n' "$*"; }

say 'compiling (the first time, a quarter of an hour on 2 cores)'
programs=$(.ci/image/compile.sh)
"$cargo" run --quiet --locked --package image-roots >"$out/ca-certificates.crt"

if [[ "$("$cyclonedx" cyclonedx --version 2>/dev/null)" != *" $cyclonedx_version" ]]; then
    say 'building cargo-cyclonedx, once'
    "$cargo" install --quiet --locked --root target/tools --version "$cyclonedx_version" cargo-cyclonedx
fi
.ci/image/sbom.sh "$cyclonedx" "$out"

.ci/image/assemble.sh "$programs/csp-operator" "${IMAGE:?}" \
    'Purchase permissions of Microsoft CSP customers in Partner Center, declared in Kubernetes' "$out/csp-operator.tar"
.ci/image/assemble.sh "$programs/csp-simulator" "${SIMULATOR_IMAGE:?}" \
    'A simulated Microsoft Partner Center, for tests' "$out/csp-simulator.tar"
for program in csp-operator csp-simulator; do
    .ci/image/check.sh "$out/$program.tar" "$program"
done
.ci/image/refusals.sh "$out/csp-operator.tar"
(cd "$out" && sha256sum -- *.tar *.cdx.json >SHA256SUMS)
say "done: $out"
