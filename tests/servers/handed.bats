#!/usr/bin/env bats
# Servers whose workers block in accept, and servers that are given their socket: php-fpm, Varnish, systemd's activation.

load ../lib/bodies
load ../lib/nginx

teardown() { finish; }

# bats test_tags=patient
@test "php-fpm answers in every mode" { in_all_modes php_fpm; }

# bats test_tags=patient
@test "php-fpm that starts its workers on demand answers in every mode" {
  local mode
  for mode in stock auto exclusive reuseport; do
    start_server php_fpm_ondemand "$mode"
    visit --count 60 >"$DIRECTORY/visits"
    [[ $(awk '$1 == "answered" { print $2 }' "$DIRECTORY/visits") -eq 60 ]] || fail "$mode: $(cat "$DIRECTORY/visits")"
    stop_server
  done
}

@test "php-fpm's workers take turns, as without the library" {
  local mode count=400 bound=1.05
  for mode in stock auto exclusive; do
    start_server php_fpm "$mode"
    has_queues 1
    in_five_attempts drive_one_by_one turns_are_fair
    stop_server
  done
}

# bats test_tags=patient
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

# bats test_tags=patient
@test "php-fpm executes itself anew and keeps its socket, stock" { keeps_its_socket_over_exec stock; }
# bats test_tags=patient
@test "php-fpm executes itself anew and keeps its socket, auto" { keeps_its_socket_over_exec auto; }
@test "php-fpm executes itself anew and keeps its socket, with its queues, reuseport" { keeps_its_socket_over_exec reuseport; }

# loses_nobody_to_its_own_exec MODE: twice, so that what was carried is carried on.
loses_nobody_to_its_own_exec() {
  local old round asker
  start_server php_fpm "$1"
  visit --count 3000 >"$DIRECTORY/load.tsv" &
  asker=$!
  for round in 1 2; do
    old=$(workers)
    kill -USR2 "$MASTER"
    # shellcheck disable=SC2086 # one word per worker
    eventually 20 replaced $old || fail "round $round: $(workers | xargs)"
  done
  wait "$asker"
  all_answered 3000
}

# bats test_tags=patient
@test "php-fpm loses nobody to its own exec, stock" { loses_nobody_to_its_own_exec stock; }
# bats test_tags=patient
@test "php-fpm loses nobody to its own exec, auto" { loses_nobody_to_its_own_exec auto; }
# bats test_tags=patient
@test "php-fpm loses nobody to its own exec, reuseport" { loses_nobody_to_its_own_exec reuseport; }

# answered_with_one_stopped MODE [NAME=VALUE...]: sets ANSWERED, of 40 that wait half a second each, one after another,
# while a worker is stopped.
answered_with_one_stopped() {
  local stopped
  start_server php_fpm "$@"
  stopped=$(workers | head -n 1)
  kill -STOP "$stopped"
  eventually 5 is_stopped "$stopped" || fail "worker $stopped does not stop"
  drive --count 40 --parallel 1 --timeout 500
  kill -CONT "$stopped"
  ANSWERED=$(figure answered)
  stop_server
}

all_forty() {
  check_number "$ANSWERED" == 40 "answered"
}

@test "php-fpm with a stopped worker: the others take everything" {
  local mode
  for mode in stock auto reuseport; do
    in_five_attempts "answered_with_one_stopped $mode" all_forty
  done
}

# bats test_tags=patient
@test "php-fpm with a stopped worker: without stealing its clients wait" {
  answered_with_one_stopped reuseport UNHERD_STEAL=0
  check_number "$ANSWERED" '<' 40 "answered"
}

# bats test_tags=patient
@test "Varnish answers in every mode" { in_all_modes varnish; }

# The worker that listens has another uid than the manager that bound the socket: the kernel lets it join no group.
# bats test_tags=patient
@test "Varnish asked for reuseport becomes exclusive, and one line says why" {
  as_root || skip "needs root, to give it up"
  start_server varnish reuseport
  was_decided 'exclusive, rotated every 1 (not sharded: no spare could be bound: EADDRINUSE)'
  has_queues 1
  answers 200
}

# Both acceptors come back from accept() after a second, and go there again.
@test "Varnish without a jail has a queue for each of its two acceptors in reuseport, and they keep their time limit" {
  local before
  start_server varnish_unjailed reuseport
  was_decided 'reuseport, 16 shards'
  answers 100
  has_queues 2
  before=$(voluntary_switches "$(workers)")
  eventually 10 has_switched "$((before + 4))" || fail "accept() has no end"
  answers 100
}

has_switched() {
  [[ $(voluntary_switches "$(workers)") -ge $1 ]]
}

# bats test_tags=patient
@test "Varnish's next child serves" {
  local mode old
  for mode in stock auto reuseport; do
    start_server varnish_unjailed "$mode"
    old=$(workers)
    kill -KILL "$old"
    eventually 15 replaced "$old" || fail "$mode: no other child"
    answers 200
    stop_server
  done
}

# bats test_tags=patient
@test "a server that systemd activates answers in every mode" { in_all_modes activated; }
@test "a server that systemd activates takes fair turns" { SWITCHES_MOST=2.5 wakes_one activated auto; }
@test "a server that systemd activates wakes fewer" { wakes_fewer activated; }
@test "a server that systemd activates has a queue for each worker in reuseport" {
  # shellcheck disable=SC2034 # drive_eight_at_a_time reads it
  local count=4000
  start_server activated reuseport
  has_queues "$WORKERS"
  in_five_attempts drive_eight_at_a_time parts_are_even
}
