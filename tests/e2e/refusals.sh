#!/usr/bin/env bash
# refusals.sh: shows that summary.sh takes no failure for a success, nor nothing at all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/good" <<'E2'
test a::passes ... ok
test a::is_left_out ... FAILED
test a::needs_no_cluster ... ok
test a::is_for_later ... ignored, make e2e
successes:
---- a::passes stdout ----
e2e: runs in the cluster
failures:
---- a::is_left_out stdout ----
e2e: runs in the cluster
left out in a cluster: it counts requests
failures:
    a::is_left_out
test result: FAILED. 2 passed; 1 failed; 1 ignored
E2

# refused SENTENCE MINIMUM SED: the good output, changed like this, is no success, for that reason.
refused() {
    local said
    sed "$3" "$work/good" >"$work/bad"
    if said=$(tests/e2e/summary.sh "$work/bad" "$2") || [[ "$said" != *"$1"* ]]; then
        printf 'e2e: summary.sh does not say that %s, but:\n%s\n' "$1" "$said" >&2
        exit 1
    fi
}

said=$(tests/e2e/summary.sh "$work/good" 1)
for sentence in '1 scenes passed' '1 other tests need no cluster' '1 tests are left out' 'it counts requests: a::is_left_out'; do
    [[ "$said" == *"$sentence"* ]] || { printf 'e2e: summary.sh does not say "%s", but:\n%s\n' "$sentence" "$said" >&2; exit 1; }
done
refused 'at least 2 scenes' 2 ''
refused 'at least 1 scenes' 1 '/^test /d'
refused '1 FAILED' 1 '/left out in a cluster/d'
refused 'did not come to its end' 1 '/^test result/d'
# What others print may stand between a name and its verdict.
refused '2 and 1 tests passed and failed to the harness, but 2 and 0' 1 's/^test a::is_left_out ... FAILED/test a::is_left_out ... thread panicked\nFAILED/'
refused '3 and 1 tests passed and failed to the harness, but 2 and 1' 1 's/ 2 passed/ 3 passed/'
# A test that passes without the cluster is none of the scenes.
refused 'at least 1 scenes' 1 '/^e2e: runs/d'
echo 'e2e: the summary refuses what is no success'
