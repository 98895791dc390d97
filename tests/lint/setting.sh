# To be sourced: where the tools are, and schemas for kubeconform, made anew when what they are made from changes.
# Nothing here asks the internet for more than Go modules.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export PATH="$PWD/target/tools:$PWD/target/tools/bin:$PATH"
# The tools look for settings and repositories of their user; what is checked here must not depend on them.
export HELM_CONFIG_HOME=/nonexistent HELM_DATA_HOME=/nonexistent HELM_CACHE_HOME=/nonexistent

# Prints the directory of a Go module that another one pins: module_of TEST-MODULE MODULE
module_of() {
    (cd "$1" && GOWORK=off GOFLAGS=-mod=readonly go mod download "$2" && GOWORK=off GOFLAGS=-mod=readonly go list -m -f '{{.Dir}}' "$2")
}

# Builds cargo-deny, unless it is there in this version.
make_cargo_deny() {
    local version=0.20.2
    [[ "$(cargo-deny --version 2> /dev/null)" != "cargo-deny $version" ]] || return 0
    echo "tools: building cargo-deny $version, once (about 4 minutes)"
    cargo install --quiet --locked --root target/tools --version "$version" cargo-deny
}

make_schemas() {
    local sources=(crds/csp-operator.dev_*.yaml tests/local-cluster/go.mod target/tools/schemas) source newest=no
    for source in "${sources[@]}"; do
        [[ $source -ot target/schemas/made ]] || newest=yes
    done
    [[ $newest == yes ]] || return 0
    local kubernetes monitoring
    kubernetes=$(module_of tests/local-cluster k8s.io/kubernetes)
    monitoring=$(module_of tests/tools/schemas github.com/prometheus-operator/prometheus-operator)
    rm -rf target/schemas
    schemas target/schemas "$kubernetes/api/openapi-spec/swagger.json" crds/csp-operator.dev_*.yaml \
        "$monitoring"/example/prometheus-operator-crd/monitoring.coreos.com_{podmonitors,servicemonitors,prometheusrules}.yaml
    touch target/schemas/made
}

conform() {
    kubeconform -strict -summary -schema-location 'target/schemas/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json' "$@"
}
