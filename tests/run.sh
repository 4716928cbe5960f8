#!/usr/bin/env bash
# Runs the tests of one build and ends with the line "N passed, N failed".
# usage: run.sh BUILD [unit|clang|asan|tsan|musl|arm64]
#   unit  the cmocka tests alone
#   tsan  programs with threads, with the library linked into them, under the thread sanitizer
#   musl  tests/shim with a library and programs that are linked with musl
#   arm64 the cmocka tests under qemu-user, which has not all that the kernel has
#   clang the cmocka tests, and those of epoll's events: what another compiler made of the library
#   asan  the cmocka tests, and tests/shim with the library of that build behind the address sanitizer
set -euo pipefail

[[ $# -ge 1 && $# -le 2 ]] || { echo "usage: run.sh BUILD [unit|clang|asan|tsan|musl|arm64]" >&2; exit 2; }
tests=$(cd "$(dirname "$0")" && pwd)
TESTED_BUILD=$(cd "$1" && pwd)
TESTED_PRELOAD=$TESTED_BUILD/libunherd.so
export TESTED_BUILD TESTED_PRELOAD

output=$(mktemp)
trap 'rm -f "$output"' EXIT
passed=0 failed=0 skipped=0

# lines PATTERN: how many lines of the last output match it.
lines() {
  grep -cE "$1" "$output" || true
}

# run NAME COMMAND...: a program that speaks TAP; one that dies without saying "not ok" is a failure, too.
# A skipped test is neither passed nor failed; cmocka calls it "not ok".
run() {
  local name=$1 status=0 bad
  shift
  printf '# %s\n' "$name"
  "$@" </dev/null 2>&1 | tee "$output" || status=$?
  bad=$(($(lines '^not ok ') - $(lines '^not ok .*# SKIP')))
  if [[ $status -ne 0 && $bad -eq 0 ]]; then
    printf 'not ok %s ended with %s\n' "$name" "$status"
    bad=1
  fi
  passed=$((passed + $(lines '^ok ') - $(lines '^ok .*# skip')))
  skipped=$((skipped + $(lines '^(not )?ok .*# (skip|SKIP)')))
  failed=$((failed + bad))
}

run_unit() {
  local program
  for program in "$TESTED_BUILD"/tests/test_*; do
    [[ -f $program && -x $program ]] || continue
    CMOCKA_MESSAGE_OUTPUT=TAP run "${program##*/}" timeout 120 "$program"
  done
}

# answers_under_qemu MODE: TAP, of a server with the library. Of that style, as the numbers by which a wait is told are the
# host's, not those of the program.
answers_under_qemu() {
  local seen
  seen=$(timeout 60 qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_PRELOAD="$TESTED_PRELOAD" -E UNHERD_MODE="$1" \
    "$TESTED_BUILD/programs/herd" mutex visits=100 2>/dev/null) || true
  if [[ $seen == 'answered 100 of 100' ]]; then echo "ok 1 $1"; else echo "not ok 1 $1: $seen"; fi
}

# What is known to need what qemu-user lacks is told from what should pass.
run_arm64() {
  local program root=$TESTED_BUILD/root/usr/lib/aarch64-linux-gnu
  for program in "$TESTED_BUILD"/tests/test_*; do
    [[ -f $program && -x $program ]] || continue
    case ${program##*/} in
      test_local | test_stats) ;; # takes MADV_WIPEONFORK, and wipes nothing
      test_shard_set) ;;    # four bytes of TCP_INFO, no SO_ATTACH_REUSEPORT_CBPF
      test_socket_options) ;; # no long filters
      *) CMOCKA_MESSAGE_OUTPUT=TAP run "${program##*/}" timeout 120 \
        qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH="$root" "$program" ;;
    esac
  done
  for mode in off exclusive reuseport; do
    run "herd, $mode" answers_under_qemu "$mode"
  done
}

# bats_files NAME FILE...: those with the tag "patient" assert nothing that other work on the machine can change: nobody is lost,
# everybody is answered. They mostly wait, so several run at once, beside each other and nothing else.
bats_files() {
  local name=$1
  shift
  ! grep -q '^# bats .*tags=patient$' "$@" ||
    run "$name, several at once" bats --formatter tap --timing --jobs 4 --filter-tags patient "$@"
  ! has_others "$@" || run "$name, one by one" bats --formatter tap --timing --filter-tags '!patient' "$@"
}

# has_others FILE...: not every test has the tag.
has_others() {
  [[ $(bats --count --filter-tags '!patient' "$@") != 0 ]]
}

run_bats() {
  local directory
  for directory in "$@"; do
    compgen -G "$tests/$directory/*.bats" >/dev/null || continue
    bats_files "tests/$directory" "$tests/$directory"/*.bats
  done
}

case ${2:-all} in
  all)
    run_unit
    run_bats tool servers shim
    ;;
  unit) run_unit ;;
  clang)
    run_unit
    bats_files "tests/shim/events.bats" "$tests/shim/events.bats"
    ;;
  asan)
    # disable_coredump=0: else the sanitizer calls setrlimit, our hook, before it is ready for instrumented code.
    export ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0:abort_on_error=1:disable_coredump=0
    export UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1
    run_unit
    TESTED_PRELOAD="$(gcc -print-file-name=libasan.so) $TESTED_PRELOAD"
    run_bats shim
    ;;
  musl)
    # Without start.bats, which builds with gcc, and faults.bats, which knows what glibc's loader does.
    bats_files "tests/shim" "$tests"/shim/{events,herd,hostile,limits,listeners,numbers}.bats \
      "$tests"/shim/{own,polls,process,schedules,threads}.bats
    ;;
  arm64) run_arm64 ;;
  tsan)
    TSAN_OPTIONS="disable_coredump=0 exitcode=66 suppressions=$tests/tsan/suppressions"
    export TSAN_OPTIONS
    run_bats tsan
    ;;
  *) echo "run.sh: no set of tests called '$2'" >&2; exit 2 ;;
esac

[[ $skipped -eq 0 ]] || printf '%d skipped\n' "$skipped"
printf '%d passed, %d failed\n' "$passed" "$failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
