#!/usr/bin/env bash
# try.sh DIRECTORY: applies your manifests to the cluster that kubectl talks to, with a simulated Partner Center in which all your customers
# are in order, and waits until everything is Ready. Fails otherwise, and says for each object why. Nothing of yours is touched: neither
# Partner Center, nor Azure.
#
# Needs kubectl and helm, and a cluster to be thrown away, such as `kind create cluster`. Settings, as variables:
#   CHART            the chart: a directory, an archive, or oci://…
#   IMAGE            the operator's image, as REPOSITORY:TAG
#   SIMULATOR_IMAGE  the simulator's
#   TIMEOUT          how long to wait (3m)
set -euo pipefail
manifests=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
timeout=${TIMEOUT:-3m}
kinds=customers,azuresubscriptions,customerpurchasepermissions

for crd in customers azuresubscriptions customerpurchasepermissions; do
    if kubectl get crd "$crd.csp-operator.dev" >/dev/null 2>&1; then
        echo "This cluster has csp-operator already. Try it in one that is to be thrown away." >&2
        exit 1
    fi
done
echo '== operator (not running yet), and simulator'
kubectl create namespace csp-operator
kubectl apply --filename=- <<'EOF'
apiVersion: v1
kind: Secret
metadata: {name: csp-operator-credentials, namespace: csp-operator}
stringData:
  # The sign-in that the simulator takes: no secret.
  partnerTenantId: aaaa0000-2222-4b22-9b22-000000000002
  clientId: 11112222-3333-4444-8555-666677778888
  clientSecret: simulated-client-secret
  refreshToken: simulated-refresh-token
EOF
install() {
    helm upgrade csp-operator "${CHART:?}" --install --namespace=csp-operator --values="$here/values.yaml" \
        --set-string "image.repository=${IMAGE%:*},image.tag=${IMAGE##*:}" --wait --timeout="$timeout" "$@"
}
install --set replicas=0 >/dev/null
sed "s|image: csp-simulator:.*|image: ${SIMULATOR_IMAGE:?}|" "$here/simulator.yaml" | kubectl apply --filename=-
kubectl rollout status deployment/csp-simulator --namespace=csp-simulator --timeout="$timeout"

echo "== $manifests"
kubectl apply --server-side --recursive --filename="$manifests"

echo '== your customers, in the simulator'
control=/api/v1/namespaces/csp-simulator/services/csp-simulator:http/proxy/simulator
new_id() { cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen | tr A-F a-f; }
kubectl get customers --all-namespaces --no-headers \
    --output=custom-columns=:.metadata.namespace,:.metadata.name,:.spec.tenantId | while read -r namespace name tenant; do
    # One Azure plan with all subscriptions of the customer, each with its owners, or else one.
    subscriptions=$(kubectl get azuresubscriptions --namespace="$namespace" --field-selector="spec.customerRef.name=$name" \
        --output=go-template='
        {{- range $i, $subscription := .items}}{{if $i}},{{end -}}
        {"id":"{{.spec.subscriptionId}}","roleAssignments":[
        {{- $some := false}}
        {{- range .spec.owners}}{{if .objectId}}{{if $some}},{{end}}{"principalId":"{{.objectId}}","role":"Owner"}{{$some = true}}{{end}}{{end}}
        {{- if not $some}}{"principalId":"'"$(new_id)"'","role":"Owner"}{{end}}]}
        {{- end}}')
    plan=$(new_id)
    kubectl create --raw="$control/customers" --filename=- >/dev/null <<EOF
{"tenantId": "$tenant", "name": "$name",
 "subscriptions": [{"id": "$plan", "kind": "AzurePlan", "azureSubscriptions": [$subscriptions]}]}
EOF
    echo "$namespace/$name"
done

echo '== operator'
install --set replicas=1 >/dev/null
deadline=$((SECONDS + $(sed -n 's/^\([0-9]*\)m$/\1*60/p; s/^\([0-9]*\)s$/\1/p' <<<"$timeout")))
not_ready() {
    kubectl get "$kinds" --all-namespaces --output=go-template='
        {{- range .items}}{{$ready := false}}{{$why := "the operator has not looked at it"}}{{$generation := .metadata.generation}}
        {{- range .status.conditions}}{{if eq .type "Ready"}}
        {{- $why = printf "%s: %s" .reason .message}}
        {{- if and (eq .status "True") (eq .observedGeneration $generation)}}{{$ready = true}}{{end}}{{end}}{{end}}
        {{- if not $ready}}{{.kind}} {{.metadata.namespace}}/{{.metadata.name}}: {{$why}}{{"\n"}}{{end}}{{end}}'
}
while left=$(not_ready) && [[ -n $left ]]; do
    if ((SECONDS > deadline)); then
        echo "== not Ready after $timeout:"
        echo "$left"
        kubectl get "$kinds" --all-namespaces
        exit 1
    fi
    sleep 2
done
kubectl get "$kinds" --all-namespaces
echo '== everything is Ready'
