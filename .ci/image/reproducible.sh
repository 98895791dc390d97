#!/usr/bin/env bash
# reproducible.sh: builds the images of this commit once more, in another directory with another cache, and fails unless they are the same,
# byte for byte, as those that `make image` has left in target/image/. Takes as long as the first build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

first=$PWD/target/image
elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT

git clone --quiet --no-local . "$elsewhere/source"
mkdir -p "$elsewhere/source/target"
cp -R target/tools "$elsewhere/source/target/tools"
find "$elsewhere/source/target/tools" -exec touch {} +
(cd "$elsewhere/source" && git checkout --quiet --detach "$(git -C "$OLDPWD" rev-parse HEAD)" && make image)
for archive in csp-operator.tar csp-simulator.tar; do
    cmp "$first/$archive" "$elsewhere/source/target/image/$archive"
done
echo 'image: built twice, the same'
