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

# of_growth BUILD: few connections, and a place of its own for what the servers leave.
of_growth() {
  mkdir -p "$BATS_TEST_TMPDIR/tmp"
  TMPDIR=$BATS_TEST_TMPDIR/tmp ROUNDS=1 PART=5 SIZES="2 3" run env --default-signal=INT "$BENCH/bench.sh" "$1" "$PAGE" growth
}

# its_servers: those that were started from the build of this test alone.
its_servers() {
  pgrep -f "^$BATS_TEST_TMPDIR/built/waiters "
}

nothing_is_left() {
  [[ -z $(ls "$BATS_TEST_TMPDIR/tmp") ]] && ! its_servers >/dev/null
}

# build_whose_load COMMAND: a build whose load generator does that from its fourth run on, while three servers are aside.
build_whose_load() {
  mkdir "$BATS_TEST_TMPDIR/built"
  ln -s "$TESTED_BUILD"/{waiters,libunherd.so} "$BATS_TEST_TMPDIR/built"
  cat >"$BATS_TEST_TMPDIR/built/load" <<END
#!/bin/sh
echo >>"$BATS_TEST_TMPDIR/loads"
[ "\$(wc -l <"$BATS_TEST_TMPDIR/loads")" -lt 4 ] && exec "$TESTED_BUILD/load" "\$@"
pgrep -f "^$BATS_TEST_TMPDIR/built/waiters " >>"$BATS_TEST_TMPDIR/seen"
$1
END
  chmod +x "$BATS_TEST_TMPDIR/built/load"
}

@test "few workers and many side by side: each has its turn, and nothing of them is left" {
  build_whose_load "exec '$TESTED_BUILD/load' \"\$@\""
  of_growth "$BATS_TEST_TMPDIR/built"
  [[ $status -eq 0 ]] || fail "$output"
  check_number "$(wc -l <"$BATS_TEST_TMPDIR/seen")" '>' 100
  check_number "$(column 'ours, `exclusive`' 5)" '<' 1.5
  check_number "$(column '`accept`' 3)" '>' 1
  grep -qx '| CPU, µs, one at a time | 2 workers | 3 workers | 3 by 2 | wake-ups of 3 |' "$PAGE"
  [[ $(awk -F '\t' '$3 ~ /_cpu$/ && $4 > 0' "$REPORT/growth.tsv" | wc -l) -eq 24 ]]
  nothing_is_left
}

@test "a load fails, or the run is ended, while several servers are there: nothing of them is left" {
  local how its_run="\$(pgrep -f 'bench.sh $BATS_TEST_TMPDIR/built ')"
  for how in 'exit 1' "kill -TERM $its_run" "kill -INT $its_run; exec '$TESTED_BUILD/load' \"\$@\""; do
    rm -rf "$BATS_TEST_TMPDIR"/{built,loads,seen}
    build_whose_load "$how"
    of_growth "$BATS_TEST_TMPDIR/built"
    [[ $status -ne 0 ]] || fail "$output"
    check_number "$(wc -l <"$BATS_TEST_TMPDIR/seen")" '>' 8 # four masters and their workers
    eventually 5 nothing_is_left
  done
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
  local sizes
  for sizes in 4 '4 4' '4 512' '8 2' 'x 4' '*' '2 3 4'; do
    FEW=2 MANY=3 SIZES=$sizes refused "SIZES: '$sizes' is not two numbers" "$TESTED_BUILD" "$PAGE" growth
  done
  SIZES=$'2\n3' refused "SIZES: \$'2\\n3' is not" "$TESTED_BUILD" "$PAGE" growth
  TMPDIR='/tmp/a b' refused "TMPDIR: '/tmp/a b'" "$TESTED_BUILD" "$PAGE" growth
  REPORT=$PAGE refused "REPORT: '$PAGE'" "$TESTED_BUILD" "$PAGE" growth
  refused 'cost growth: not an experiment' "$TESTED_BUILD" "$PAGE" 'cost growth'
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
