#!/usr/bin/env bash
# artifacts.sh DIRECTORY: the artifacts of the workflows in it. A release calls ci.yaml, and the artifacts of one run share their names: a
# second of the same name is refused, and a job might take the wrong one. So those of release.yaml, and no other, are named release-…, and it
# takes no others.
set -euo pipefail
directory=$1
failed=0

# named FILE ACTION: the line, and the name or pattern, of each artifact that is uploaded or downloaded; without one, all are.
named() {
    awk -v action="actions/$2-artifact@" '
        function tell(name) { if (line) print line, name; line = 0 }
        # The next step, or the next job.
        /^ *- / || /^ ? ?[a-z]/ { tell("all") }
        index($0, "uses: " action) { line = NR }
        /^ *(name|pattern): / { tell($2) }
        END { tell("all") }' "$1"
}
wrong() {
    echo "$1:$2: the artifact $3 $4" >&2
    failed=1
}
for workflow in "$directory"/*.y*ml; do
    while read -r action line name; do
        case $workflow:$action:$name in
        */release.yaml:*:release-*) ;;
        */release.yaml:upload:*) wrong "$workflow" "$line" "$name" 'is not named release-…, so that ci.yaml, which the release calls, may have one of that name' ;;
        */release.yaml:download:*) wrong "$workflow" "$line" "$name" 'may be one of ci.yaml, which the release calls: take those named release-… only' ;;
        *:release-* | *:download:all) wrong "$workflow" "$line" "$name" 'may be one of release.yaml, whose own are named release-…' ;;
        esac
    done < <(for action in upload download; do named "$workflow" "$action" | sed "s/^/$action /"; done)
done
exit "$failed"
