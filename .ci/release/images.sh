#!/usr/bin/env bash
# images.sh ARTIFACTS: pushes both images of each architecture, from ARTIFACTS/release-image-ARCHITECTURE/, to $REGISTRY as one image each with the
# tag $VERSION; signs them, and attaches what they are made of. Gives the digests to the workflow.
set -euo pipefail
artifacts=$1

for program in csp-operator csp-simulator; do
    name=$REGISTRY/$program
    parts=()
    for architecture in amd64 arm64; do
        directory=$artifacts/release-image-$architecture
        (cd "$directory" && sha256sum --check --quiet --ignore-missing SHA256SUMS)
        skopeo copy --preserve-digests --digestfile digest \
            "oci-archive:$directory/$program.tar" "docker://$name:$VERSION-$architecture"
        part=$name@$(cat digest)
        cosign sign --yes "$part"
        cosign attest --yes --type cyclonedx --predicate "$directory/$program.cdx.json" "$part"
        parts+=("$part")
    done
    docker buildx imagetools create --tag "$name:$VERSION" "${parts[@]}"
    digest=$(docker buildx imagetools inspect "$name:$VERSION" --format '{{.Manifest.Digest}}')
    cosign sign --yes "$name@$digest"
    echo "$program=$digest" >>"$GITHUB_OUTPUT"
done
