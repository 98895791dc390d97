#!/usr/bin/env bash
# Installs, upgrades and uninstalls on a real API server, as docs/install.md says: what the API server makes of the chart and
# the kustomizations, and what stays. No pod runs here; `make e2e` runs them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export PATH="$PWD/target/tools:$PATH"
export HELM_CONFIG_HOME=/nonexistent HELM_DATA_HOME=/nonexistent HELM_CACHE_HOME=/nonexistent
: "${CARGO:=cargo}"

scratch=$PWD/target/install-check
rm -rf "$scratch"
mkdir -p "$scratch"

local_cluster=("$CARGO" run --quiet --locked --package local-cluster --)
kubectl_binary=$("${local_cluster[@]}" assets | tail -1)
# Cargo becomes the program that it runs, so this is the process to be ended.
"${local_cluster[@]}" run > "$scratch/cluster.sh" 2> "$scratch/cluster.log" &
cluster=$!
trap 'echo "FAILED: line $LINENO: $BASH_COMMAND"' ERR
trap 'kill $cluster 2>/dev/null || true; wait $cluster 2>/dev/null || true' EXIT
until grep -q '^export KUBECONFIG' "$scratch/cluster.sh"; do
    if ! kill -0 $cluster 2>/dev/null; then
        cat "$scratch/cluster.log"
        exit 1
    fi
    sleep 0.2
done
. "$scratch/cluster.sh"

kubectl() { "$kubectl_binary" "$@"; }
say() { printf -- '-- %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*"; exit 1; }

# is WHAT EXPECTED ACTUAL
is() { [[ $2 == "$3" ]] || fail "$1: expected \"$2\", found \"$3\""; }

# Everything of the operator that is not in its namespace, and the objects of its kinds.
outside() {
    kubectl get crd,clusterroles,clusterrolebindings,priorityclasses,validatingadmissionpolicies,validatingadmissionpolicybindings \
        --output name | grep -E 'csp-' || true
}
objects() { kubectl get customers,azuresubscriptions,customerpurchasepermissions --all-namespaces --output name; }
inside() { kubectl get deployments,services,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets \
    --namespace csp-operator --output name | grep -v 'serviceaccount/default$' || true; }

chart=manifests/chart
release=(csp-operator "$chart" --namespace csp-operator)

say "helm install: refused on a Kubernetes that is too old for the chart"
cp -r "$chart" "$scratch/newer"
sed -i 's/^kubeVersion: .*/kubeVersion: ">=1.99.0-0"/' "$scratch/newer/Chart.yaml"
helm install csp-operator "$scratch/newer" --namespace csp-operator --create-namespace > "$scratch/newer.log" 2>&1 && fail 'nobody refused'
version=$(kubectl get --raw /version | sed -n 's/.*"gitVersion": "\(.*\)".*/\1/p')
grep -q "chart requires kubeVersion: >=1.99.0-0 which is incompatible with Kubernetes $version" "$scratch/newer.log" || fail "$(cat "$scratch/newer.log")"
is 'left outside' '' "$(outside)"

say "helm install, with CRDs that lack what a later version adds"
cp -r "$chart" "$scratch/earlier"
sed -i '/shortNames:/,/- cust$/d' "$scratch/earlier/files/crds/csp-operator.dev_customers.yaml"
helm install csp-operator "$scratch/earlier" --namespace csp-operator --create-namespace > /dev/null
kubectl wait --for=condition=Established --timeout=60s crd --all > /dev/null
is 'short names of the earlier CRD' '' "$(kubectl get crd customers.csp-operator.dev --output 'jsonpath={.spec.names.shortNames}')"
kubectl apply --filename examples/quickstart > /dev/null
# As the operator would, had it granted something.
finalizer='{"metadata": {"finalizers": ["csp-operator.dev/revoke"]}}'
kubectl patch cpp fabrikam --namespace csp-customers --type merge --patch "$finalizer" > /dev/null
before=$(objects)

say "helm upgrade: new CRDs, and a second replica"
helm upgrade "${release[@]}" --set replicas=2 --set networkPolicy.create=true > /dev/null
is 'short names of the upgraded CRD' '["cust"]' "$(kubectl get crd customers.csp-operator.dev --output 'jsonpath={.spec.names.shortNames}')"
is 'replicas' 2 "$(kubectl get deployment csp-operator --namespace csp-operator --output 'jsonpath={.spec.replicas}')"
inside | grep -q poddisruptionbudget || fail 'no PodDisruptionBudget'
# Without values, Helm would go on with the last ones.
helm upgrade "${release[@]}" --reset-values > /dev/null
inside | grep -qE 'poddisruptionbudget|networkpolic' && fail 'what was switched off is still there'

say "helm test: the pod of a test that failed stays for its log, the next test replaces it, and one that succeeds removes it"
tested() { kubectl get pod csp-operator-test --namespace csp-operator --ignore-not-found --output "jsonpath={$1}"; }
# helm_test PHASE: with somebody who does as the kubelet would, once there is a pod that is new.
helm_test() {
    local before now='' test given_up=$((SECONDS + 60))
    before=$(tested .metadata.uid)
    helm test csp-operator --namespace csp-operator --timeout 60s > "$scratch/test.log" 2>&1 &
    test=$!
    until [[ -n $now && $now != "$before" ]]; do
        ((SECONDS < given_up)) || fail "no new pod: $(cat "$scratch/test.log")"
        sleep 0.2
        now=$(tested .metadata.uid)
    done
    kubectl patch pod csp-operator-test --namespace csp-operator --subresource status --patch "{\"status\": {\"phase\": \"$1\"}}" > /dev/null || fail "$1"
    wait $test
}
helm_test Failed && fail 'the test succeeded'
is 'pod of the test that failed' Failed "$(tested .status.phase)"
helm_test Failed && fail 'the test succeeded'
is 'pod of the next test that failed' Failed "$(tested .status.phase)"
helm_test Succeeded || fail "$(cat "$scratch/test.log")"
is 'pod of the test that succeeded' '' "$(tested .metadata.name)"

say "going back: an earlier chart without its CRDs leaves those that are there, and the next upgrade takes them again"
crds() { kubectl get crd --output name | grep -c 'csp-operator.dev$'; }
helm upgrade csp-operator "$scratch/earlier" --namespace csp-operator --set crds.install=false > /dev/null
is 'CRDs' 3 "$(crds)"
is 'short names of the CRD that stayed' '["cust"]' "$(kubectl get crd customers.csp-operator.dev --output 'jsonpath={.spec.names.shortNames}')"
is 'CRDs in the release' 0 "$(helm get manifest csp-operator --namespace csp-operator | grep -c '^kind: CustomResourceDefinition' || true)"
is 'deletions' '' "$(kubectl get crd,cpp --all-namespaces --output 'jsonpath={.items[*].metadata.deletionTimestamp}')"
helm upgrade "${release[@]}" > /dev/null
is 'CRDs in the release, after an upgrade with the last values' 0 \
    "$(helm get manifest csp-operator --namespace csp-operator | grep -c '^kind: CustomResourceDefinition' || true)"
helm upgrade "${release[@]}" --reset-values > /dev/null
is 'CRDs in the release' 3 "$(helm get manifest csp-operator --namespace csp-operator | grep -c '^kind: CustomResourceDefinition')"
is 'objects' "$before" "$(objects)"
# What docs/upgrade.md warns of.
helm upgrade csp-operator "$scratch/earlier" --namespace csp-operator --reset-values > /dev/null
is 'short names after an earlier chart with its CRDs' '' \
    "$(kubectl get crd customers.csp-operator.dev --output 'jsonpath={.spec.names.shortNames}')"
helm upgrade "${release[@]}" --reset-values > /dev/null

say "going back with kustomize: its CRDs are taken out, and all else is as it was"
mkdir "$scratch/back"
{
    echo 'resources: [../../../manifests/base]'
    sed -n '/^  # The CRDs stay as they are/,/^```$/{/^```$/!p}' docs/upgrade.md | sed '1i patches:'
} > "$scratch/back/kustomization.yaml"
kubectl kustomize "$scratch/back" > "$scratch/back.yaml"
is 'CRDs' 0 "$(grep -c '^kind: CustomResourceDefinition' "$scratch/back.yaml" || true)"
is 'all else' "$(kubectl kustomize manifests/base | grep '^kind:' | grep -v CustomResourceDefinition)" "$(grep '^kind:' "$scratch/back.yaml")"

say "helm uninstall: CRDs and objects stay, and deletion protection with them"
helm upgrade "${release[@]}" --reset-values --set crds.deletionProtection=true > /dev/null
protected() {
    # The API server learns of a policy a moment after it is made.
    local given_up=$((SECONDS + 60))
    while kubectl delete crd customers.csp-operator.dev --dry-run=server > "$scratch/delete.log" 2>&1; do
        ((SECONDS < given_up)) || fail 'the CRD could be deleted'
        sleep 0.2
    done
    grep -q 'first run: kubectl annotate crd customers.csp-operator.dev' "$scratch/delete.log" || fail "$(cat "$scratch/delete.log")"
}
protected
helm uninstall csp-operator --namespace csp-operator > /dev/null
is 'left in the namespace' '' "$(inside)"
is 'left outside' 'azuresubscriptions customerpurchasepermissions customers csp-operator-deletion-protection csp-operator-deletion-protection' \
    "$(outside | sed 's/.*\///; s/\.csp-operator\.dev//' | xargs)"
protected
is 'objects' "$before" "$(objects)"
is 'deletions' '' "$(kubectl get crd,cpp --all-namespaces --output 'jsonpath={.items[*].metadata.deletionTimestamp}')"

say "helm install: finds them again"
helm install "${release[@]}" --set crds.deletionProtection=true > /dev/null
is 'objects' "$before" "$(objects)"
helm uninstall csp-operator --namespace csp-operator > /dev/null
unprotect() { kubectl delete validatingadmissionpolicybinding,validatingadmissionpolicy csp-operator-deletion-protection > /dev/null; }
unprotect

say "from kustomize to Helm and back"
kubectl apply --server-side --kustomize manifests/base > /dev/null
helm install "${release[@]}" > /dev/null 2>&1 && fail 'Helm took what is not its own, unasked'
helm upgrade --install "${release[@]}" --take-ownership --force-conflicts > /dev/null
is 'objects' "$before" "$(objects)"
kubectl apply --server-side --force-conflicts --kustomize manifests/base > /dev/null
kubectl delete secret --namespace csp-operator --selector owner=helm > /dev/null

say "kustomizations with every component: accepted, and pods that PodSecurity restricted takes"
monitoring=$(cd tests/tools/schemas && GOWORK=off go mod download github.com/prometheus-operator/prometheus-operator &&
    GOWORK=off go list -m -f '{{.Dir}}' github.com/prometheus-operator/prometheus-operator)
for kind in podmonitors servicemonitors prometheusrules; do
    kubectl apply --server-side --filename "$monitoring/example/prometheus-operator-crd/monitoring.coreos.com_$kind.yaml" > /dev/null
done
kubectl wait --for=condition=Established --timeout=60s crd --all > /dev/null
mkdir "$scratch/all"
{
    printf 'resources: [../../../manifests/base]\ncomponents:\n'
    for component in manifests/components/*/; do echo "  - ../../../$component"; done
} > "$scratch/all/kustomization.yaml"
kubectl apply --server-side --force-conflicts --kustomize "$scratch/all" > "$scratch/all.log" 2>&1 || { cat "$scratch/all.log"; fail 'refused'; }
grep -i 'warning' "$scratch/all.log" && fail 'the API server warns'
kubectl kustomize "$scratch/all" | sed 's/runAsNonRoot: true/runAsNonRoot: false/' |
    kubectl apply --server-side --force-conflicts --dry-run=server --filename - > "$scratch/root.log" 2>&1
grep -q 'would violate PodSecurity "restricted' "$scratch/root.log" || fail 'nobody warns of a pod that runs as root'

say "deletion protection: the CRDs, and so every object, stay until they are annotated"
protected
# refused KUSTOMIZATION: all of it is deleted but the CRDs.
refused() {
    kubectl delete --ignore-not-found --kustomize "$1" > "$scratch/protected.log" 2>&1 && fail 'nobody refused to delete the CRDs'
    kubectl wait --for=delete namespace/csp-operator --timeout=60s > /dev/null
    is 'refusals' 3 "$(grep -c 'with this CRD go all its objects' "$scratch/protected.log")"
    is 'deletions' '' "$(kubectl get crd,cpp --all-namespaces --output 'jsonpath={.items[*].metadata.deletionTimestamp}')"
    is 'objects' "$before" "$(objects)"
}
refused "$scratch/all"

say "the policy was deleted with the rest, so a second time nobody would refuse, as docs/install.md says"
is 'policies' '' "$(outside | grep deletion-protection || true)"
given_up=$((SECONDS + 60))
until kubectl delete crd customers.csp-operator.dev --dry-run=server > "$scratch/delete.log" 2>&1; do
    ((SECONDS < given_up)) || fail "$(cat "$scratch/delete.log")"
    sleep 0.2
done

say "applied by itself, it refuses each time"
kubectl apply --server-side --filename manifests/components/deletion-protection/deletion-protection.yaml > /dev/null
for _ in first second; do
    kubectl apply --server-side --force-conflicts --kustomize manifests/base > /dev/null
    protected
    refused manifests/base
done
refused manifests/base

kubectl apply --server-side --force-conflicts --kustomize "$scratch/all" > /dev/null
for crd in $(kubectl get crd --output name | grep 'csp-operator.dev$'); do
    kubectl annotate "$crd" csp-operator.dev/allow-deletion=true > /dev/null
done

say "everything is gone after the steps of docs/install.md"
kubectl patch cpp fabrikam --namespace csp-customers --type merge --patch '{"metadata": {"finalizers": null}}' > /dev/null
kubectl delete cpp,azsub,cust --all --all-namespaces > /dev/null
kubectl delete --kustomize "$scratch/all" > /dev/null
is 'left outside' '' "$(outside)"
kubectl get namespace csp-operator > /dev/null 2>&1 && fail 'the namespace is still there'

echo 'install: all well'
