#!/usr/bin/env bats
# Three workers with neighbouring queues are killed, and nobody replaces them: what comes to these queues is taken by those that are
# left, although the only one that looks after the second and the third is dead too. 16 workers of a server that makes no new ones.

load ../lib/common

setup() {
  unset LD_PRELOAD "${!UNHERD_@}"
  PORT=$(free_port 21000 31000)
  SERVER=
}
teardown() { stop; }

stop() {
  [[ -n $SERVER ]] || return 0
  kill "$SERVER" 2>/dev/null || true
  wait "$SERVER" || true
  SERVER=
}

# connections WORDS...: how many there were, and how many of these were answered.
connections() {
  "$TESTED_BUILD/load" --connect "127.0.0.1:$PORT" "$@" --timeout 1500 | sed -n '2s/ answered, .*//p'
}

all_wait() { [[ $(connections --count 1) == 1 && $(pgrep -c -P "$SERVER") -eq 16 ]]; }

# begin STYLE [VARIABLE...]: all have been at work once.
begin() {
  env "${@:2}" "$TESTED_BUILD/waiters" "$1" -p "$PORT" -w 16 >"$BATS_TEST_TMPDIR/server.log" 2>&1 3>&- 4>&- &
  SERVER=$!
  eventually 10 all_wait || fail "$(cat "$BATS_TEST_TMPDIR/server.log")"
  [[ $(connections --count 800 --parallel 16) == 800 ]]
}

# at_home QUEUE: the pid of its worker.
at_home() {
  "$TESTED_BUILD/unherd" stat ":$PORT" | awk -v home="$1" '$1 == "worker" && $3 == home { print $2; exit }'
}

kill_at_home() {
  local home pids=()
  for home in 3 4 5; do
    pids+=("$(at_home "$home")")
  done
  kill -KILL "${pids[@]}"
}

answered_with_thieves() {
  stop
  begin epoll LD_PRELOAD="$TESTED_PRELOAD" UNHERD_MODE=reuseport UNHERD_STEAL=1
  kill_at_home
  ANSWERED=$(connections --rate 40 --duration 4)
}

all_are_answered() { check_number "$ANSWERED" '==' 160 "answered"; }

@test "three neighbours are killed for good: the others take what comes to their queues" {
  begin exclusive
  pgrep -P "$SERVER" | sed -n 4,6p | xargs kill -KILL
  ANSWERED=$(connections --rate 40 --duration 4)
  all_are_answered
  in_five_attempts answered_with_thieves all_are_answered
}
