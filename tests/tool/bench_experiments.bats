#!/usr/bin/env bats
# make bench: what its orchestrator puts into a page, on very few connections, and what it refuses.

load ../lib/common

BENCH=$TESTS/../tools/bench

setup() {
  PAGE=$BATS_TEST_TMPDIR/page.md
  awk '/^<!-- end of/ { inside = 0 } !inside; /^<!-- made by/ { inside = 1 }' "$BENCH/README.md" >"$PAGE" # without its tables
  cp "$PAGE" "$BATS_TEST_TMPDIR/before.md"
  export REPORT=$BATS_TEST_TMPDIR/report
}

# column ROW NUMBER: a cell of the table, without the least and the most behind it.
column() {
  awk -F ' *[|] *' -v row="$1" -v number="$2" '$2 == row { sub(/ .*/, "", $(number + 1)); print $(number + 1); exit }' "$PAGE"
}

@test "who gets the work: turns are even, the kernel's order is not, and the commands stand beside it" {
  ROUNDS=2 PART=5 run "$BENCH/bench.sh" "$TESTED_BUILD" "$PAGE" spread
  [[ $status -eq 0 ]] || fail "$output"
  check_number "$(column '`epoll` with `EPOLLEXCLUSIVE`' 3)" '>' 50
  check_number "$(column 'ours, `exclusive`' 2)" '>' 10
  check_number "$(column 'ours, `exclusive`' 3)" '<' 15
  check_number "$(column 'a socket for each' 5)" '<' 2
  grep -qx 'LD_PRELOAD=build/libunherd.so UNHERD_MODE=exclusive build/waiters epoll -p 8080 -w 8' "$PAGE"
  grep -qx 'build/load --connect 127.0.0.1:8080 --count 200 --with-ack' "$PAGE"
  grep -q '^| kernel | Linux' "$PAGE"
  [[ $(awk -F '\t' '$3 == "wakeups"' "$REPORT/spread.tsv" | wc -l) -eq 12 ]]
}

@test "connections that stay: turns give each worker its part" {
  ROUNDS=1 run "$BENCH/bench.sh" "$TESTED_BUILD" "$PAGE" kept
  [[ $status -eq 0 ]] || fail "$output"
  check_number "$(column 'ours, `exclusive`' 2)" '<=' 3
  check_number "$(column '`epoll` with `EPOLLEXCLUSIVE`' 2)" '>' 8
}

@test "few workers and many side by side: each has its turn, and nothing of them is left" {
  TMPDIR=$BATS_TEST_TMPDIR ROUNDS=1 PART=5 SIZES="2 3" run "$BENCH/bench.sh" "$TESTED_BUILD" "$PAGE" growth
  [[ $status -eq 0 ]] || fail "$output"
  check_number "$(column 'ours, `exclusive`' 5)" '<' 1.5
  check_number "$(column '`accept`' 3)" '>' 1
  grep -qx '| CPU, µs, one at a time | 2 workers | 3 workers | 3 by 2 | wake-ups of 3 |' "$PAGE"
  [[ $(awk -F '\t' '$3 ~ /_cpu$/ && $4 > 0' "$REPORT/growth.tsv" | wc -l) -eq 24 ]]
  [[ -z $(find "$BATS_TEST_TMPDIR" -name 'unherd.*') && -z $(pgrep -f "^$TESTED_BUILD/waiters .* -w [23]$") ]]
}

# refused WORDS ARGUMENT...: in one line, and the page stays.
refused() {
  run "$BENCH/bench.sh" "${@:2}"
  [[ $status -eq 2 && ${#lines[@]} -eq 1 && $output == "bench.sh: $1"* ]] || fail "status $status: $output"
  cmp "$BATS_TEST_TMPDIR/before.md" "$PAGE"
}

@test "a wrong argument is named in one line" {
  refused 'usage' "$TESTED_BUILD"
  refused 'none: not a build' none "$PAGE"
  refused 'none.md: not a page' "$TESTED_BUILD" none.md
  refused 'herds: not an experiment; there are spread busy' "$TESTED_BUILD" "$PAGE" spread herds
  ROUNDS=0 refused "ROUNDS: '0'" "$TESTED_BUILD" "$PAGE" spread
  SIZES=4 refused "SIZES: '4'" "$TESTED_BUILD" "$PAGE" growth
  PART=x refused "PART: 'x'" "$TESTED_BUILD" "$PAGE" spread
}

# waiters_refuse WORDS ARGUMENT...
waiters_refuse() {
  run timeout 5 "$TESTED_BUILD/waiters" "${@:2}"
  [[ $status -eq 2 && ${#lines[@]} -eq 1 && $output == "waiters: $1"* ]] || fail "status $status: $output"
}

@test "the server of the experiments names a wrong argument, too" {
  waiters_refuse 'STYLE: not one of accept' sleeping -p 1 -w 1
  waiters_refuse '-p: not a number' epoll -p 70000 -w 1
  waiters_refuse '-w: is missing' epoll -p 1
  waiters_refuse '-k: goes with epoll' accept -p 1 -w 1 -k
}
