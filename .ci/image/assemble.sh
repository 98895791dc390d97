#!/usr/bin/env bash
# assemble.sh PROGRAM REFERENCE DESCRIPTION OUT.tar: an OCI archive with one image, FROM scratch: the program and the certificate authorities
# that it trusts.
#
# REFERENCE is what the image is called once it is loaded, such as csp-operator:0.1.0. The same files give the same bytes.
set -euo pipefail
program=$1 reference=$2 description=$3 out=$4
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

umoci=target/tools/umoci
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
revision=$(.ci/image/revision.sh)
# The commit's time: later than every file, to umoci, which sets later ones back to it.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
case $(uname -m) in
x86_64) architecture=amd64 ;;
aarch64) architecture=arm64 ;;
*) architecture=$(uname -m) ;;
esac

# Kubernetes and containerd take a short name for one of Docker Hub's.
case $reference in
*/*) ;;
*) reference=docker.io/library/$reference ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root layout=$work/layout name=$(basename "$program")
install -D -m 0755 "$program" "$root/$name"
install -D -m 0644 target/image/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
install -D -m 0644 LICENSE "$root/licenses/LICENSE"
find "$root" -type d -exec chmod 0755 {} +
find "$root" -exec touch -d "$created" {} +

"$umoci" init --layout "$layout"
"$umoci" new --image "$layout:$reference"
"$umoci" insert --rootless --image "$layout:$reference" "$root" /
labels=(
    "title=$name"
    "description=$description"
    "version=$version"
    "created=$created"
    licenses=Apache-2.0
)
[[ -z $revision ]] || labels+=("revision=$revision")
# Where the source is, if whoever builds says so.
[[ -z ${IMAGE_SOURCE:-} ]] || labels+=("source=$IMAGE_SOURCE")
settings=()
for label in "${labels[@]}"; do
    # Registries show annotations, container engines labels.
    settings+=(--config.label "org.opencontainers.image.$label" --manifest.annotation "org.opencontainers.image.$label")
done
"$umoci" config --image "$layout:$reference" \
    --config.user 65532:65532 --config.entrypoint "/$name" --platform.os linux --platform.arch "$architecture" \
    "${settings[@]}"
"$umoci" gc --layout "$layout"

mkdir -p "$(dirname "$out")"
tar --sort=name --mtime="$created" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
    -C "$layout" -cf "$out.new" oci-layout index.json blobs
mv "$out.new" "$out"
