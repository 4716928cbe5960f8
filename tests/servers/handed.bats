#!/usr/bin/env bats
# Servers whose workers block in accept, and servers that are given their socket: php-fpm, Varnish, systemd's activation.

load ../lib/bodies

teardown() { finish; }

@test "php-fpm answers in every mode" { in_all_modes php_fpm; }

@test "php-fpm's workers take turns, as without the library" {
  local mode count=400 bound=1.05
  for mode in stock auto exclusive; do
    start_server php_fpm "$mode"
    has_queues 1
    in_five_attempts drive_one_by_one turns_are_fair
    stop_server
  done
}

@test "php-fpm has a queue for each worker in reuseport" {
  start_server php_fpm reuseport
  was_decided 'reuseport, 16 shards'
  answers 100
  has_queues "$WORKERS"
}

# It executes itself anew, and names the socket that it keeps in FPM_SOCKETS.
keeps_its_socket_over_exec() {
  local old
  start_server php_fpm "$1"
  answers 40
  old=$(workers)
  kill -USR2 "$MASTER"
  # shellcheck disable=SC2086 # one word per worker
  eventually 20 replaced $old || fail "workers: $(workers | xargs), before: $(xargs <<<"$old")"
  answers 200
  if [[ $1 == reuseport ]]; then
    was_decided 'reuseport, 16 shards, stealing from 15 (carried over exec)'
    everyone_answers
  fi
}

everyone_answers() {
  drive --count 200 --parallel 1
  all_answered 200
  everyone_answered
}

@test "php-fpm executes itself anew and keeps its socket, stock" { keeps_its_socket_over_exec stock; }
@test "php-fpm executes itself anew and keeps its socket, auto" { keeps_its_socket_over_exec auto; }
@test "php-fpm executes itself anew and keeps its socket, with its queues, reuseport" { keeps_its_socket_over_exec reuseport; }

@test "Varnish answers in every mode" { in_all_modes varnish; }

# The worker that listens has another uid than the manager that bound the socket: the kernel lets it join no group.
@test "Varnish asked for reuseport becomes exclusive, and one line says why" {
  as_root || skip "needs root, to give it up"
  start_server varnish reuseport
  was_decided 'exclusive, rotated every 1 (not sharded: no spare could be bound: EADDRINUSE)'
  has_queues 1
  answers 200
}

@test "a server that systemd activates answers in every mode" { in_all_modes activated; }
@test "a server that systemd activates takes fair turns" { SWITCHES_MOST=2.5 wakes_one activated auto; }
@test "a server that systemd activates wakes fewer" { wakes_fewer activated; }
@test "a server that systemd activates has a queue for each worker in reuseport" {
  start_server activated reuseport
  has_queues "$WORKERS"
  drive --count 4000 --parallel 8
  all_answered 4000
  parts_are_even
}
