#!/usr/bin/env bash
# sbom.sh CARGO-CYCLONEDX DIRECTORY: writes what each program is made of, as CycloneDX, to DIRECTORY/PROGRAM.cdx.json.
set -euo pipefail
cyclonedx=$(realpath "$1") out=$(realpath "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# It has no option for another directory: one file for each program, beside the Cargo.toml of each package.
written() { find . -name '*_bin.cdx.json' -not -path './target/*'; }
trap 'written | xargs -r rm -f' EXIT

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
"$cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 --describe binaries --no-build-deps
for program in csp-operator csp-simulator; do
    # It names packages of this workspace by their directory, which is no business of the reader.
    sed "s|path+file://$PWD|path+file:///src|g" "${program}_bin.cdx.json" >"$out/$program.cdx.json"
done
