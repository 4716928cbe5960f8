#!/usr/bin/env bash
# Installs the Debian packages that the named groups of work need, and does nothing where they are there.
# usage: packages.sh build|check|verdicts|conformance|model|fuzz|bench|musl|arm64|lint ...
set -euo pipefail

declare -A groups=(
  [build]="gcc libc6-dev libelf-dev libjansson-dev libncurses-dev make procps"
  [check]="clang libcmocka-dev bats parallel strace curl iproute2 binutils file python3-minimal libcap2-bin tmux python3-prometheus-client
           gnuplot-nox nginx-core apache2 apache2-bin gunicorn python3-gunicorn uwsgi-core uwsgi-plugin-python3 lighttpd
           uvicorn puma nodejs haproxy h2o bind9 unbound varnish php8.2-fpm systemd"
  [verdicts]="redis-server memcached dnsmasq-base nsd hitch openssl tinyproxy-bin stunnel4 dovecot-imapd postfix squid
              vsftpd pgbouncer starman unicorn caddy"
  [conformance]="python3.11 libpython3.11-testsuite perl libpoe-test-loops-perl libpoe-perl
                 libplack-perl starman starlet twiggy iproute2 util-linux"
  [model]="spin"
  [fuzz]="clang libclang-rt-14-dev"
  [bench]="gnuplot-nox"
  [musl]="musl-tools"
  [arm64]="gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"
  [lint]="clang clang-tidy clang-format cppcheck shellcheck libcmocka-dev"
)

wanted=()
for group in "$@"; do
  [[ -n ${groups[$group]:-} ]] || { echo "packages.sh: no group called '$group'" >&2; exit 2; }
  read -r -d '' -a names <<<"${groups[$group]}" || true
  wanted+=("${names[@]}")
done

missing=()
for name in "${wanted[@]}"; do
  dpkg-query -W -f '${Status}\n' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  command -v sudo >/dev/null || { echo "missing: ${missing[*]}; run as root, or install sudo" >&2; exit 1; }
  as_root=(sudo)
fi

# A package must not start its daemon: the tests start their own, on ports of their own.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod +x "$policy"
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi

echo "installing: ${missing[*]}"
log=$(mktemp)
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "$@" >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; exit 1; }
}
apt update
apt install -y --no-install-recommends "${missing[@]}"
rm -f "$log"
