#!/usr/bin/env bats
# nginx: stock configuration, accept_mutex, a port below 1024, workers that are killed, replaced, stopped, and traced.

load ../lib/bodies
load ../lib/nginx

teardown() { finish; }

# stands_alone MODE [NAME=VALUE...]: three of four workers stop, and the last one takes all.
stands_alone() {
  local pid stopped
  start_server nginx "$@"
  stopped=$(workers | head -n 3)
  for pid in $stopped; do
    eventually 10 stopped_while_idle "$pid" || fail "worker $pid was never idle"
  done
  drive --rate 200 --duration 3
  # shellcheck disable=SC2086 # one word per worker
  kill -CONT $stopped
  all_answered 600
}

# calls_per_connection MODE: sets CALLS, of all workers, without those that only tell how often they were woken.
calls_per_connection() {
  local tracer pid attach=() count=400
  start_server nginx "$1"
  for pid in $(workers); do attach+=(-p "$pid"); done
  strace -qq -c -o "$DIRECTORY/calls" "${attach[@]}" 3>&- &
  tracer=$!
  for pid in $(workers); do
    eventually 5 is_traced "$pid" || fail "strace did not attach"
  done
  drive --rate 200 --duration 2
  all_answered "$count"
  kill -INT "$tracer"
  wait "$tracer" || true
  cat "$DIRECTORY/calls"
  CALLS=$(per_connection "$(awk '$NF != "epoll_wait" && $NF != "total" && $4 ~ /^[0-9]+$/ {
    sum += $4 - ($NF == "accept4" && NF == 6 ? $5 : 0) } END { print sum + 0 }' "$DIRECTORY/calls")" "$count")
  stop_server
}

is_traced() {
  ! grep -qx $'TracerPid:\t0' "/proc/$1/status"
}

# --- the tests that every server has ---

# bats test_tags=patient
@test "nginx answers, stock" { serves nginx stock; }
# bats test_tags=patient
@test "nginx answers, exclusive" { serves nginx exclusive; }
# bats test_tags=patient
@test "nginx answers, reuseport" { serves nginx reuseport; }

# nginx by itself changes the turn at every 16th connection: over the long run it is fair, over forty it is not.
@test "nginx takes fair turns in exclusive, in the long run" { takes_turns nginx 2000 1.05; }
@test "nginx takes fair turns in exclusive, in the short run" { takes_turns nginx 40 1.25; }
@test "nginx has a queue for each worker in reuseport" { has_own_queues nginx 8000; }

# bats test_tags=patient
@test "a second nginx is refused, stock" { refuses_second_copy nginx stock; }
# bats test_tags=patient
@test "a second nginx is refused, exclusive" { refuses_second_copy nginx exclusive; }
# bats test_tags=patient
@test "a second nginx is refused, reuseport" { refuses_second_copy nginx reuseport; }

# bats test_tags=patient
@test "nginx accept_mutex answers, exclusive" { serves nginx_mutex exclusive; }
# bats test_tags=patient
@test "nginx accept_mutex leaves nobody waiting" { leaves_nobody_waiting nginx_mutex; }
# bats test_tags=patient
@test "nginx accept_mutex starves nobody in reuseport" { starves_nobody nginx_mutex; }
# bats test_tags=patient
@test "nginx accept_mutex starves nobody without stealing" { starves_nobody nginx_mutex UNHERD_STEAL=0; }
# bats test_tags=patient
@test "nginx accept_mutex starves nobody with one thief" { starves_nobody nginx_mutex UNHERD_STEAL=1; }

# --- what only nginx shows ---

@test "nginx as root, workers as www-data, below port 1024: a queue for each worker" {
  as_root || skip "needs root"
  # shellcheck disable=SC2034 # start_server chooses between them
  LOWEST_PORT=81 HIGHEST_PORT=1000
  start_server nginx reuseport
  [[ $(ps -o user= -p "$(workers | head -n 1)") == "$UNPRIVILEGED" ]]
  has_queues "$WORKERS"
  drive --count 1000 --parallel 8
  all_answered 1000
  everyone_answered
}

# bats test_tags=patient
@test "nginx loses nobody to a killed worker and three reloads, stock" { loses_nobody nginx stock; }
# bats test_tags=patient
@test "nginx loses nobody to a killed worker and three reloads, exclusive" { loses_nobody nginx exclusive; }
# bats test_tags=patient
@test "nginx loses nobody to a killed worker and three reloads, reuseport" { loses_nobody nginx reuseport; }

# makes_at_most CALLS more_than CALLS: the system calls of a connection.
makes_at_most() {
  check_number "$CALLS" '<=' "$1 + $3" "system calls per connection"
}

@test "nginx with a stopped worker: the others go on, stock" {
  in_five_attempts "slow_answers nginx stock" few_are_slow
}

@test "nginx with a stopped worker: the others go on, exclusive" {
  in_five_attempts "slow_answers nginx exclusive" few_are_slow
}

@test "nginx with a stopped worker: its queue is stolen from, reuseport" {
  in_five_attempts "slow_answers nginx reuseport" few_are_slow
}

# bats test_tags=patient
@test "nginx with a stopped worker: without stealing the stall is back" {
  slow_answers nginx reuseport UNHERD_STEAL=0
  check_number "$SLOW" '>=' 50 "slow answers"
}

@test "nginx makes no more system calls in reuseport, and two a turn in exclusive" {
  local stock
  calls_per_connection stock
  stock=$CALLS
  in_five_attempts "calls_per_connection reuseport" "makes_at_most 0.1 more_than $stock"
  in_five_attempts "calls_per_connection exclusive" "makes_at_most 2.1 more_than $stock"
}

# With one thief for each queue there are queues whose owner and thief are both stopped.
# bats test_tags=patient
@test "nginx with three stopped workers: the last one takes all, stock" { stands_alone stock; }
# bats test_tags=patient
@test "nginx with three stopped workers: the last one takes all, reuseport" { stands_alone reuseport; }
# bats test_tags=patient
@test "nginx with three stopped workers: the last one takes all, one thief" { stands_alone reuseport UNHERD_STEAL=1; }

# bats test_tags=patient
@test "nginx loses nobody to an upgrade, stock" { survives_upgrade nginx stock; }
# bats test_tags=patient
@test "nginx loses nobody to an upgrade, exclusive" { survives_upgrade nginx exclusive; }
# bats test_tags=patient
@test "nginx loses nobody to an upgrade, reuseport" { survives_upgrade nginx reuseport; }
