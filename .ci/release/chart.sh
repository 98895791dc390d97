#!/usr/bin/env bash
# chart.sh DIRECTORY: packs the chart, with the image that $REGISTRY has of $VERSION, to DIRECTORY. In the workflow (GITHUB_OUTPUT is set) it
# also pushes and signs it.
set -euo pipefail
mkdir -p "$1"
out=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

helm=${HELM:-target/tools/helm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp -R manifests/chart "$work/csp-operator"
values=$work/csp-operator/values.yaml
# The placeholder of the repository, which every release replaces.
sed -i -e "s|^  repository: csp-operator\$|  repository: $REGISTRY/csp-operator|" \
    -e '/^  # A placeholder: no image is published yet/d' "$values"
image=$("$helm" template csp-operator "$work/csp-operator" | sed -n 's/^ *image: //p' | sort -u)
if [[ "$image" != "$REGISTRY/csp-operator:$VERSION" ]]; then
    echo "release: the chart installs '$image', not $REGISTRY/csp-operator:$VERSION" >&2
    exit 1
fi
"$helm" package "$work/csp-operator" --destination "$out"
[[ -n ${GITHUB_OUTPUT:-} ]] || exit 0

"$helm" push "$out/csp-operator-$VERSION.tgz" "oci://$REGISTRY/charts" 2>&1 | tee "$work/pushed"
digest=$(sed -n 's/^Digest: *//p' "$work/pushed")
cosign sign --yes "$REGISTRY/charts/csp-operator@$digest"
echo "chart=$digest" >>"$GITHUB_OUTPUT"
