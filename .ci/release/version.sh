#!/usr/bin/env bash
# version.sh TAG: prints the version that the tag is for. Fails unless Cargo.toml, the chart and CHANGELOG.md name the same.
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
grep -q "^## \[$version\]" CHANGELOG.md || die "CHANGELOG.md has no section [$version]"
echo "$version"
