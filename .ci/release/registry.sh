#!/usr/bin/env bash
# registry.sh REGISTRY: prints where images and chart of a release go, a host and as much of a path as you like, such as
# registry.example/csp. Fails unless it is that.
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
echo "$registry"
