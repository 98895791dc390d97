#!/usr/bin/env bash
# run.sh: the end-to-end suite in the cluster that kubectl talks to, which must not have csp-operator yet. `make e2e` runs it.
#
# It installs the operator from its image and chart, and the simulator beside it; runs the scenes of tests/it against them, then the tests
# that only make sense in a cluster; uninstalls; and checks that nothing is left. The cluster must be able to get the images IMAGE and
# SIMULATOR_IMAGE: docs/ci.md says how. With KEEP=1 everything stays for you to look at.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cargo=${CARGO:-cargo}
work=$PWD/target/e2e
# Of a hundred or so: fewer mean that something keeps them from running.
scenes_min=80
in_cluster_min=8

say() { printf '\n== %s (after %d s)\n' "$*" "$SECONDS"; }
die() { printf 'e2e: %s\n' "$*" >&2; exit 1; }

tests/e2e/refusals.sh
# What an earlier run has left says how to remove it: nothing of it is touched before it is certain that this one starts.
before=$(mktemp)
tests/e2e/everything.sh >"$before"
if grep -e csp-operator -e csp-simulator "$before" >&2; then
    rm "$before"
    die "these are in the cluster already. The suite removes all of csp-operator in the end, and so only starts where nothing is. What a run with KEEP=1 has left, this removes: IMAGE=$IMAGE tests/e2e/remove.sh target/e2e/before"
fi
rm -rf "$work" && mkdir -p "$work/logs" && mv "$before" "$work/before"
# One file, whatever KUBECONFIG lists, and one context, whatever is chosen meanwhile.
(umask 077 && kubectl config view --raw --minify --flatten >"$work/kubeconfig")
export KUBECONFIG=$work/kubeconfig CSP_E2E_KUBECONFIG=$work/kubeconfig
say "cluster: $(kubectl config current-context), $(kubectl version --output=json | sed -n '/serverVersion/,$s/.*"gitVersion": "\(.*\)".*/\1/p')"

finish() {
    local status=$?
    if [[ -n ${KEEP:-} ]]; then
        say "everything stays, as KEEP is set; this removes it: IMAGE=$IMAGE tests/e2e/remove.sh target/e2e/before"
    elif ((status)); then
        {
            kubectl get pods --all-namespaces --output=wide
            kubectl describe pods --namespace=csp-operator
            kubectl describe pods --namespace=csp-simulator
            kubectl logs deployment/csp-simulator --namespace=csp-simulator --tail=200
        } >"$work/logs/cluster.txt" 2>&1 || true
        say 'failed; removing what was installed (KEEP=1 lets it stay)'
        tests/e2e/remove.sh "$work/before" || true
    fi
    exit "$status"
}
trap finish EXIT

say 'simulator'
sed "s|image: csp-simulator:.*|image: $SIMULATOR_IMAGE|" examples/ci/simulator.yaml | kubectl apply --filename=-
kubectl rollout status deployment/csp-simulator --namespace=csp-simulator --timeout=120s

say 'operator'
tests/e2e/install.sh
"${HELM:-target/tools/helm}" test csp-operator --namespace=csp-operator --timeout=1m

say 'scenes'
run_tests() {
    local log=$1 minimum=$2
    shift 2
    RUST_BACKTRACE=0 "$cargo" test --locked --test it -- --show-output "$@" >"$log" 2>&1 || true
    tests/e2e/summary.sh "$log" "$minimum" || { tail -5 "$log" && die "see $log"; }
}
run_tests "$work/scenes.log" "$scenes_min"

say 'what only a cluster can show'
# Customers that no scene has used, and one test at a time: they restart the operator.
CSP_E2E_FIRST_CUSTOMER=400 run_tests "$work/in-cluster.log" "$in_cluster_min" --ignored --test-threads=1 in_cluster::

say 'uninstalling'
tests/e2e/uninstall.sh
[[ -n ${KEEP:-} ]] || tests/e2e/remove.sh "$work/before"
tests/no-secrets.sh "$work/logs"

say 'all passed'
