#!/usr/bin/env bash
# Records what this version has declared and written, for the tests of the versions after it: tests/released/VERSION gets the CRDs, and every
# object of the cluster in KUBECONFIG with its status. Run it for a release, against the cluster of `make demo` with examples/situations applied.
#
#   tests/released/record.sh 0.1.0
set -euo pipefail
version=${1:?"usage: tests/released/record.sh VERSION"}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$here/$version"
cp "$here"/../../crds/csp-operator.dev_*.yaml "$here/$version/"
kubectl get customers,azuresubscriptions,customerpurchasepermissions --all-namespaces --output yaml |
    sed -E '/^ +(uid|resourceVersion|creationTimestamp|kubectl.kubernetes.io\/.*): /d' >"$here/$version/objects.yaml"
