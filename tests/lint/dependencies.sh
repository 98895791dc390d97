#!/usr/bin/env bash
# Licences, sources, versions and known advisories of all crates, against deny.toml.
. "$(dirname "${BASH_SOURCE[0]}")/setting.sh"

make_cargo_deny
cargo deny --locked check bans licenses sources
if cargo deny --locked fetch db > /dev/null 2>&1; then
    cargo deny --locked check advisories
else
    echo 'lint: the advisory database cannot be fetched, so the dependencies were NOT checked for advisories'
fi
