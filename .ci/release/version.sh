#!/usr/bin/env bash
# version.sh TAG: prints the version that the tag is for. Fails unless Cargo.toml, the chart, the manifest for krew and CHANGELOG.md name the
# same.
set -euo pipefail
tag=$1
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=${tag#v}
die() { echo "release: the tag is $tag, but $*" >&2; exit 1; }
said=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
[[ "$said" == "$version" ]] || die "Cargo.toml says $said"
for field in version appVersion; do
    said=$(sed -n "s/^$field: *\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" manifests/chart/Chart.yaml)
    [[ "$said" == "$version" ]] || die "$field in manifests/chart/Chart.yaml is $said"
done
krew=manifests/krew/csp.yaml
said=$(sed -n 's/^  version: //p' "$krew")
[[ "$said" == "v$version" ]] || die "spec.version in $krew is $said"
while read -r uri; do
    [[ "$uri" == */v"$version"/kubectl-csp-"$version"-* ]] || die "$krew fetches $uri"
done < <(sed -n 's/^ *uri: //p' "$krew")
grep -q "^## \[$version\]" CHANGELOG.md || die "CHANGELOG.md has no section [$version]"
echo "$version"
