#!/usr/bin/env bash
# remove.sh BEFORE: removes csp-operator, the simulator and the namespaces of tests from the cluster, in the order that docs/install.md
# gives: what is permitted is revoked first, by the operator from IMAGE. BEFORE lists what was there before; fails when more is there in the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

helm=${HELM:-target/tools/helm}
before=$1
kinds=customerpurchasepermissions.csp-operator.dev,azuresubscriptions.csp-operator.dev,customers.csp-operator.dev

if kubectl get crd customerpurchasepermissions.csp-operator.dev >/dev/null 2>&1; then
    # Nobody else revokes, and so lets go of what is deleted. A test that has failed may have left it without its Secret, or no operator at all.
    tests/e2e/install.sh >/dev/null
    for kind in ${kinds//,/ }; do
        kubectl get "$kind" --all-namespaces --no-headers \
            --output=custom-columns=:.metadata.namespace,:.metadata.name,:.spec.mode | while read -r namespace name mode; do
                # Of what is suspended nothing is revoked.
                [[ $mode != Suspend ]] \
                    || kubectl annotate "$kind" "$name" --namespace="$namespace" csp-operator.dev/abandon=true >/dev/null
                kubectl delete "$kind" "$name" --namespace="$namespace" --wait=false --ignore-not-found >/dev/null
            done
    done
    for kind in ${kinds//,/ }; do
        kubectl wait --for=delete "$kind" --all --all-namespaces --timeout=120s >/dev/null
    done
fi
"$helm" uninstall csp-operator --namespace=csp-operator --ignore-not-found --wait
kubectl delete --kustomize=crds --ignore-not-found
tests/e2e/everything.sh | LC_ALL=C comm -13 "$before" - | sed -n 's|^namespace/||p' \
    | xargs -r kubectl delete namespace --wait=true --timeout=120s >/dev/null

left=$(tests/e2e/everything.sh | LC_ALL=C comm -13 "$before" -)
if [[ -n $left ]]; then
    printf 'e2e: this is left over:\n%s\n' "$left" >&2
    exit 1
fi
echo 'e2e: nothing is left over'
