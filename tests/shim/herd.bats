#!/usr/bin/env bats
# Workers of every kind around one listener: no connection is left behind, no worker starves.

source "$BATS_TEST_DIRNAME/lab.bash"

# serving N MODE ARGUMENTS...: all N workers had a part of it.
serving() {
  local wanted=$1 seen
  seen=$(with "$2" herd "${@:3}" 2>&1 >/dev/null) || fail "$seen"
  [[ $seen == *"serving $wanted,"* ]] || fail "$seen"
}

# bats test_tags=patient
@test "one connection for each event; as many as there are; edge-triggered" {
  in_every_mode "answered 400 of 400" herd level
  in_every_mode "answered 400 of 400" herd loop
  in_every_mode "answered 400 of 400" herd edge
}

# bats test_tags=patient
@test "EPOLLONESHOT armed again by MOD; EPOLLRDHUP and EPOLLPRI; EPOLLEXCLUSIVE of the server's own" {
  in_every_mode "answered 400 of 400" herd oneshot
  in_every_mode "answered 400 of 400" herd rdhup
  in_every_mode "answered 400 of 400" herd exclusive
}

# bats test_tags=patient
@test "the listener removed and added again all the time" {
  in_every_mode "answered 400 of 400" herd re-add
}

@test "accept() without epoll: a worker stopped, killed, replaced" {
  in_every_mode "answered 400 of 400" herd accept
  in_every_mode "answered 400 of 400" herd accept signal=19
  in_every_mode "answered 400 of 400" herd accept signal=9 again=1
  serving 4 reuseport accept
}

# bats test_tags=patient
@test "one epoll instance that all workers share, also with EPOLLONESHOT" {
  in_every_mode "answered 400 of 400" herd shared
  in_every_mode "answered 400 of 400" herd shared-oneshot
}

# bats test_tags=patient
@test "two threads with an instance each in every worker" {
  in_every_mode "answered 400 of 400" herd threads
}

# bats test_tags=patient
@test "2000 connections at odd moments, one worker slow: edge-triggered, none is left behind" {
  in_every_mode "answered 2000 of 2000" herd edge visits=2000 burst=20 slow=10 pause=1
}

# bats test_tags=patient
@test "2000 connections at odd moments, one worker slow: level-triggered" {
  in_every_mode "answered 2000 of 2000" herd level visits=2000 burst=20 slow=10 pause=1
  in_every_mode "answered 2000 of 2000" herd loop visits=2000 burst=20 slow=10 pause=1
}

# bats test_tags=patient
@test "a worker is killed, with and without another in its place" {
  in_every_mode "answered 400 of 400" herd level signal=9
  in_every_mode "answered 400 of 400" herd edge signal=9
  in_every_mode "answered 400 of 400" herd level signal=9 again=1
  UNHERD_STEAL=0 same_in reuseport herd level signal=9 again=1
}

# bats test_tags=patient
@test "a worker is stopped" {
  in_every_mode "answered 400 of 400" herd level signal=19
  in_every_mode "answered 400 of 400" herd edge signal=19
  in_every_mode "answered 400 of 400" herd oneshot signal=19
}

# bats test_tags=patient
@test "a worker leaves in good order, with and without another in its place" {
  in_every_mode "answered 400 of 400" herd level signal=15
  in_every_mode "answered 400 of 400" herd level signal=15 again=1
}

@test "more workers than shards: all are served, all serve" {
  UNHERD_SHARDS=2 same_in reuseport herd level workers=6 visits=600
  UNHERD_SHARDS=2 serving 6 reuseport level workers=6 visits=600
  UNHERD_SHARDS=2 same_in reuseport herd edge workers=6 visits=600
  UNHERD_SHARDS=1 same_in reuseport herd level workers=6
}

@test "exclusive and reuseport give every worker its part" {
  serving 4 exclusive level
  serving 4 reuseport level
  serving 12 reuseport level workers=12
}

# bats test_tags=patient
@test "an accept mutex: only its holder waits, and no shard starves" {
  local steal
  in_every_mode "answered 300 of 300" herd mutex workers=12 visits=300
  for steal in 0 1 8; do
    UNHERD_STEAL=$steal same_in reuseport herd mutex workers=12 visits=300
  done
}

# bats test_tags=patient
@test "few descriptors: fewer shards or none, and one line that says why" {
  local said
  ulimit -n 24
  same herd level visits=100
  said=$(UNHERD_LOG=info with reuseport herd level visits=20 2>&1 >/dev/null | grep ^unherd:)
  [[ $said == *": reuseport, 2 shards, stealing from 1 (RLIMIT_NOFILE leaves room for no more)" ]] || fail "$said"
  ulimit -n 16
  same herd level visits=100
  said=$(with reuseport herd level visits=20 2>&1 >/dev/null | grep ^unherd:)
  [[ $said == *"exclusive"*"not sharded: "* ]] || fail "$said"
}

# bats test_tags=patient
@test "a worker is told of a connection and ends in good order without it: another takes it" {
  same turns leavers
  same turns first-leaves
}

# bats test_tags=patient
@test "behind an accept mutex two connections come at once: what one worker leaves, the next one takes" {
  local way steal
  for way in epoll poll select; do
    same turns pairs "$way"
    for steal in 0 1; do
      UNHERD_STEAL=$steal expect "$(plain turns pairs "$way")" reuseport turns pairs "$way"
    done
  done
}

@test "a worker is told of a connection and declines, hesitates, or only watches: another takes it" {
  local how
  for how in exhausted hesitates monitor monitor-edge monitor-poll; do
    same decliners run "$how"
  done
}

# A worker that was woken for one queue may take from another; a handful in a thousand may still wait for it to come round.
@test "two of four workers are busy: what the woken one passes by, the idle ones take" {
  local late
  late=$(plain passed_by run 20) && is_number "$late"
  [[ $late -eq 0 ]] || fail "without the library $late waited"
  late=$(with exclusive passed_by run 100) && is_number "$late"
  [[ $late -eq 0 ]] || fail "exclusive: $late waited"
  late=$(with reuseport passed_by run 250) && is_number "$late"
  [[ $late -le 3 ]] || fail "reuseport: $late of 750 waited"
}
