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

# queued: how many connections wait to be accepted, in all queues; they have no inode yet.
queued() {
  ss -Htnl "sport = :$PORT" | awk '{ sum += $2 } END { print sum + 0 }'
}

are_queued() {
  [[ $(queued) -eq $1 ]]
}

are_two_others() {
  local pid count=0
  for pid in $(workers); do
    [[ " $1 " == *" $pid "* ]] || count=$((count + 1))
  done
  [[ $count -eq 2 ]]
}

# closes_full_queues MODE: forty connections wait in the queues of four workers that do nothing; two workers come in their
# place, nginx closes two of the sockets, and whoever still holds them is killed.
closes_full_queues() {
  local old pid
  start_server nginx_own "$1"
  old=$(workers | xargs)
  for pid in $old; do
    eventually 10 stopped_while_idle "$pid" || fail "worker $pid was never idle"
  done
  drive_in_background --count 40 --parallel 40
  eventually 5 are_queued 40 || fail "$(queued) connections are queued"
  set_workers 2
  kill -HUP "$MASTER"
  eventually 10 are_two_others "$old" || fail "no new workers: $(workers | xargs)"
  # shellcheck disable=SC2086 # one word per worker
  kill -KILL $old
  end_of_drive
}

# Apache deals the buckets out in turn, so the first worker's are every other.
workers_of_a_bucket() {
  workers | sort -n | awk 'NR % 2'
}

# slow_in_bucket MODE: sets SLOW as slow_answers does, while all workers of a bucket are stopped.
slow_in_bucket() {
  local pid stops=()
  start_server apache_own "$@"
  for pid in $(workers_of_a_bucket); do stops+=(--stop "$pid@750+500"); done
  drive --rate 500 --duration 2 --slower-than 250 "${stops[@]}"
  all_answered 1000
  SLOW=$(figure slower)
  stop_server
}

copy_has_come_or_gone() {
  is_gone "$LAUNCHED" || [[ $(listening_count "$PORT") -gt $1 ]]
}

# second_copy KIND MODE: sets OUTCOME to what became of it, and of the first.
second_copy() {
  local before copy
  start_server "$@"
  before=$(listening_count "$PORT")
  copy=$(new_directory)
  server_environment "$copy" "$2"
  "configure_$1" "$copy" "$PORT"
  launch "$copy"
  eventually 10 copy_has_come_or_gone "$((2 * before - 1))" || fail "$(listening_count "$PORT") sockets, $before before"
  OUTCOME="$before sockets, then $(listening_count "$PORT"), and the copy $(is_gone "$LAUNCHED" && echo ends || echo runs)"
  answers 100
  kill -"$STOP" "$LAUNCHED"
  eventually 15 session_is_empty "$LAUNCHED" || fail "the copy stays"
  wait "$LAUNCHED" || true
  rm -rf "$copy"
  has_queues "$before"
  answers 100
  stop_server
}

# With SO_REUSEPORT set by the server, and by the same user, the kernel lets the copy in. That is not for us to change.
copy_is_let_in_as_in_stock() {
  local mode stock
  second_copy "$1" stock
  stock=$OUTCOME
  for mode in auto exclusive reuseport; do
    second_copy "$1" "$mode"
    [[ $OUTCOME == "$stock" ]] || fail "$mode: $OUTCOME; stock: $stock"
  done
}

half_a_herd_is_spared() {
  check_number "$exclusive" '<=' "$stock - 0.5" "voluntary context switches per connection"
}

@test "nginx with its own reuseport keeps its queues" { keeps_its_own_queues nginx_own 4; }

# bats test_tags=patient
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

# bats test_tags=patient
@test "nginx with its own reuseport and a stopped worker: without stealing the stall is back" {
  slow_answers nginx_own auto UNHERD_STEAL=0
  check_number "$SLOW" '>=' 50 "slow answers"
}

# bats test_tags=patient
@test "nginx with its own reuseport loses nobody to a killed worker and three reloads" { loses_nobody nginx_own auto; }
# bats test_tags=patient
@test "nginx with its own reuseport loses nobody to fewer and more workers" { survives_other_numbers_of_workers auto; }
# bats test_tags=patient
@test "nginx with its own reuseport resets what waits in a socket that it closes, stock" {
  closes_full_queues stock
  check_number "$(figure reset)" '>=' 5 "connections reset"
}

# bats test_tags=patient
@test "nginx with its own reuseport: what waits in a socket that it closes is answered, auto" {
  closes_full_queues auto
  all_answered 40
}

# bats test_tags=patient
@test "nginx with its own reuseport: a second copy is let in, as in stock" { copy_is_let_in_as_in_stock nginx_own; }
# bats test_tags=patient
@test "nginx with its own reuseport loses nobody to an upgrade" { survives_upgrade nginx_own auto; }

@test "Apache with two buckets keeps its queues" { keeps_its_own_queues apache_own 2; }
# Of two workers at a bucket one is woken in vain; the rest are the threads that answer.
@test "Apache with two buckets wakes fewer in exclusive" {
  kind=apache_own
  in_five_attempts measure_switches half_a_herd_is_spared
}
# Stock loses one now and then: Apache closes all its sockets but the first, and opens others.
# bats test_tags=patient
@test "Apache with two buckets loses nobody to a graceful restart, auto" { OWN_QUEUES=2 serves_after_reload apache_own auto 8; }

# bats test_tags=patient
@test "Apache with all workers of a bucket stopped: its clients wait, stock" {
  slow_in_bucket stock
  check_number "$SLOW" '>=' 50 "slow answers"
}

@test "Apache with all workers of a bucket stopped: the others take its clients, auto" {
  in_five_attempts "slow_in_bucket auto" few_are_slow
}
