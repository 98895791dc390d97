#!/usr/bin/env bash
# summary.sh LOG MINIMUM: what a run of scenes in a cluster comes to, from the output of `cargo test … -- --show-output`.
#
# A test can only pass or fail. One that says that it cannot be made in a cluster (tests/it/stages.rs) has failed to the harness; here it
# is left out, with its reason. Fails when any other test failed, when the run did not come to its end, when the harness has counted
# otherwise, and when fewer than MINIMUM scenes passed.
set -euo pipefail

[[ $2 =~ ^[0-9]+$ ]] || { echo "e2e: MINIMUM is a number, and not '$2'" >&2; exit 2; }
awk -v minimum="$2" '
    /^test .* \.\.\. (ok|FAILED)$/ { verdict[$2] = $NF; next }
    /^test result: / { is_complete = 1; harness = $4 " and " $6; next }
    /^---- .* stdout ----$/ { name = $2; next }
    # The list of names after the output of each test.
    /^(successes|failures):$/ { name = ""; next }
    name == "" { next }
    { said[name] = said[name] "\n    " $0 }
    /^e2e: runs in the cluster$/ { in_cluster[name] = 1 }
    match($0, /left out in a cluster: it /) { reason[name] = substr($0, RSTART + RLENGTH) }
    END {
        for (name in verdict) {
            if (verdict[name] == "FAILED" && name in reason) { out[name] = reason[name]; left++ }
            else if (verdict[name] == "FAILED") { failed = failed "\n  " name said[name]; failures++ }
            else if (name in in_cluster) passed++
            else elsewhere++
        }
        printf "e2e: %d scenes passed in the cluster\n", passed
        printf "e2e: %d other tests need no cluster and do not count here\n", elsewhere
        printf "e2e: %d tests are left out:\n", left
        for (name in out) printf "  it %s: %s\n", out[name], name | "sort"
        close("sort")
        if (failures) printf "e2e: %d FAILED:%s\n", failures, failed
        counted = (passed + elsewhere) " and " (left + failures)
        if (is_complete && harness != counted) {
            printf "e2e: %s tests passed and failed to the harness, but %s were read from what it said\n", harness, counted
            is_lost = 1
        }
        if (!is_complete) print "e2e: the run did not come to its end"
        if (passed < minimum) printf "e2e: at least %d scenes were expected to pass\n", minimum
        exit failures > 0 || is_lost || !is_complete || passed < minimum
    }' "$1"
