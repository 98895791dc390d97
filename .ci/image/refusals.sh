#!/usr/bin/env bash
# refusals.sh ARCHIVE: shows that check.sh refuses the operator's image once something is wrong with it.
set -euo pipefail
archive=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

umoci=$PWD/target/tools/umoci
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# refused SENTENCE COMMAND…: the command changes the image $image, and check.sh then says the sentence.
refused() {
    local sentence=$1 said
    shift
    rm -rf "$work/layout" && mkdir "$work/layout"
    tar -xf "$archive" -C "$work/layout"
    image=$work/layout:$(sed -n 's/.*"org.opencontainers.image.ref.name":"\([^"]*\)".*/\1/p' "$work/layout/index.json")
    "$@"
    tar -C "$work/layout" -cf "$work/changed.tar" .
    if said=$(.ci/image/check.sh "$work/changed.tar" csp-operator 2>&1); then
        echo "image: check.sh takes an image where $sentence" >&2
        failed=1
    elif [[ "$said" != *"$sentence"* ]]; then
        printf 'image: check.sh refuses, but does not say that %s. It says:\n%s\n' "$sentence" "$said" >&2
        failed=1
    fi
}

configure() { "$umoci" config --image "$image" "$@"; }
insert() { "$umoci" insert --rootless --image "$image" "$1" "$2"; }

printf '#!/bin/sh\necho csp-operator\n' >"$work/script" && chmod 0755 "$work/script"
cp "$(type -P true)" "$work/dynamic" && chmod 0755 "$work/dynamic"
head -c 20000000 /dev/urandom >"$work/large"
: >"$work/empty"
cp "$work/empty" "$work/open" && chmod 0666 "$work/open"

refused "the user is '0:0'" configure --config.user 0:0
refused "the user is '65532'" configure --config.user 65532
refused "the entry point is '\"/bin/sh\"'" configure --config.entrypoint /bin/sh
refused './bin/sh' insert "$work/script" /bin/sh
refused '/csp-operator is not static' insert "$work/dynamic" /csp-operator
refused 'what --version says' configure --config.label org.opencontainers.image.version=0.0.1
refused 'what --version says' configure --config.label org.opencontainers.image.revision=0123abc
refused 'the licence is' configure --config.label org.opencontainers.image.licenses=MIT
refused 'more than 20000000' insert "$work/large" /large
refused 'it trusts 0 certificate authorities' insert "$work/empty" /etc/ssl/certs/ca-certificates.crt
refused 'what others than root may write' insert "$work/open" /licenses/LICENSE

((failed == 0)) && echo 'image: the check refuses what is wrong'
exit "$failed"
