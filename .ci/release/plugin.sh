#!/usr/bin/env bash
# plugin.sh PLATFORM DIRECTORY: builds kubectl-csp on a machine of that platform (linux-amd64, darwin-arm64, windows-amd64, …) and packs
# it, with the licence, as DIRECTORY/kubectl-csp-VERSION-PLATFORM.tar.gz, as krew wants it.
set -euo pipefail
platform=$1 out=$2
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
CSP_OPERATOR_REVISION=$(.ci/image/revision.sh)
export CSP_OPERATOR_REVISION
target=$(rustc -vV | sed -n 's/^host: //p')
suffix=
flags=("--remap-path-prefix=$PWD=/src" "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=/crates")
case $platform in
# On any distribution.
linux-*) flags+=(-C target-feature=+crt-static) ;;
windows-*) flags+=(-C target-feature=+crt-static) suffix=.exe ;;
esac
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && echo "${flags[*]}")
export CARGO_ENCODED_RUSTFLAGS

"${CARGO:-cargo}" build --release --locked --target "$target" --package csp-operator --bin kubectl-csp
program=${CARGO_TARGET_DIR:-target}/$target/release/kubectl-csp$suffix
said=$("$program" --version | tr -d '\r')
if [[ "$said" != "kubectl-csp $version"* ]]; then
    echo "release: the plugin says '$said', not 'kubectl-csp $version'" >&2
    exit 1
fi
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$program" LICENSE "$work"
tar -czf "$out/kubectl-csp-$version-$platform.tar.gz" -C "$work" "kubectl-csp$suffix" LICENSE
