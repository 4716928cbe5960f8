#!/usr/bin/env bats
# Servers whose workers get the listener otherwise than by fork, or wait otherwise than with epoll: uvicorn (bound by
# the parent, listened on by children that were executed anew), Node's cluster (sent in a message), puma (select),
# Python's multiprocessing (blocking accept).

load ../lib/bodies

teardown() { finish; }

# bats test_tags=patient
@test "uvicorn answers in every mode" { in_all_modes uvicorn; }
# bats test_tags=patient
@test "puma answers in every mode" { in_all_modes puma; }
# bats test_tags=patient
@test "Node's cluster answers in every mode, SCHED_NONE" { in_all_modes node POLICY=none; }
# bats test_tags=patient
@test "Node's cluster answers in every mode, SCHED_RR" { in_all_modes node POLICY=rr; }
# bats test_tags=patient
@test "Python's multiprocessing answers in every mode" { in_all_modes shared; }

@test "uvicorn takes fair turns" { SWITCHES_MOST=1.5 wakes_one uvicorn auto; }
@test "puma takes fair turns" { SWITCHES_MOST=3 wakes_one puma auto; }
@test "Node's cluster takes fair turns, SCHED_NONE" { SWITCHES_MOST=1.5 wakes_one node auto POLICY=none; }
@test "Python's multiprocessing has a queue for each worker in reuseport" { has_own_queues shared 4000 UNHERD_STEAL=0; }

# Four that block, on two CPUs: who runs takes from those that do not, half of all there is.
@test "Python's multiprocessing steals, and yet each worker has its part" {
  local count=4000
  start_server shared reuseport
  in_five_attempts drive_eight_at_a_time nobody_is_idle
}
