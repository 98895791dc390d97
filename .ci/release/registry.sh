#!/usr/bin/env bash
# registry.sh REGISTRY: prints where images and chart of a release go, a host and as much of a path as you like, such as
# registry.example/csp. Fails unless it is that, and it is said as whom to sign in there: REGISTRY_USER names a user, or REGISTRY_IS_GITHUB=true
# says that the registry is GitHub's own, which takes the token of the workflow. Nobody else may get that token, so it must be said.
set -euo pipefail
registry=${1:-}

die() { echo "release: $*" >&2; exit 1; }
[[ -n "$registry" ]] || die "nobody has said where the images go: set the variable REGISTRY of the repository" \
    "(Settings, Secrets and variables, Actions, Variables), such as registry.example/csp, as docs/ci.md says"
# What has neither dot nor port is no host, but a path at Docker Hub.
host='([a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]+)?|[a-z0-9-]+:[0-9]+)'
part='[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*'
[[ "$registry" =~ ^$host(/$part)*$ ]] ||
    die "the variable REGISTRY is '$registry', which is no host and path in lower case, without https:// and without a slash at" \
        "the end, such as registry.example/csp"
case ${REGISTRY_IS_GITHUB:-} in
'' | false)
    [[ -n ${REGISTRY_USER:-} ]] || die "nobody has said as whom to sign in to ${registry%%/*}: set the variable REGISTRY_USER and the" \
        "secret REGISTRY_PASSWORD; or, only if that is GitHub's own registry, the variable REGISTRY_IS_GITHUB to true, and the token" \
        "of the workflow is sent there"
    ;;
true)
    [[ -z ${REGISTRY_USER:-} ]] || die "REGISTRY_IS_GITHUB says that the token of the workflow signs in, REGISTRY_USER that" \
        "'$REGISTRY_USER' does: unset one of the two variables"
    ;;
*) die "the variable REGISTRY_IS_GITHUB is '$REGISTRY_IS_GITHUB': set it to true, or unset it" ;;
esac
echo "$registry"
