#!/usr/bin/env bash
# compile.sh: builds the two programs of the images, static, and prints the directory they are in.
#
# Whoever compiles the same commit with the same toolchain gets the same bytes: no path of this machine and no time gets in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cargo=${CARGO:-cargo}
target=${TARGET:-$(rustc -vV | sed -n 's/^host: //p')}
case $target in
*-linux-*) ;;
*)
    echo "image: programs for $target do not run in a container. Build the images on Linux." >&2
    exit 1
    ;;
esac

flags=(
    -C target-feature=+crt-static
    "--remap-path-prefix=$PWD=/src"
    "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=/crates"
)
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && echo "${flags[*]}")
# src/operator/version.rs reads the commit.
CSP_OPERATOR_REVISION=$(.ci/image/revision.sh)
export CARGO_ENCODED_RUSTFLAGS CSP_OPERATOR_REVISION

# With --target, the flags are not those of build scripts and macros.
"$cargo" build --release --locked --target "$target" --package csp-operator --bin csp-operator --bin csp-simulator >&2
echo "${CARGO_TARGET_DIR:-target}/$target/release"
