#!/bin/sh
# A fresh root key in SECRETS/root.key, for `secrets: {root: file:..., previous: [file:...]}` as
# docs/secrets-rotation.md has it, then new signing keys. May end anywhere and be given again.
set -eu
gatehouse=${GATEHOUSE:-gatehouse}
umask 077
cd "$SECRETS"
test -e root.previous || {
    "$gatehouse" secrets generate --raw > root.next
    cp root.key root.previous
    mv root.next root.key
}
"$gatehouse" secrets rotate --config "$CONFIG"
rm root.previous
"$gatehouse" secrets rotate --signing --config "$CONFIG"
