#!/usr/bin/env bash
# Each tool is given something broken and has to refuse it, and for the right reason: a check that accepts everything looks like
# one that has found nothing.
. "$(dirname "${BASH_SOURCE[0]}")/setting.sh"

scratch=$PWD/target/lint-refusals
rm -rf "$scratch"
mkdir -p "$scratch"
make_schemas
count=0

# refused WHAT REASON COMMAND...: the command fails, and says something that matches REASON.
refused() {
    local said
    if said=$("${@:3}" 2>&1); then
        printf 'NOT refused: %s\n%s\n' "$1" "$said"
        exit 1
    fi
    if ! grep -qE -- "$2" <<< "$said"; then
        printf 'refused, but not for the reason "%s": %s\n%s\n' "$2" "$1" "$said"
        exit 1
    fi
    count=$((count + 1))
}

# broken FILE SED-EXPRESSION SOURCE: a copy of SOURCE that differs.
broken() {
    sed -E "$2" "$3" > "$scratch/$1"
    if cmp -s "$3" "$scratch/$1"; then
        echo "nothing to break in $3: $2"
        exit 1
    fi
}

permission=examples/quickstart/10-fabrikam.yaml
deployment=manifests/base/deployment.yaml
conform "$permission" "$deployment" > /dev/null
broken field.yaml 's/^  azureReservations:/  azureReservation:/' "$permission"
refused 'a field that the CRD has not' "azureReservation" conform "$scratch/field.yaml"
broken value.yaml 's/Allow$/Permit/' "$permission"
refused 'a value that the CRD has not' 'azureReservations' conform "$scratch/value.yaml"
broken unknown.yaml 's/enableServiceLinks/enableServiceLink/' "$deployment"
refused 'a field that Kubernetes has not' "enableServiceLink" conform "$scratch/unknown.yaml"
broken type.yaml 's/replicas: 1/replicas: one/' "$deployment"
refused 'a value of the wrong type' 'replicas' conform "$scratch/type.yaml"
broken kind.yaml 's/kind: Deployment/kind: Deploiment/' "$deployment"
refused 'a kind that nobody knows' 'could not find schema' conform "$scratch/kind.yaml"
broken rule.yaml 's/alert:/alarm:/' manifests/components/monitoring/prometheus-rule.yaml
refused 'a field that PrometheusRule has not' 'alarm' conform "$scratch/rule.yaml"

# values REASON VALUES: the chart's schema refuses these values.
values() {
    echo "$2" > "$scratch/values.yaml"
    refused "the values $2" "$1" helm template csp-operator manifests/chart --values "$scratch/values.yaml"
    refused "the values $2" "$1" helm lint manifests/chart --values "$scratch/values.yaml"
}
values 'replica.* not allowed' 'replica: 2'
values 'maxGrantPerHour.* not allowed' 'settings: {maxGrantPerHour: 5}'
values 'federatedTokenFile.* not allowed' 'settings: {federatedTokenFile: /token}'
values 'maxGrantsPerHour' 'settings: {maxGrantsPerHour: "20"}'
values 'leaseDuration' 'settings: {leaseDuration: 30}'
values 'partnerCenterUrl' 'settings: {partnerCenterUrl: partnercenter.example}'
values 'extraEnv' 'extraEnv: [{name: CSP_RESYNC, value: 1h}]'
values 'digest' 'image: {digest: 0123abcd}'
values 'terminationGracePeriodSeconds' 'terminationGracePeriodSeconds: 5'
values 'replicas' 'replicas: two'
values 'serviceMonitor' 'monitoring: {podMonitor: {create: true}, serviceMonitor: {create: true}}'
values 'expirationSeconds' 'federatedCredential: {expirationSeconds: 60}'

# A copy of all that manifests.sh looks at, in which something is broken.
tree() {
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree"/{target,tests/tools}
    cp -r Cargo.toml README.md .github crds docs manifests examples "$scratch/tree/"
    cp -r tests/lint tests/local-cluster "$scratch/tree/tests/"
    cp -r tests/tools/schemas "$scratch/tree/tests/tools/"
    ln -s "$PWD/target/tools" "$scratch/tree/target/tools"
    cp -r --preserve=timestamps target/schemas "$scratch/tree/target/schemas"
    touch "$scratch/tree/target/schemas/made"
}
# in_tree WHAT REASON FILE SED-EXPRESSION [render]: with that file changed (and all rendered from it), manifests.sh fails.
in_tree() {
    tree
    broken changed "$4" "$3"
    cp "$scratch/changed" "$scratch/tree/$3"
    [[ -z ${5:-} ]] || "$scratch/tree/manifests/render.sh"
    refused "$1" "$2" "$scratch/tree/tests/lint/manifests.sh"
}
in_tree 'a chart of another version' 'appVersion is not' manifests/chart/Chart.yaml 's/^appVersion: .*/appVersion: 9.9.9/'
in_tree 'a page that names another Kubernetes than the chart' 'docs/install.md says "Kubernetes 1.29 or later"' docs/install.md 's/(Kubernetes )[0-9.]+( or later)/\11.29\2/'
in_tree 'a Kubernetes that the chart takes and nothing is tried on' 'does not run the end-to-end tests on' .github/workflows/ci.yaml 's/kubernetes: "1\.31"/kubernetes: "1.99"/'
in_tree 'what was rendered, changed by hand' 'base/deployment.yaml is stale' "$deployment" 's/replicas: 1/replicas: 2/'
in_tree 'a CRD that the chart has not' 'crds/.*customers.yaml is stale' crds/csp-operator.dev_customers.yaml 's/- cust$/- customer/'
in_tree 'a template that is none' 'function "nothing" not defined' manifests/chart/templates/service.yaml 's/name: csp-operator$/name: {{ nothing/'
in_tree 'a container that may write its root' 'writable root filesystem' \
    manifests/chart/templates/deployment.yaml '/readOnlyRootFilesystem/d' render
in_tree 'notes that do not warn of a rule that narrows nothing' 'expected 1 warnings' manifests/chart/templates/NOTES.txt 's/narrows nothing/narrows/'
in_tree 'a namespace that may be pruned' 'may prune this one' manifests/chart/templates/namespace.yaml 's/csp-operator.kept/csp-operator.version/' render
in_tree 'a policy that may be pruned' 'may prune this one' manifests/chart/templates/deletion-protection.yaml 's/csp-operator.kept/csp-operator.version/' render
in_tree 'a namespace of customers that Flux may prune' 'may prune this one' examples/gitops/platform/csp-customers.yaml '/prune: disabled/d'
in_tree 'a namespace that the project does not permit' 'would refuse every sync' \
    examples/gitops/argocd/customers.yaml 's/^( *)- ServerSideApply=true$/&\n\1- CreateNamespace=true/'
in_tree 'a patch that differs from the chart' 'patches and the chart differ' manifests/components/high-availability/deployment.yaml 's/replicas: 2/replicas: 3/'
in_tree 'a patch of something that is not there' 'no matches for|no resource matches|failed to find unique target' \
    manifests/components/ca-file/deployment.yaml 's/name: csp-operator$/name: other/'
in_tree 'an example with a field that is unknown' 'azureReservation' "$permission" 's/^  azureReservations:/  azureReservation:/'

rules=manifests/chart/files/rules.yaml
broken expression.yaml '0,/expr:.*/s//expr: sum(/' "$rules"
refused 'a rule that does not parse' 'expression.yaml|parse error|unclosed' promtool check rules "$scratch/expression.yaml"
cat > "$scratch/one.yaml" <<'RULES'
groups: [{name: one, rules: [{alert: Down, expr: up == 0, labels: {severity: critical}}]}]
RULES
cat > "$scratch/one_test.yaml" <<'TEST'
rule_files: [one.yaml]
tests:
  - input_series: [{series: 'up{job="csp-operator"}', values: 0x5}]
    alert_rule_test: [{eval_time: 1m, alertname: Down, exp_alerts: []}]
TEST
refused 'a test of rules that expects another alert' 'alertname: Down' promtool test rules "$scratch/one_test.yaml"
cat "$scratch/one.yaml" > "$scratch/twice.yaml"
sed -i 's/}}]}]/}}, {alert: Down, expr: up == 0, labels: {severity: critical}}]}]/' "$scratch/twice.yaml"
refused 'a rule that is there twice' 'duplicate' promtool check rules --lint=all --lint-fatal "$scratch/twice.yaml"

workflow() {
    printf 'on: push\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n      - run: %s\n%s' "$1" "${2:-}" > "$scratch/workflow.yml"
}
workflow 'echo ${{ github.sha }}'
actionlint -no-color "$scratch/workflow.yml"
workflow 'echo ${{ github.shaa }}'
refused 'an expression that names nothing' 'shaa' actionlint -no-color "$scratch/workflow.yml"
workflow 'make test' $'    need: two\n'
refused 'a key that a workflow has not' 'unexpected key "need"' actionlint -no-color "$scratch/workflow.yml"
workflow 'echo "${{ github.event.head_commit.message }}"'
refused 'a shell command made of what strangers write' 'potentially untrusted' actionlint -no-color "$scratch/workflow.yml"

# workflows_where FILE SED-EXPRESSION: a copy of the workflows in which that one is changed.
workflows_where() {
    rm -rf "$scratch/workflows"
    cp -r .github/workflows "$scratch/workflows"
    broken "workflows/$1" "$2" ".github/workflows/$1"
}
workflows_where ci.yaml 's/name: ci-test-logs/name: release-test-logs/'
refused 'an artifact of ci.yaml that the release might publish' 'release-test-logs may be one of release.yaml' tests/lint/artifacts.sh "$scratch/workflows"
workflows_where release.yaml 's/name: release-image-/name: ci-image-/'
refused 'an artifact of the release that ci.yaml has too' 'ci-image-.* is not named release-' tests/lint/artifacts.sh "$scratch/workflows"
workflows_where release.yaml '/pattern: release-\*/d'
refused 'a release that takes every artifact of its run' 'the artifact all may be one of ci.yaml' tests/lint/artifacts.sh "$scratch/workflows"
workflows_where ci.yaml 's/, make gitops,/,/'
refused 'a release that asks for less than .ci/run' 'no job for what .ci/run does: make gitops$' \
    tests/lint/same-targets.sh .ci/run "$scratch/workflows/ci.yaml"

registry=.ci/release/registry.sh
for allowed in registry.example/csp registry.example localhost:5000/csp; do
    [[ $(REGISTRY_USER=somebody "$registry" "$allowed") == "$allowed" ]]
    [[ $(REGISTRY_IS_GITHUB=true "$registry" "$allowed") == "$allowed" ]]
done
refused 'a release of images that nobody has said a place for' 'set the variable REGISTRY of' env REGISTRY_USER=somebody "$registry" ''
for wrong in https://registry.example/csp registry.example/csp/ registry.example/Csp csp/operator; do
    refused "a release to $wrong" 'no host and path' env REGISTRY_USER=somebody "$registry" "$wrong"
done
refused 'a registry that nobody has named a user of' 'as whom to sign in to registry.example: set' "$registry" registry.example/csp
refused 'a registry with two that sign in' 'unset one of the two' env REGISTRY_USER=somebody REGISTRY_IS_GITHUB=true "$registry" registry.example/csp
refused 'a registry that is GitHub'"'"'s somehow' 'set it to true, or unset it' env REGISTRY_IS_GITHUB=maybe "$registry" registry.example/csp

# What signs in is written down instead: which tool, where, as whom, with what.
mkdir -p "$scratch/sign-in"
for tool in docker skopeo helm; do
    printf '#!/bin/sh\necho "%s $*: $(cat)" >>"%s/said"\n' "$tool" "$scratch/sign-in" > "$scratch/sign-in/$tool"
    chmod +x "$scratch/sign-in/$tool"
done
# sign_in SETTING...: with those, and with a token that is there for whoever takes it.
sign_in() {
    rm -f "$scratch/sign-in/said"
    env PATH="$scratch/sign-in:$PATH" HELM=helm REGISTRY=registry.example/csp GITHUB_ACTOR=octocat GITHUB_TOKEN=the-token "$@" .ci/release/sign-in.sh
}
# signed_in USER PASSWORD
signed_in() {
    [[ $(cat "$scratch/sign-in/said") == "docker login registry.example --username $1 --password-stdin: $2
skopeo login registry.example --username $1 --password-stdin: $2
helm registry login registry.example --username $1 --password-stdin: $2" ]] || { cat "$scratch/sign-in/said"; return 1; }
}
sign_in REGISTRY_USER=somebody REGISTRY_PASSWORD=secret
signed_in somebody secret
sign_in REGISTRY_IS_GITHUB=true
signed_in octocat the-token
refused 'a sign-in without a password' 'the secret REGISTRY_PASSWORD is not' sign_in REGISTRY_USER=somebody
refused 'a sign-in with a token for somebody else' 'as whom to sign in' sign_in REGISTRY_PASSWORD=secret
if [[ -e "$scratch/sign-in/said" ]]; then
    cat "$scratch/sign-in/said"
    exit 1
fi

# A release without anything in it, of which version.sh is shown to look at each file.
rm -rf "$scratch/release"
mkdir -p "$scratch/release/manifests/chart"
cp -r .ci Cargo.toml "$scratch/release/"
cp -r manifests/krew "$scratch/release/manifests/"
cp manifests/chart/Chart.yaml "$scratch/release/manifests/chart/"
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
echo "## [$version]" > "$scratch/release/CHANGELOG.md"
[[ $("$scratch/release/.ci/release/version.sh" "v$version") == "$version" ]]
refused 'a tag of another version' 'Cargo.toml says' "$scratch/release/.ci/release/version.sh" v9.9.9
# version_where FILE SED-EXPRESSION REASON
version_where() {
    cp "$scratch/release/$1" "$scratch/whole"
    broken "release/$1" "$2" "$scratch/whole"
    refused "a release where $1 is of another version" "$3" "$scratch/release/.ci/release/version.sh" "v$version"
    cp "$scratch/whole" "$scratch/release/$1"
}
version_where manifests/chart/Chart.yaml 's/^appVersion: .*/appVersion: 9.9.9/' 'appVersion in .* is 9.9.9'
version_where manifests/krew/csp.yaml 's/^  version: .*/  version: v9.9.9/' 'spec.version in .*csp.yaml is v9.9.9'
version_where manifests/krew/csp.yaml 's/kubectl-csp-[0-9.]+-darwin-arm64/kubectl-csp-9.9.9-darwin-arm64/' 'fetches .*9.9.9-darwin-arm64'
version_where CHANGELOG.md 's/.*/## [9.9.9]/' 'has no section'

# The manifest for krew, filled in with the sums of archives.
mkdir -p "$scratch/archives"
for archive in $(sed -n 's|^ *uri: .*/||p' manifests/krew/csp.yaml); do echo "$archive" > "$scratch/archives/$archive"; done
.ci/release/krew.sh you/csp-operator "$scratch/archives" > "$scratch/csp.yaml"
[[ $(sed -n 's/^ *sha256: //p' "$scratch/csp.yaml") == "$(sed -n 's|^ *uri: .*/||p' "$scratch/csp.yaml" | (cd "$scratch/archives" && xargs sha256sum) | cut -d' ' -f1)" ]]
refused 'a manifest for krew of nowhere' 'no owner/name' .ci/release/krew.sh '' "$scratch/archives"
echo more > "$scratch/archives/kubectl-csp-$version-plan9-amd64.tar.gz"
refused 'an archive that krew is not told of' 'does not name kubectl-csp-.*-plan9-amd64' .ci/release/krew.sh you/csp-operator "$scratch/archives"
rm "$scratch"/archives/kubectl-csp-*-{plan9-amd64,darwin-arm64}.tar.gz
refused 'an archive that krew is told of, and is not there' 'darwin-arm64.tar.gz, which has not been built' \
    .ci/release/krew.sh you/csp-operator "$scratch/archives"

# Of the commit, Git has the first word and the environment the last.
rm -rf "$scratch/commit"
mkdir -p "$scratch/commit/.ci/image"
cp .ci/image/revision.sh "$scratch/commit/.ci/image/"
revision() { env "$@" "$scratch/commit/.ci/image/revision.sh"; }
# It stands in the repository that this is, and is not its own.
[[ $(revision CSP_REVISION=) == '' && $(revision CSP_REVISION=0123abc) == 0123abc ]]
in_commit() { git -C "$scratch/commit" -c user.name=nobody -c user.email=nobody@example.invalid -c commit.gpgsign=false "$@"; }
in_commit init --quiet && in_commit add . && in_commit commit --quiet --message=One
commit=$(in_commit rev-parse HEAD)
[[ $(revision CSP_REVISION=0123abc REVISION=0123abc GIT_DIR="$PWD/.git") == "$commit" ]]
: > "$scratch/commit/new"
[[ $(revision CSP_REVISION="$commit") == "$commit-dirty" ]]

make_cargo_deny
broken licences.toml '/^  "MIT",/d' deny.toml
refused 'a licence that is not allowed' 'license is not explicitly allowed' \
    cargo deny --locked --config "$scratch/licences.toml" check licenses
broken versions.toml "/tower-http@0.6/d" deny.toml
refused 'a crate in two versions' "found . duplicate entries for crate 'tower-http'" \
    cargo deny --locked --config "$scratch/versions.toml" check bans
broken sources.toml 's/^unknown-registry = .*/&\nallow-registry = []/' deny.toml
refused 'a crate of a registry that is not allowed' 'source-not-allowed' cargo deny --locked --config "$scratch/sources.toml" check sources

if command -v shellcheck > /dev/null; then
    printf '#!/bin/sh\ncd "$1"; rm -rf $2/*; [[ -e $3 ]]\n' > "$scratch/script.sh"
    refused 'a script for bash that says it is for sh' 'SC3010' shellcheck --severity=warning "$scratch/script.sh"
fi

echo "refusals: $count broken inputs, each refused for its reason"
