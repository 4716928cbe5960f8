#!/usr/bin/env bats
# Servers whose workers are threads: HAProxy, h2o, named, unbound; all on one socket, or with one each.

load ../lib/bodies

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

has_a_queue_for_each_thread() {
  serves "$1" reuseport
  start_server "$1" reuseport
  answers 100
  has_queues "$WORKERS"
}

@test "HAProxy answers in every mode" { in_all_modes haproxy; }
@test "HAProxy wakes fewer threads in exclusive" { wakes_fewer haproxy; }
@test "HAProxy has a queue for each thread in reuseport" { has_own_queues haproxy 4000; }
@test "HAProxy with shards by thread keeps them" { keeps_its_own_queues haproxy_own; }

@test "h2o, with a copy of the socket for each thread, answers in every mode" { in_all_modes h2o; }
@test "h2o wakes fewer threads in exclusive" { wakes_fewer h2o; }
@test "h2o has a queue for each thread in reuseport" { has_a_queue_for_each_thread h2o; }

@test "named answers in every mode" { in_all_modes named; }
@test "named wakes fewer threads in exclusive" { wakes_fewer named; }
@test "named has a queue for each thread in reuseport" { has_a_queue_for_each_thread named; }
@test "named with sockets of its own keeps them" { keeps_its_own_queues named_own; }

@test "unbound answers in every mode" { in_all_modes unbound; }
@test "unbound wakes fewer threads in exclusive" { wakes_fewer unbound; }
@test "unbound has a queue for each thread in reuseport" { has_a_queue_for_each_thread unbound; }
@test "unbound with sockets of its own keeps them" { keeps_its_own_queues unbound_own; }

# The master executes itself anew, and the new worker gets the listeners from the old one.
loses_nobody_to_reloads() {
  start_server "$1" "$2"
  drive_in_background --rate 1000 --duration 4
  reload
  reload
  kill -0 "$DRIVER" || fail "the load ended before the last reload"
  reload
  end_of_drive
  all_answered 4000
  [[ $2 == stock ]] || grep -q libunherd "/proc/$(workers)/maps"
}

@test "HAProxy -W loses nobody to three reloads, stock" { loses_nobody_to_reloads haproxy_master stock; }
@test "HAProxy -W loses nobody to three reloads, auto" { loses_nobody_to_reloads haproxy_master auto; }
@test "HAProxy -W loses nobody to three reloads, reuseport" { loses_nobody_to_reloads haproxy_master reuseport; }
@test "HAProxy -W with shards loses nobody to three reloads, stock" { loses_nobody_to_reloads haproxy_master_own stock; }
@test "HAProxy -W with shards loses nobody to three reloads, auto" { loses_nobody_to_reloads haproxy_master_own auto; }
