#!/usr/bin/env bash
# krew.sh REPOSITORY DIRECTORY: prints the manifest for krew of the release at REPOSITORY (owner/name on GitHub), with the sums of the archives
# in DIRECTORY. Fails unless each archive that it names is there, and each that is there is named.
set -euo pipefail
repository=${1:-} archives=$2
manifest=$(dirname "${BASH_SOURCE[0]}")/../../manifests/krew/csp.yaml

die() { echo "release: $*" >&2; exit 1; }
[[ "$repository" =~ ^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$ ]] || die "the repository is '$repository', which is no owner/name"
# What tells whoever fills it in by hand how to is no part of it.
text=$(sed '/^#/d' "$manifest")
named=()
while read -r uri; do
    archive=${uri##*/}
    [[ -f "$archives/$archive" ]] || die "manifests/krew/csp.yaml names $archive, which has not been built"
    # The version may have hyphens, too.
    [[ "$archive" =~ -([a-z0-9]+)-([a-z0-9]+)\.tar\.gz$ ]] || die "manifests/krew/csp.yaml names $archive, which has no platform in it"
    platform=${BASH_REMATCH[1]}_${BASH_REMATCH[2]}
    sum=$(sha256sum "$archives/$archive" | cut -d' ' -f1)
    text=${text//"\${SHA256_${platform^^}}"/$sum}
    named+=("$archive")
done < <(sed -n 's/^ *uri: //p' "$manifest")
for archive in "$archives"/kubectl-csp-*.tar.gz; do
    [[ " ${named[*]} " == *" ${archive##*/} "* ]] || die "manifests/krew/csp.yaml does not name ${archive##*/}"
done
text=${text//'${REPOSITORY}'/$repository}
[[ "$text" != *'${'* ]] || die "manifests/krew/csp.yaml has more to be filled in: $(grep -o '\${[A-Z0-9_]*}' <<<"$text" | sort -u | tr '\n' ' ')"
printf '%s\n' "$text"
