#!/bin/sh
# Installs the Debian packages that are missing, and only those.
#
#   tools/setup.sh [--check] [GROUP ...]      groups: build demo test bench (default: build demo test)
#
# --check only says what is missing and ends 1 when something is. Needs root or sudo to install.
set -eu

build_packages="gcc libc6-dev clang libclang-rt-14-dev clang-format meson ninja-build pkg-config
    binutils libssl-dev libyaml-dev libcmocka-dev libhttp-parser-dev libjansson-dev
    libsodium-dev libcrypt-dev liboath-dev libzxcvbn-dev libqrencode-dev libsqlite3-dev
    libcurl4-openssl-dev libcjose-dev libpcre2-dev libpq-dev
    libhiredis-dev libnghttp2-dev libseccomp-dev libmicrohttpd-dev python3"
demo_packages="python3 python3-fastapi python3-uvicorn python3-websockets"
test_packages="$demo_packages python3-pytest python3-pytest-timeout python3-pytest-xdist python3-yaml
    python3-jsonschema python3-aiosmtpd python3-cryptography python3-hpack openssl curl
    nginx-light caddy haproxy postgresql redis-server umoci crun
    golang-github-containers-common ca-certificates"
bench_packages="nginx-light haproxy caddy wrk nghttp2-client nodejs npm python3-jsonschema python3-yaml
    openssl redis-server postgresql"

usage() {
    sed -n '2,6s/^# \{0,1\}//p' "$0"
}

check_only=no
groups=""
for argument in "$@"; do
    case $argument in
    --check) check_only=yes ;;
    --help | -h) usage && exit 0 ;;
    build | demo | test | bench) groups="$groups $argument" ;;
    *) usage >&2 && exit 2 ;;
    esac
done
[ -n "$groups" ] || groups="build demo test"

if ! command -v dpkg-query >/dev/null; then
    echo "setup: this is not Debian; install the counterparts of these packages yourself:" >&2
    echo "setup:" $build_packages $test_packages >&2
    exit 0
fi

wanted=""
for group in $groups; do
    eval "wanted=\"\$wanted \$${group}_packages\""
done

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
missing=""
for package in $wanted; do
    case " $missing " in *" $package "*) continue ;; esac
    printf '%s\n' "$installed" | grep -qx "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "setup: missing Debian packages:$missing"
[ "$check_only" = no ] || exit 1

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: needs root; run this as root: apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi

# A package that brings a daemon would start it: a policy-rc.d that says no, for the time of the
# installation, and only where the system has none of its own.
policy=/usr/sbin/policy-rc.d
remove_policy() {
    [ -z "${policy_is_ours:-}" ] || $as_root rm -f "$policy"
}
trap remove_policy EXIT
trap 'exit 1' HUP INT TERM
if [ ! -e "$policy" ]; then
    policy_is_ours=yes
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi

install_missing() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}
echo "setup: apt-get install$missing"
install_missing >/dev/null 2>&1 || {
    $as_root apt-get update
    install_missing
}
# Nor shall they start with the next boot: benchmarks start their own.
if [ -d /run/systemd/system ]; then
    for service in nginx haproxy caddy postgresql redis-server; do
        case " $missing " in *" $service"*) $as_root systemctl disable "$service" >/dev/null 2>&1 || : ;; esac
    done
fi
