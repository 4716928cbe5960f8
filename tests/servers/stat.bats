#!/usr/bin/env bats
# unherd stat: what it says that each worker has accepted is what strace saw.

load ../lib/servers

teardown() {
  stop_tracers
  finish
}

TRACERS=()

stop_tracers() {
  local tracer
  for tracer in "${TRACERS[@]}"; do
    kill "$tracer" 2>/dev/null || true
    wait "$tracer" || true
  done
  TRACERS=()
}

is_traced() {
  ! grep -qx $'TracerPid:\t0' "/proc/$1/status"
}

trace_workers() {
  local pid
  for pid in $(workers); do
    strace -f -qq -e trace=accept,accept4 -o "$DIRECTORY/accepts.$pid" -p "$pid" 3>&- 4>&- &
    TRACERS+=("$!")
    eventually 5 is_traced "$pid" || fail "strace did not attach"
  done
}

# PID ACCEPTS, a line for each worker: by strace, and by the tool.
seen_by_strace() {
  local pid
  for pid in $(workers | sort -n); do
    echo "$pid $(grep -cE 'accept4?\(.*= [0-9]+$' "$DIRECTORY/accepts.$pid")"
  done
}

seen_by_stat() {
  "$TESTED_BUILD/unherd" stat --json ":$PORT" | /usr/bin/python3 -c '
import collections, json, sys
[listener] = json.load(sys.stdin)["listeners"]
accepts = collections.Counter()
for worker in listener["workers"]:
    accepts[worker["pid"]] += worker["counts"]["home"] + worker["counts"]["stolen"]
for pid in sorted(accepts):
    print(pid, accepts[pid])'
}

difference() {
  awk 'NR == FNR { before[$1] = $2; next } { print $1, $2 - before[$1] }' "$1" "$2"
}

# counts_as_strace KIND MODE
counts_as_strace() {
  start_server "$1" "$2"
  trace_workers
  seen_by_stat >"$DIRECTORY/before"
  seen_by_strace >"$DIRECTORY/strace.before"
  drive --count 300 --parallel 4
  stop_tracers
  seen_by_stat >"$DIRECTORY/after"
  difference "$DIRECTORY/strace.before" <(seen_by_strace) >"$DIRECTORY/truth"
  difference "$DIRECTORY/before" "$DIRECTORY/after" >"$DIRECTORY/counted"
  [[ $(wc -l <"$DIRECTORY/truth") -eq $WORKERS ]] || fail "$(cat "$DIRECTORY/truth")"
  [[ $(awk '{ sum += $2 } END { print sum }' "$DIRECTORY/truth") -ge 300 ]] || fail "strace: $(cat "$DIRECTORY/truth")"
  diff "$DIRECTORY/truth" "$DIRECTORY/counted" || fail "$1, $2: strace and stat differ"
  stop_server
}

# bats test_tags=patient
@test "accepts per worker are those that strace counts: nginx, reuseport" { counts_as_strace nginx reuseport; }
# bats test_tags=patient
@test "accepts per worker are those that strace counts: nginx with sockets of its own" { counts_as_strace nginx_own auto; }
# bats test_tags=patient
@test "accepts per worker are those that strace counts: php-fpm, which blocks in accept()" { counts_as_strace php_fpm exclusive; }
# bats test_tags=patient
@test "accepts per worker are those that strace counts: Apache event" { counts_as_strace apache_event exclusive; }
# bats test_tags=patient
@test "accepts per worker are those that strace counts: lighttpd" { counts_as_strace lighttpd reuseport; }
# bats test_tags=patient
@test "accepts per worker are those that strace counts: uwsgi" { counts_as_strace uwsgi exclusive; }
# bats test_tags=patient
@test "accepts per worker are those that strace counts: gunicorn gthread" { counts_as_strace gunicorn reuseport; }

# lighttpd accepts until there is none left, which says nothing of its wake-ups.
@test "the last accept of many is no empty wake-up" {
  local empty
  start_server lighttpd exclusive
  drive --count 200 --parallel 1
  empty=$("$TESTED_BUILD/unherd" stat --prometheus ":$PORT" | awk '/^unherd_empty_wakeups_total/ { print $2 }')
  [[ $empty -lt 50 ]] || fail "$empty empty wake-ups for 200 connections"
  stop_server
}
