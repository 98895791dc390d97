#!/usr/bin/env bash
# Writes the kustomizations' resources from the chart, into DIRECTORY instead of manifests/ if that is given, and the chart's
# copy of crds/: a link would be left out by tools that pack charts. Patches and kustomizations are written by hand;
# `make lint` compares what they make with what the chart makes.
#
# usage: render.sh [DIRECTORY]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/target/tools:$PATH"
into=${1:-manifests}

# Without the name of the template, and without empty lines where a document ends.
tidy='
    { sub(/[ \t]+$/, "") }
    /^# Source: / || (/^---$/ && !begun) { next }
    /^$/ { empty++; next }
    { while (begun && empty > 0 && !/^---$/) { print ""; empty-- } empty = 0; begun = 1; print }'

# resource FILE TEMPLATE [COMPONENT, for its values]
resource() {
    local values=()
    [[ -z ${3:-} ]] || values=(--values "manifests/components/$3/values.yaml")
    mkdir -p "$(dirname "$into/$1")"
    {
        echo '# Rendered from manifests/chart by `make manifests`; change that instead.'
        helm template csp-operator manifests/chart --namespace csp-operator --set namespace.create=true "${values[@]}" \
            --show-only "templates/$2.yaml" | awk "$tidy"
    } > "$into/$1"
}

mkdir -p "$into/chart/files/crds"
rm -f "$into"/chart/files/crds/*.yaml
cp crds/csp-operator.dev_*.yaml "$into/chart/files/crds/"
resource rbac/namespace.yaml namespace
resource rbac/service-account.yaml service-account
resource rbac/cluster-role.yaml cluster-role
resource rbac/people.yaml people
resource rbac/role.yaml role
resource admission/policy.yaml admission-policy
resource base/deployment.yaml deployment
resource base/service.yaml service
for component in manifests/components/*/; do
    component=$(basename "$component")
    # Resources, unlike patches, are rendered.
    for file in $(sed -n '/^resources:/,/^[a-z]/s/^  - //p' "manifests/components/$component/kustomization.yaml"); do
        resource "components/$component/$file" "${file%.yaml}" "$component"
    done
done
