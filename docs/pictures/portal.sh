#!/usr/bin/env bash
# Makes docs/pictures/portal-*.png: runs the demo to its last step, where it stays up, and has a headless Chromium look at
# the simulator's portal. Takes as long as `make demo`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

customer=10000000-0000-4000-8000-000000000003 # Woodgrove Bank, which may purchase both in the end
scratch=$(mktemp -d)
log=$scratch/demo.log
look() { # NAME HEIGHT PATH
    local arguments=(--headless=new --hide-scrollbars --disable-lcd-text --force-color-profile=srgb "--window-size=1280,$2")
    [[ $(id -u) != 0 ]] || arguments+=(--no-sandbox)
    TMPDIR=$scratch "$(command -v chromium || command -v chromium-browser || command -v google-chrome)" "${arguments[@]}" \
        "--screenshot=docs/pictures/portal-$1.png" "$portal/$3" 2>/dev/null
}

cargo build --locked --bins --example demo
cargo run --quiet --locked --example demo >"$log" 2>&1 &
demo=$!
trap 'kill -INT $demo 2>/dev/null; wait $demo || true; rm -rf "$scratch"' EXIT
until grep -q 'It is yours until Ctrl-C' "$log"; do
    kill -0 "$demo" 2>/dev/null || { cat "$log"; exit 1; }
    sleep 1
done
portal=$(grep -o 'http://[0-9.:]*/portal' "$log" | head -n 1)
look customer 800 "customers/$customer"
look activity 868 activity
ls -l docs/pictures/portal-*.png
