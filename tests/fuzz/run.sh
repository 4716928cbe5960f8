#!/usr/bin/env bash
# Runs the named fuzzers, one after the other, each from its corpus in the repository; what they find on the way stays
# in the build directory, and an input that fails too.
# usage: run.sh BUILD SECONDS NAME ...
set -euo pipefail
build=$1 seconds=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
cd "$build"
export ASAN_OPTIONS=disable_coredump=0

fuzz() (
  local name=$1 program=$1 options=(-print_funcs=0 -print_final_stats=1 -timeout=10 "-max_total_time=$seconds" "-artifact_prefix=failed/$1-")
  case $name in
    calls) options+=(-max_len=200) ;;
    reuseport) # the calls in that mode
      program=calls
      options+=(-max_len=200)
      export FUZZ_MODE=reuseport
      ;;
    config) options+=(-max_len=4096) ;;
    *) options+=(-max_len=400) ;;
  esac
  [[ ! -e $here/$name.dict ]] || options+=("-dict=$here/$name.dict")
  mkdir -p failed "corpus/$name" "$here/corpus/$name"
  echo "fuzz: $name"
  "./$program" "${options[@]}" "corpus/$name" "$here/corpus/$name"
)

for name in "$@"; do
  fuzz "$name"
done
