#!/usr/bin/env bats
# Servers whose workers are threads: HAProxy, h2o, named, unbound; all on one socket, or with one each.

load ../lib/bodies
load ../lib/threads
load ../lib/haproxy

teardown() { finish; }

# The sockets stay those of the server, in every mode; where they are a set, the library says so.
keeps_its_own_queues() {
  local mode
  for mode in stock auto exclusive reuseport; do
    start_server "$1" "$mode"
    has_queues "$WORKERS"
    answers 100
    [[ $mode != auto && $mode != reuseport ]] || was_decided "the server's own shard $((WORKERS - 1))"
    [[ $mode != exclusive ]] || was_decided exclusive
    stop_server
  done
}

nobody_is_stuck_with() {
  nobody_waits_for_a_stuck_thread "$1" stock
  nobody_waits_for_a_stuck_thread "$1" exclusive
  nobody_waits_for_a_stuck_thread "$1" reuseport
}

has_a_queue_for_each_thread() {
  start_server "$1" stock
  has_queues 1
  stop_server
  start_server "$1" reuseport
  answers 100
  has_queues "$WORKERS"
  drive --count 800 --parallel 8
  all_answered 800
}

# bats test_tags=patient
@test "HAProxy answers in every mode" { in_all_modes haproxy; }
@test "HAProxy wakes one thread for a connection, and each in its turn" { spares_the_herd haproxy_taker 2.5 1.25; }
@test "HAProxy has a queue for each thread in reuseport" { has_own_queues haproxy 4000; }
# bats test_tags=patient
@test "HAProxy with shards by thread keeps them" { keeps_its_own_queues haproxy_own; }
@test "HAProxy with shards by thread: a stuck thread's is stolen from" { queues_are_stolen_from haproxy_own; }
# bats test_tags=patient
@test "HAProxy with one socket: nobody waits for a stuck thread" { nobody_is_stuck_with haproxy_taker; }

# bats test_tags=patient
@test "h2o, with a copy of the socket for each thread, answers in every mode" { in_all_modes h2o; }
@test "h2o wakes fewer threads in exclusive" { wakes_fewer h2o; }
# bats test_tags=patient
@test "h2o has a queue for each thread in reuseport" { has_a_queue_for_each_thread h2o; }

# bats test_tags=patient
@test "named answers in every mode" { in_all_modes named; }
@test "named wakes one thread for a connection, and each in its turn" { spares_the_herd named 3.5 2.3; }
# bats test_tags=patient
@test "named has a queue for each thread in reuseport" { has_a_queue_for_each_thread named; }
# bats test_tags=patient
@test "named with sockets of its own keeps them" { keeps_its_own_queues named_own; }
@test "named with sockets of its own: a stuck thread's is stolen from" { queues_are_stolen_from named_own; }
# bats test_tags=patient
@test "named with one socket: nobody waits for a stuck thread" { nobody_is_stuck_with named; }

# bats test_tags=patient
@test "unbound answers in every mode" { in_all_modes unbound; }
@test "unbound wakes one thread for a connection, and each in its turn" { spares_the_herd unbound 3.5 2.3; }
# bats test_tags=patient
@test "unbound has a queue for each thread in reuseport" { has_a_queue_for_each_thread unbound; }
# bats test_tags=patient
@test "unbound with sockets of its own keeps them" { keeps_its_own_queues unbound_own; }
@test "unbound with sockets of its own: a stuck thread's is stolen from" { queues_are_stolen_from unbound_own; }
# bats test_tags=patient
@test "unbound with one socket: nobody waits for a stuck thread" { nobody_is_stuck_with unbound; }

# bats test_tags=patient
@test "HAProxy with a frontend that is disabled and enabled" { is_disabled_and_enabled haproxy; }
# bats test_tags=patient
@test "HAProxy with shards by thread and a frontend that is disabled and enabled" { is_disabled_and_enabled haproxy_own; }
# bats test_tags=patient
@test "HAProxy -W loses nobody to three reloads" { loses_nobody_to_reloads haproxy_master 1; }
# bats test_tags=patient
@test "HAProxy -W with shards by thread loses nobody to three reloads" { loses_nobody_to_reloads haproxy_master_own "$WORKERS"; }
# bats test_tags=patient
@test "HAProxy -W loses nobody who waits in a queue at a reload" { loses_nobody_in_full_queues haproxy_master; }
