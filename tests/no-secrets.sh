#!/bin/sh
# Looks through every file below a directory for the marks of secrets in tests/secrets.txt: the test secrets themselves, how
# issued tokens begin or end, base64 of both, statements of the application, and lines of the test keys. Says where one is,
# never which, and fails then; fails also when there is nothing to look through.
set -eu
directory=$1
marks=$(dirname "$0")/secrets.txt
[ -n "$(find "$directory" -type f -size +0 -print -quit)" ] || { echo "no-secrets: nothing to look through in $directory" >&2; exit 2; }
if found=$(grep -rlFf "$marks" -- "$directory"); then
	echo "no-secrets: a test secret was written to:" >&2
	echo "$found" >&2
	exit 1
fi
echo "no-secrets: none in $(find "$directory" -type f | wc -l) files"
