#!/usr/bin/env bats
# Where all wait for CPUs, thieves leave their neighbours' shards to the owners; and come again for one that is stopped, and
# when there is nothing to do. 4 workers of the bundled server.

load ../lib/bodies
load ../lib/prefork
load ../lib/watched

setup() { WORKERS=4; }
teardown() { finish; }

# All workers on one CPU, the first that there is: with enough to do each waits for it for most of the time.
configure_crowded() {
  configure_prefork "$@"
  COMMAND=(taskset -c "$(taskset -cp $$ | sed 's/.*: *//; s/[-,].*//')" "${COMMAND[@]}")
}

all_stand_back() { [[ $(watched) -eq $WORKERS ]]; }
nobody_stands_back() { [[ $(watched) -eq $((WORKERS * WORKERS)) ]]; }

# Sets LOOKS and BACK: how often was looked during a load, and how often some stood back. One shard may just be registered anew.
look_at_busy() {
  local most=$((WORKERS * WORKERS - WORKERS + 1))
  LOOKS=0 BACK=0
  drive_in_background --rate 600 --duration 2 --poisson --busy 4,det --with-ack
  while kill -0 "$DRIVER" 2>/dev/null; do
    LOOKS=$((LOOKS + 1))
    [[ $(watched) -gt $most ]] || BACK=$((BACK + 1))
  done
  end_of_drive
  all_answered
}

few_stood_back() {
  check_number "$LOOKS" '>=' 10 "looks" &&
    check_number "$BACK" '<=' "$((LOOKS / 4))" "times of $LOOKS in which some stand back"
}

@test "thieves stand back on crowded CPUs, and come again when there is nothing to do" {
  start_server crowded reuseport
  drive --count 200 --parallel 8
  eventually 5 nobody_stands_back || fail "$(watched) registrations before"
  drive_in_background --count 30000 --parallel 64
  eventually 20 all_stand_back || fail "$(watched) registrations under load"
  end_of_drive
  all_answered 30000
  eventually 5 nobody_stands_back || fail "$(watched) registrations after it"
}

@test "nobody stands back who is busy on CPUs that are idle" {
  start_server prefork reuseport
  drive --count 200 --parallel 8
  in_five_attempts look_at_busy few_stood_back
}

some_stand_back() { [[ $(watched) -le $((WORKERS * WORKERS - WORKERS + 1)) ]]; }

# slow_beside_one [VARIABLE...]: sets SLOW to how many answers took long while a worker was stopped that had a CPU in common with
# others, and BACK to whether these stood back before it.
slow_beside_one() {
  local victim
  [[ -z $MASTER ]] || stop_server
  start_server crowded reuseport "$@"
  victim=$(workers | head -n 1)
  drive_in_background --count 30000 --parallel 64 --slower-than 500 --stop "$victim@700+1500"
  BACK=no
  if eventually 0 all_stand_back; then BACK=yes; fi
  end_of_drive
  all_answered 30000
  SLOW=$(figure slower)
}

few_are_slow_beside_one() {
  [[ $BACK == yes ]] || fail "nobody stands back" || return 1
  check_number "$SLOW" '<=' 16 "slow answers"
}

@test "one is stopped while the others stand back: few clients wait" {
  in_five_attempts slow_beside_one few_are_slow_beside_one
}

@test "one is stopped: without thieves its clients wait" {
  slow_beside_one UNHERD_STEAL=0
  check_number "$SLOW" '>=' 40 "slow answers"
}
