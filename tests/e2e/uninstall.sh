#!/usr/bin/env bash
# uninstall.sh: uninstalling the chart leaves the CRDs, every object and what is permitted; installed again, the operator goes on where it
# was, without a write; a permission that is deleted is revoked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

helm=${HELM:-target/tools/helm}
# The last of the simulator's customers, which no test uses.
number=0000000001f3
tenant=c0000000-0000-4000-8000-$number

die() { printf 'e2e: %s\n' "$*" >&2; exit 1; }
simulator() { kubectl get --raw "/api/v1/namespaces/csp-simulator/services/csp-simulator:http/proxy/simulator/$1"; }
permitted() { simulator "state/$tenant" | grep -o '"resource":"[A-Za-z]*"' | sort -u | tr '\n' ' '; }
writes() { simulator "requests?customer=$tenant" | grep -o '"operation":"[a-z]*_self_serve_policy"' | grep -vc '"get_' || true; }
expect() { [[ "$2" == "$3" ]] || die "$1: '$2', expected '$3'"; }

kubectl apply --filename=- <<EOF
apiVersion: v1
kind: Namespace
metadata:
  name: kept
  labels: {csp-operator.dev/e2e: 'true'}
  annotations: {csp-operator.dev/allowed-customers: $tenant}
---
apiVersion: csp-operator.dev/v1alpha1
kind: Customer
metadata: {name: kept, namespace: kept}
spec: {tenantId: $tenant}
---
apiVersion: csp-operator.dev/v1alpha1
kind: AzureSubscription
metadata: {name: kept, namespace: kept}
spec: {customerRef: {name: kept}, subscriptionId: a0000000-0000-4000-8000-$number}
---
apiVersion: csp-operator.dev/v1alpha1
kind: CustomerPurchasePermission
metadata: {name: kept, namespace: kept}
spec:
  customerRef: {name: kept}
  azureReservations: Allow
  azureSubscriptionRefs: [{name: kept}]
  acceptBillingResponsibility: true
EOF
kubectl wait --for=condition=Ready cpp/kept --namespace=kept --timeout=60s
allowed='"resource":"AzureReservedInstances" '
expect 'permitted' "$(permitted)" "$allowed"
expect 'writes' "$(writes)" 1

"$helm" uninstall csp-operator --namespace=csp-operator --wait
expect 'Deployments after uninstalling' "$(kubectl get deployments --namespace=csp-operator --output=name)" ''
expect 'CRDs after uninstalling' "$(kubectl get crds --output=name | grep -c csp-operator.dev)" 3
kubectl get cpp/kept cust/kept azsub/kept --namespace=kept
expect 'permitted after uninstalling' "$(permitted)" "$allowed"

tests/e2e/install.sh
kubectl wait --for=condition=Ready cpp/kept --namespace=kept --timeout=60s
kubectl annotate cpp/kept --namespace=kept csp-operator.dev/reconcile=now
kubectl wait --for=jsonpath='{.status.lastHandledReconcileAt}'=now cpp/kept --namespace=kept --timeout=60s
expect 'writes after installing again' "$(writes)" 1

kubectl delete cpp/kept --namespace=kept --timeout=60s
expect 'permitted after the deletion' "$(permitted)" ''
expect 'writes after the deletion' "$(writes)" 2
echo 'e2e: uninstalled, installed again, and revoked'
