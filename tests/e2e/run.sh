#!/usr/bin/env bash
# run.sh: the end-to-end suite in the cluster that kubectl talks to, which must not have csp-operator yet. `make e2e` runs it.
#
# It installs the operator from its image and chart, and the simulator beside it; runs the scenes of tests/it against them, then the tests
# that only make sense in a cluster; uninstalls; and checks that nothing is left. The cluster must be able to get the images IMAGE and
# SIMULATOR_IMAGE: docs/ci.md says how. With KEEP=1 everything stays for you to look at.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cargo=${CARGO:-cargo}
helm=${HELM:-target/tools/helm}
work=$PWD/target/e2e
# As many as there are: one fewer has been lost, and nobody was told.
scenes_min=146
in_cluster_min=8

say() { printf '\n== %s (after %d s)\n' "$*" "$SECONDS"; }
die() { printf 'e2e: %s\n' "$*" >&2; exit 1; }

for image in "$IMAGE" "$SIMULATOR_IMAGE"; do
    [[ $image =~ ^[^@]+:[^:/@]+$ ]] || die "'$image' is not NAME:TAG, such as csp-operator:0.1.0"
done
tests/e2e/refusals.sh

# One file, whatever KUBECONFIG lists, and one context, whatever is chosen meanwhile.
pinned=$(mktemp -d)
trap 'rm -rf "$pinned"' EXIT
(umask 077 && kubectl config view --raw --minify --flatten >"$pinned/kubeconfig")
export KUBECONFIG=$pinned/kubeconfig
kubectl get namespace kube-system --output='jsonpath={.metadata.uid}' >"$pinned/cluster"
printf '%s\n' "$IMAGE" >"$pinned/image"
in_use=$(tests/e2e/made-here.sh; kubectl get namespace kept --ignore-not-found --output=name)
if [[ -n $in_use ]]; then
    printf '%s\n' "$in_use" >&2
    die "these are in the cluster already. The suite removes all of csp-operator in the end, and so only starts where nothing is. What a run with KEEP=1 has left, this removes: tests/e2e/remove.sh target/e2e"
fi
rm -rf "$work" && mkdir -p "$work/logs" && mv "$pinned"/* "$work/"
export KUBECONFIG=$work/kubeconfig CSP_E2E_KUBECONFIG=$work/kubeconfig
say "cluster: $(kubectl config current-context), $(kubectl version --output=json | sed -n '/serverVersion/,$s/.*"gitVersion": "\(.*\)".*/\1/p')"

# The operator's pods, and how often each was started again.
pods() {
    kubectl get pods --namespace=csp-operator --selector=app.kubernetes.io/name=csp-operator \
        --output='jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[*].restartCount}{"\n"}{end}'
}

# What was said and what there is, while it is there.
keep_logs() {
    local pod
    for pod in $(kubectl get pods --namespace=csp-operator --output=name); do
        kubectl logs "$pod" --namespace=csp-operator >"$work/logs/${pod#pod/}.log" || true
        kubectl logs "$pod" --namespace=csp-operator --previous >"$work/logs/${pod#pod/}.previous.log" 2>/dev/null \
            || rm -f "$work/logs/${pod#pod/}.previous.log"
    done
}
keep_everything() {
    keep_logs
    {
        kubectl get pods --all-namespaces --output=wide
        kubectl describe pods --namespace=csp-operator
        kubectl describe pods --namespace=csp-simulator
        kubectl logs deployment/csp-simulator --namespace=csp-simulator --tail=200
        kubectl get events --all-namespaces --sort-by=.lastTimestamp
        kubectl get csp --all-namespaces --output=yaml
    } >"$work/logs/cluster.txt" 2>&1 || true
}

finish() {
    local status=$?
    rm -rf "$pinned"
    ((status == 0)) || keep_everything
    if [[ -n ${KEEP:-} ]]; then
        say 'everything stays, as KEEP is set; this removes it: tests/e2e/remove.sh target/e2e'
        exit "$status"
    fi
    if ((status)); then
        say 'failed; removing what was installed (KEEP=1 lets it stay)'
        tests/e2e/remove.sh "$work" || die 'see above. When you have mended that: tests/e2e/remove.sh target/e2e'
    fi
    # Somebody's rights in a cluster.
    rm -rf "$work/kubeconfig" "$work/kubeconfig.cache"
    exit "$status"
}
trap finish EXIT

say 'simulator'
sed "s|image: csp-simulator:.*|image: $SIMULATOR_IMAGE|" examples/ci/simulator.yaml | kubectl apply --filename=-
kubectl rollout status deployment/csp-simulator --namespace=csp-simulator --timeout=120s

say 'operator'
tests/e2e/install.sh
"$helm" test csp-operator --namespace=csp-operator --timeout=1m

say 'scenes'
run_tests() {
    local name=$1 minimum=$2
    shift 2
    # What is left out fails as well, so the verdict is the summary's.
    RUST_BACKTRACE=0 "$cargo" test --locked --test it -- --show-output "$@" >"$work/logs/$name.log" 2>"$work/logs/$name.err" || true
    tests/e2e/summary.sh "$work/logs/$name.log" "$minimum" || { tail -5 "$work/logs/$name.err" && die "see $work/logs/$name.log and .err"; }
}
begun=$(pods)
run_tests scenes "$scenes_min"
[[ "$(pods)" == "$begun" ]] || die "the operator's pods were '$begun' before the scenes, and are '$(pods)' after them: it has ended, which nothing here asks for"
keep_logs
refused=$(cat "$work"/logs/csp-operator-*.log | grep 'is forbidden' | grep -v 'being terminated' || true)
[[ -z "$refused" ]] || die "the operator tried what its role does not allow: $refused"

say 'what only a cluster can show'
# Customers that no scene has used, and one test at a time: they restart the operator.
CSP_E2E_FIRST_CUSTOMER=400 run_tests in-cluster "$in_cluster_min" --ignored --test-threads=1 in_cluster::
keep_logs

say 'uninstalling'
tests/e2e/uninstall.sh
keep_logs
tests/no-secrets.sh "$work/logs"
[[ -n ${KEEP:-} ]] || tests/e2e/remove.sh "$work"

say 'all passed'
