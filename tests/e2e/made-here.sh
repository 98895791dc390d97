#!/usr/bin/env bash
# made-here.sh: what an installation and the suite make in a cluster outside of namespaces, namespaces included, as far as it is there.
#
# It goes by name, and by the label that namespaces of the suite have: others may use the cluster meanwhile, and what they make is theirs.
set -euo pipefail

kubectl get namespaces --selector=csp-operator.dev/e2e --output=name
kubectl api-resources --namespaced=false --verbs=list --output=name \
    | grep -v -e '^componentstatuses$' -e '^certificatesigningrequests\.' \
    | while read -r resource; do
        # An API of somebody else that does not answer has nothing of ours.
        kubectl get "$resource" --output=name 2>/dev/null || true
    done | grep -E '/(csp-|.*csp-operator)' || true
