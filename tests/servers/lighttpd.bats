#!/usr/bin/env bats
# lighttpd with server.max-worker = 4.

load ../lib/bodies

teardown() { finish; }

# Idle workers wake up once a second: one that misses its signal leaves a second late.
leaves_at_once() {
  local began best=9999999
  for _ in 1 2 3; do
    start_server lighttpd "$1"
    began=${EPOCHREALTIME/./}
    stop_server
    best=$((${EPOCHREALTIME/./} - began < best ? ${EPOCHREALTIME/./} - began : best))
  done
  check_number "$best" '<' 600000 "microseconds until the last worker is gone"
}

# bats test_tags=patient
@test "lighttpd answers, stock" { serves lighttpd stock; }
# bats test_tags=patient
@test "lighttpd answers, exclusive" { serves lighttpd exclusive; }
# bats test_tags=patient
@test "lighttpd answers, reuseport" { serves lighttpd reuseport; }

@test "lighttpd takes fair turns in exclusive" { takes_turns lighttpd 2000 1.05; }
@test "lighttpd has a queue for each worker in reuseport" { has_own_queues lighttpd 8000; }

@test "lighttpd leaves at once when told, stock" { leaves_at_once stock; }
@test "lighttpd leaves at once when told, exclusive" { leaves_at_once exclusive; }
@test "lighttpd leaves at once when told, reuseport" { leaves_at_once reuseport; }

# bats test_tags=patient
@test "a second lighttpd is refused, stock" { refuses_second_copy lighttpd stock; }
# bats test_tags=patient
@test "a second lighttpd is refused, exclusive" { refuses_second_copy lighttpd exclusive; }
# bats test_tags=patient
@test "a second lighttpd is refused, reuseport" { refuses_second_copy lighttpd reuseport; }

# bats test_tags=patient
@test "lighttpd loses nobody to USR1 and keeps its mode, stock" { serves_after_reload lighttpd stock 2; }
@test "lighttpd loses nobody to USR1 and keeps its mode, exclusive" { serves_after_reload lighttpd exclusive 2; }
# bats test_tags=patient
@test "lighttpd loses nobody to USR1 and keeps its mode, reuseport" { serves_after_reload lighttpd reuseport 2; }
