#!/usr/bin/env bats
# Servers of processes that shard by themselves: nginx with its own reuseport, Apache with its buckets. Their sockets
# stay what they are, and get stealing.

load ../lib/bodies
load ../lib/nginx

teardown() { finish; }

# keeps_its_own_queues KIND QUEUES
keeps_its_own_queues() {
  local mode
  for mode in stock auto exclusive reuseport; do
    start_server "$1" "$mode"
    has_queues "$2"
    answers 200
    everyone_answers
    [[ $mode != auto && $mode != reuseport ]] || was_decided "the server's own shard $(($2 - 1))"
    [[ $mode != exclusive ]] || was_decided exclusive
    stop_server
  done
}

everyone_answers() {
  drive --count 400 --parallel 1
  all_answered 400
  everyone_answered
}

set_workers() {
  sed -i "s/^worker_processes .*/worker_processes $1;/" "$DIRECTORY/nginx.conf"
}

has_workers() {
  [[ $(workers | wc -l) -eq $1 ]]
}

# Ten times from four workers to two or back; a queue that is closed may hold connections.
survives_other_numbers_of_workers() {
  local round count before
  start_server nginx_own "$1"
  before=$(find "/proc/$MASTER/fd" | wc -l)
  drive_in_background --rate 2000 --duration 6
  for ((round = 0; round < 10; round++)); do
    count=$((round % 2 ? 4 : 2))
    set_workers "$count"
    kill -HUP "$MASTER"
    eventually 5 has_workers "$count" || fail "$(workers | wc -l) workers instead of $count"
  done
  kill -0 "$DRIVER" || fail "the load ended before the last reload"
  end_of_drive
  all_answered 12000
  has_queues 4
  [[ $(find "/proc/$MASTER/fd" | wc -l) -le $before ]] || fail "descriptors were left in the master"
}

half_a_herd_is_spared() {
  check_number "$exclusive" '<=' "$stock - 0.5" "voluntary context switches per connection"
}

@test "nginx with its own reuseport keeps its queues" { keeps_its_own_queues nginx_own 4; }

@test "nginx with its own reuseport and a stopped worker: the stall, stock" {
  slow_answers nginx_own stock
  check_number "$SLOW" '>=' 50 "slow answers"
}

@test "nginx with its own reuseport and a stopped worker: its queue is stolen from, auto" {
  in_five_attempts "slow_answers nginx_own auto" few_are_slow
}

@test "nginx with its own reuseport and a stopped worker: its queue is stolen from, reuseport" {
  in_five_attempts "slow_answers nginx_own reuseport" few_are_slow
}

@test "nginx with its own reuseport and a stopped worker: without stealing the stall is back" {
  slow_answers nginx_own auto UNHERD_STEAL=0
  check_number "$SLOW" '>=' 50 "slow answers"
}

@test "nginx with its own reuseport loses nobody to a killed worker and three reloads" { loses_nobody nginx_own auto; }
@test "nginx with its own reuseport loses nobody to fewer and more workers" { survives_other_numbers_of_workers auto; }
@test "nginx with its own reuseport loses nobody to an upgrade" { survives_upgrade nginx_own auto; }

@test "Apache with two buckets keeps its queues" { keeps_its_own_queues apache_own 2; }
# Of two workers at a bucket one is woken in vain; the rest are the threads that answer.
@test "Apache with two buckets wakes fewer in exclusive" {
  kind=apache_own
  in_five_attempts measure_switches half_a_herd_is_spared
}
@test "Apache with two buckets loses nobody to a graceful restart, stock" { OWN_QUEUES=2 serves_after_reload apache_own stock 8; }
@test "Apache with two buckets loses nobody to a graceful restart, auto" { OWN_QUEUES=2 serves_after_reload apache_own auto 8; }
