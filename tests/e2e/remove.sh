#!/usr/bin/env bash
# remove.sh DIRECTORY: removes what run.sh has put into its cluster: csp-operator, the simulator, and the namespaces of the suite. DIRECTORY
# is where run.sh noted which cluster that is, and which image it ran.
#
# It goes in the order that docs/install.md gives: what is permitted is revoked first, by the operator. Fails when something is left.
set -euo pipefail
directory=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

helm=${HELM:-target/tools/helm}
kinds=customerpurchasepermissions.csp-operator.dev,azuresubscriptions.csp-operator.dev,customers.csp-operator.dev

say() { printf 'e2e: %s\n' "$*" >&2; }

# That cluster and no other, whatever kubectl talks to by now.
export KUBECONFIG=$directory/kubeconfig
IMAGE=$(cat "$directory/image")
export IMAGE
if [[ $(kubectl get namespace kube-system --output='jsonpath={.metadata.uid}') != "$(cat "$directory/cluster")" ]]; then
    say "$KUBECONFIG leads to another cluster than the one that the suite ran in: nothing was removed"
    exit 1
fi

objects() {
    kubectl get "$kinds" --all-namespaces --no-headers \
        --output=custom-columns=:.kind,:.metadata.namespace,:.metadata.name,:.spec.mode 2>/dev/null || true
}

# Asks the operator to revoke and to let go of everything. A test that has failed may have left it without its Secret, or no operator at all.
let_go() {
    tests/e2e/install.sh >/dev/null || return
    objects | while read -r kind namespace name mode; do
        # Of what is suspended nothing is revoked.
        [[ $mode != Suspend ]] \
            || kubectl annotate "$kind" "$name" --namespace="$namespace" csp-operator.dev/abandon=true >/dev/null
        kubectl delete "$kind" "$name" --namespace="$namespace" --wait=false --ignore-not-found >/dev/null
    done
    for kind in ${kinds//,/ }; do
        kubectl wait --for=delete "$kind" --all --all-namespaces --timeout=120s >/dev/null || return
    done
}

if [[ -n $(objects) ]] && ! let_go; then
    say "the operator does not let go of these, so their finalizers are taken off; what they permitted is the simulator's alone, and ends with it:"
    objects >&2
    objects | while read -r kind namespace name _; do
        kubectl patch "$kind" "$name" --namespace="$namespace" --type=merge --patch='{"metadata":{"finalizers":null}}' >/dev/null
    done
fi
"$helm" uninstall csp-operator --namespace=csp-operator --ignore-not-found --wait
kubectl delete --kustomize=crds --ignore-not-found
kubectl delete namespaces --selector=csp-operator.dev/e2e --timeout=180s >/dev/null
kubectl delete namespace csp-simulator --ignore-not-found --timeout=120s >/dev/null

left=$(tests/e2e/made-here.sh)
if [[ -n $left ]]; then
    say 'this is left over:'
    printf '%s\n' "$left" >&2
    exit 1
fi
echo 'e2e: nothing is left over'
