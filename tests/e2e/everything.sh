#!/usr/bin/env bash
# everything.sh: names of all that is in the cluster and in no namespace, and so of all namespaces: what an installation could leave.
set -euo pipefail

kubectl api-resources --namespaced=false --verbs=list --output=name \
    | grep -v -e '^componentstatuses$' -e '^certificatesigningrequests\.' \
    | while read -r resource; do
        kubectl get "$resource" --output=name
    done | LC_ALL=C sort
