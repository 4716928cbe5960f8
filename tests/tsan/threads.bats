#!/usr/bin/env bats
# Threads that listen, wait, accept and end at the same time, under the thread sanitizer: it finds no race.

source "$BATS_TEST_DIRNAME/../lib/common.bash"

# is_clean PROGRAM COMMAND LAST: in every mode, with few thieves and with many; the last line is as it should be.
is_clean() {
  local mode steal said
  for mode in auto exclusive reuseport; do
    for steal in 1 15; do
      said=$(UNHERD_MODE=$mode UNHERD_STEAL=$steal timeout -k 5 90 "$TESTED_BUILD/threaded/$1" "$2" 2>&1 3>&-) ||
        fail "$mode, $steal thieves: ended with $?: $said"
      [[ $said != *ThreadSanitizer* && ${said##*$'\n'} == "$3" ]] || fail "$mode, $steal thieves: $said"
    done
  done
}

@test "one thread accepts what others are told of" { is_clean handed one-acceptor 'answered 300 of 300'; }
@test "threads with instances of their own come and go" { is_clean handed come-and-go 'answered 280 of 280'; }
@test "threads share an instance" { is_clean handed share-an-instance 'answered 280 of 280'; }
@test "another thread registers the listener anew" { is_clean handed registered-anew 'answered 40 of 40'; }
@test "threads listen at the same moment" { is_clean own racing 'queues: 8, answered: 200 of 200'; }
@test "threads in accept come and go" { is_clean leavers threads-end 'answered by the one that stays: 40 of 40'; }
