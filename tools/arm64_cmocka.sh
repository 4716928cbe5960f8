#!/usr/bin/env bash
# Unpacks Debian's cmocka for arm64 below a directory, with lists of packages of its own: dpkg and apt know nothing of it.
# usage: arm64_cmocka.sh ROOT
set -euo pipefail

[[ $# -eq 1 ]] || { echo "usage: arm64_cmocka.sh ROOT" >&2; exit 2; }
root=$1
[[ ! -e $root/usr/include/cmocka.h ]] || exit 0

state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$root"
apt() {
  apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::lists="$state/lists" \
    -o Dir::Cache="$state/cache" -o Dir::State::status=/dev/null -o APT::Sandbox::User="$(id -un)" "$@" >"$state/log" 2>&1 ||
    { cat "$state/log" >&2; exit 1; }
}
cd "$state"
apt update
apt download libcmocka0 libcmocka-dev
cd - >/dev/null
for package in "$state"/*.deb; do
  dpkg-deb -x "$package" "$root"
done
