#!/usr/bin/env bash
# check.sh ARCHIVE PROGRAM: fails, and says why, unless the image in the OCI archive is what a careful cluster admits: small, of one
# static program that starts, not root, nothing else in it, and it says of itself what is so.
set -euo pipefail
archive=$1 program=$2
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

size_max=$((20 * 1000 * 1000))
umoci=target/tools/umoci
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wrong=()
# check WHAT IS EXPECTED
check() { [[ "$2" == "$3" ]] || wrong+=("$1 is '$2', expected '$3'"); }
# setting NAME: the value of a label, or of a field that is text, in the image's configuration.
setting() { sed -n "s/.*\"config\":{\"descriptor\".*\"$1\":\"\([^\"]*\)\".*/\1/p" "$work/stat.json"; }

mkdir "$work/layout"
tar -xf "$archive" -C "$work/layout"
reference=$(sed -n 's/.*"org.opencontainers.image.ref.name":"\([^"]*\)".*/\1/p' "$work/layout/index.json")
"$umoci" stat --json --image "$work/layout:$reference" >"$work/stat.json"
"$umoci" unpack --rootless --image "$work/layout:$reference" "$work/bundle"
root=$work/bundle/rootfs

# What a node has to fetch.
packed=$(stat -c %s "$archive")
unpacked=$(du -sb "$root" | cut -f1)
((packed <= size_max)) || wrong+=("it has $packed bytes, more than $size_max")
check 'the user' "$(setting User)" 65532:65532
check 'the entry point' "$(sed -n 's/.*"Entrypoint":\[\([^]]*\)\].*/\1/p' "$work/stat.json")" "\"/$program\""
check 'the operating system' "$(setting os)" linux
check 'what is in it' "$(cd "$root" && find . -type f | LC_ALL=C sort | tr '\n' ' ')" \
    "./$program ./etc/ssl/certs/ca-certificates.crt ./licenses/LICENSE "
check 'what is neither a file nor a directory' "$(find "$root" ! -type f ! -type d)" ''
check 'what others than root may write' "$(find "$root" -perm /022)" ''
check 'what has set-user-id or set-group-id' "$(find "$root" -perm /6000)" ''
if readelf --program-headers "$root/$program" | grep -q INTERP; then
    wrong+=("/$program is not static: it asks for a loader that the image has not")
fi
revision=$(setting org.opencontainers.image.revision)
check 'what --version says' "$("$root/$program" --version || true)" \
    "$program $(setting org.opencontainers.image.version)${revision:+ (commit $revision)}"
check 'the licence' "$(setting org.opencontainers.image.licenses)" Apache-2.0
certificates=$(grep -c 'BEGIN CERTIFICATE' "$root/etc/ssl/certs/ca-certificates.crt" || true)
((certificates >= 50)) || wrong+=("it trusts $certificates certificate authorities, too few for any service of Microsoft")

if ((${#wrong[@]})); then
    for defect in "${wrong[@]}"; do
        echo "image: $archive: $defect" >&2
    done
    exit 1
fi
printf 'image: %s: %s, %d kB packed, %d kB unpacked, %s\n' "$archive" "$reference" \
    $((packed / 1000)) $((unpacked / 1000)) \
    "$(sed -n 's/.*"digest":"\(sha256:[0-9a-f]*\)".*/\1/p' "$work/layout/index.json")"
