#!/bin/sh
# Says what the browser test of the portal needs and this machine lacks; with --install, gets it where apt-get can.
set -eu

# A command, and the Debian package that has it.
needed='chromedriver:chromium-driver npm:npm'

missing() {
	for pair in $needed; do
		command -v "${pair%%:*}" >/dev/null || echo "${pair##*:}"
	done
	# chromedriver finds Chromium under any of its names.
	for name in chromium chromium-browser google-chrome google-chrome-stable; do
		command -v "$name" >/dev/null && return
	done
	echo chromium
}

packages=$(missing)
if [ -n "$packages" ] && [ "${1-}" = --install ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	# shellcheck disable=SC2086
	apt-get install -qq -y --no-install-recommends $packages fonts-dejavu-core >/dev/null
	packages=$(missing)
fi
[ -z "$packages" ] && exit 0
echo "portal-test: not installed:" $packages >&2
echo "portal-test: on Debian: apt-get install" $packages >&2
exit 1
