#!/usr/bin/env bash
# install.sh: installs the operator as docs/install.md says, with the chart, from IMAGE, for the simulator in the cluster; and again
# where it is installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

helm=${HELM:-target/tools/helm}
namespace=csp-operator
image=${IMAGE:?is the image of the operator, such as csp-operator:0.1.0}

# The sign-in that the simulator takes: no secret.
kubectl apply --filename=- <<EOF
apiVersion: v1
kind: Namespace
metadata:
  name: $namespace
  labels: {pod-security.kubernetes.io/enforce: restricted, csp-operator.dev/e2e: 'true'}
---
apiVersion: v1
kind: Secret
metadata: {name: csp-operator-credentials, namespace: $namespace}
stringData:
  partnerTenantId: aaaa0000-2222-4b22-9b22-000000000002
  clientId: 11112222-3333-4444-8555-666677778888
  clientSecret: simulated-client-secret
  refreshToken: simulated-refresh-token
EOF
"$helm" upgrade csp-operator manifests/chart --install --namespace="$namespace" --values=examples/ci/values.yaml --values=tests/e2e/values.yaml \
    --set-string "image.repository=${image%:*},image.tag=${image##*:}" --wait --timeout=3m
