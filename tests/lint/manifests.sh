#!/usr/bin/env bash
# Chart, kustomizations and examples: what they render conforms to the schemas of Kubernetes and of the CRDs, follows what
# kube-score asks for, and is the same whichever way it is installed.
. "$(dirname "${BASH_SOURCE[0]}")/setting.sh"
shopt -s globstar nullglob

scratch=target/lint
rm -rf "$scratch"
mkdir -p "$scratch"
make_schemas

# What is installed, and apart from it the pod of `helm test`: helm_template NAME ARGUMENT...
helm_template() {
    helm template csp-operator manifests/chart --namespace csp-operator --skip-tests "${@:2}" > "$scratch/$1.yaml"
    helm template csp-operator manifests/chart --namespace csp-operator --show-only templates/tests/ready.yaml "${@:2}" > "$scratch/$1.test.yaml"
    rendered+=("$scratch/$1.yaml")
    tests+=("$scratch/$1.test.yaml")
}
rendered=()
tests=()

say() { printf -- '-- %s\n' "$*"; }

say "the chart has the version of the program"
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
for field in version appVersion; do
    if ! grep -q "^$field: $version\$" manifests/chart/Chart.yaml; then
        echo "manifests/chart/Chart.yaml: $field is not $version, as Cargo.toml says: set it, and run make manifests"
        exit 1
    fi
done

say "the oldest Kubernetes is the same to the chart, to whoever reads about it, and to the end-to-end tests"
oldest=$(sed -nE 's/^kubeVersion: ">=([0-9]+\.[0-9]+)\.0-0"$/\1/p' manifests/chart/Chart.yaml)
for page in README.md docs/install.md docs/quick-start.md docs/ci.md; do
    told=$(grep -oE 'Kubernetes [0-9.]+ or (later|newer)' "$page" | sort -u || true)
    if [[ $told != "Kubernetes $oldest or later" ]]; then
        echo "$page says \"$told\", not \"Kubernetes $oldest or later\", as kubeVersion in manifests/chart/Chart.yaml"
        exit 1
    fi
done
if ! grep -q "kubernetes: \"$oldest\"\$" .github/workflows/ci.yaml; then
    echo ".github/workflows/ci.yaml does not run the end-to-end tests on Kubernetes $oldest, the kubeVersion of manifests/chart/Chart.yaml"
    exit 1
fi

say "what is rendered from the chart is what the chart renders"
manifests/render.sh "$scratch/rendered"
while read -r file; do
    if ! diff -u --label "manifests/$file" --label "manifests/$file, rendered now" "manifests/$file" "$scratch/rendered/$file"; then
        echo "manifests/$file is stale: run make manifests"
        exit 1
    fi
done < <(cd "$scratch/rendered" && find . -type f | sort)
if ! diff -r "$scratch/rendered/chart/files/crds" manifests/chart/files/crds; then
    echo 'manifests/chart/files/crds has files that crds/ has not: run make manifests'
    exit 1
fi

say "the chart, with each set of values"
sets=(tests/lint/values/*.yaml manifests/components/*/values.yaml examples/**/*values*.yaml)
helm lint --strict --quiet manifests/chart
helm_template defaults
for values in "${sets[@]}"; do
    name=${values//\//-}
    name=${name%.yaml}
    helm lint --strict --quiet manifests/chart --values "$values"
    helm_template "$name" --values "$values"
done
conform "${rendered[@]}" "${tests[@]}"

say "the chart says where a narrower networkPolicy.httpsTo narrows nothing"
# notes VALUES EXPECTED: how often it says so after an installation with these values.
notes() {
    local found
    echo "networkPolicy: $1" > "$scratch/notes-values.yaml"
    helm install csp-operator manifests/chart --namespace csp-operator --dry-run=client --values "$scratch/notes-values.yaml" > "$scratch/notes.txt"
    found=$(sed -n '/^NOTES:/,$p' "$scratch/notes.txt" | grep -c 'httpsTo narrows nothing on port 443' || true)
    if [[ $found != "$2" ]]; then
        echo "NOTES.txt, with networkPolicy $1: expected $2 warnings of httpsTo, found $found"
        exit 1
    fi
}
proxy='[{ipBlock: {cidr: 192.0.2.0/24}}]'
notes "{create: true, httpsTo: $proxy}" 1
notes "{create: false, httpsTo: $proxy}" 0
notes "{create: true}" 0
notes "{create: true, httpsTo: $proxy, httpsPorts: [3128]}" 0
notes "{create: true, httpsTo: $proxy, apiServerTo: [{ipBlock: {cidr: 198.51.100.1/32}}]}" 0

# What kube-score asks for, and why it is not followed here.
ignored=(
    container-ephemeral-storage-request-and-limit # it writes no file, and a limit would count its log, which the kubelet bounds
    container-image-pull-policy                   # a version is never published twice; Always needs the registry at each start
    deployment-has-host-podantiaffinity           # it has topology spread constraints, which are the newer of the two
)
# NetworkPolicy, and a second replica with what belongs to it, are choices: they are asked for where they are chosen.
optional=(pod-networkpolicy deployment-has-poddisruptionbudget deployment-replicas deployment-strategy pod-topology-spread-constraints)

say "kube-score, with each set of values"
for one in "${rendered[@]}"; do
    arguments=(--enable-optional-test container-seccomp-profile --enable-optional-test container-ports-check
        --ignore-container-cpu-limit --exit-one-on-warning --output-format ci)
    for check in "${ignored[@]}"; do arguments+=(--ignore-test "$check"); done
    case $one in
        *everything.yaml | *tests-lint-values-high-availability.yaml | *examples-install-values.yaml) ;;
        *) for check in "${optional[@]}"; do arguments+=(--ignore-test "$check"); done ;;
    esac
    if ! found=$(kube-score score "${arguments[@]}" "$one"); then
        grep -v '^\[\(OK\|SKIPPED\)\]' <<< "$found"
        echo "kube-score objects to what the chart makes of a values file: see $one"
        exit 1
    fi
done

say "kustomizations"
# build NAME DIRECTORY
build() { kustomize build "$2" > "$scratch/$1.yaml"; }

build base manifests/base
built=("$scratch/base.yaml")
for directory in $(find examples -name kustomization.yaml -exec dirname {} + | sort); do
    build "kustomize-${directory//\//-}" "$directory"
    built+=("$scratch/kustomize-${directory//\//-}.yaml")
done
conform "${built[@]}"

say "what deletes permissions when it is deleted is neither pruned nor deleted by Argo CD and Flux"
# kept FILE: the documents of such kinds have the annotations of both.
kept() {
    awk -v file="$1" 'BEGIN { RS = "\n?---\n" }
        /(^|\n)kind: (Namespace|CustomResourceDefinition)\n/ || /\n  name: csp-operator-deletion-protection\n/ {
            if (/sync-options: Prune=false,Delete=false\n/ && /toolkit.fluxcd.io\/prune: disabled\n/) next
            print file ": a tool may prune this one:\n" $0
            failed = 1
        }
        END { exit failed }' "$1"
}
for one in "${built[@]}"; do kept "$one"; done

say "no sync of an Application asks for a Namespace that its project does not permit"
for application in $(grep -l '^kind: Application$' examples/gitops/argocd/*.yaml); do
    project=$(sed -n 's/^  project: //p' "$application")
    if [[ $project != default ]] && grep -qE '^ *- CreateNamespace=true$|managedNamespaceMetadata:' "$application"; then
        echo "$application: the project $project permits no Namespace, so Argo CD would refuse every sync: take CreateNamespace=true and managedNamespaceMetadata out"
        exit 1
    fi
done

say "each component makes of the base what its values make of the chart"
# same NAME COMPONENT...
same() {
    local directory=$scratch/same/$1 component arguments=(--set namespace.create=true)
    mkdir -p "$directory"/{chart,kustomize}
    printf 'sortOptions: {order: legacy}\nresources: [chart.yaml]\n' > "$directory/chart/kustomization.yaml"
    printf 'sortOptions: {order: legacy}\nresources: [../../../../../manifests/base]\ncomponents:\n' > "$directory/kustomize/kustomization.yaml"
    for component in "${@:2}"; do
        arguments+=(--values "manifests/components/$component/values.yaml")
        echo "  - ../../../../../manifests/components/$component" >> "$directory/kustomize/kustomization.yaml"
    done
    # The test is run by Helm, and so is in no kustomization.
    helm template csp-operator manifests/chart --namespace csp-operator --skip-tests "${arguments[@]}" > "$directory/chart/chart.yaml"
    kustomize build "$directory/chart" > "$directory/chart.yaml"
    kustomize build "$directory/kustomize" > "$directory/kustomize.yaml"
    if ! diff -u --label "chart, $1" --label "kustomization, $1" "$directory/chart.yaml" "$directory/kustomize.yaml"; then
        echo "manifests/components: the patches and the chart differ, see above"
        exit 1
    fi
    kept "$directory/kustomize.yaml"
    conform "$directory/kustomize.yaml"
}

mapfile -t components < <(cd manifests/components && ls)
same none
for component in "${components[@]}"; do same "$component" "$component"; done
same all "${components[@]}"

say "examples"
mapfile -t examples < <(grep -lE '^kind: (Customer|AzureSubscription|CustomerPurchasePermission|Namespace)$' examples/**/*.yaml)
conform "${examples[@]}"
