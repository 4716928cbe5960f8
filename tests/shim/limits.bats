#!/usr/bin/env bats
# RLIMIT_NOFILE, lowered and raised at run time.

source "$BATS_TEST_DIRNAME/lab.bash"

# bats test_tags=patient
@test "the limit is lowered below the hidden descriptors: they go on working" {
  same limits lowered
}

# bats test_tags=patient
@test "the limit is raised: all numbers below are the server's, without a gap" {
  same limits raised
}

# bats test_tags=patient
@test "the limit is changed before there is a listener, with a log file and without" {
  same limits early
  UNHERD_LOG_FILE=$BATS_TEST_TMPDIR/log same limits early
}

# bats test_tags=patient
@test "no descriptor is left at listen(): the server works as it would have" {
  same limits used-up
}

@test "workers without a descriptor left do not wake each other for nothing" {
  in_every_mode $'taken: all\naccept is tried without end: no' limits exhausted
}
