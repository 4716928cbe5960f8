#!/usr/bin/env bats
# Threads: those that wait and those that accept, with instances of their own or one for all.

source "$BATS_TEST_DIRNAME/lab.bash"

@test "one thread accepts what twelve others are told of, whoever is whose neighbour" {
  local steal
  same handed one-acceptor
  for steal in 0 1 4; do
    UNHERD_STEAL=$steal expect 'answered 300 of 300' reuseport handed one-acceptor
  done
}

@test "threads with instances of their own come and go" {
  same handed come-and-go
  UNHERD_STEAL=1 expect 'answered 280 of 280' reuseport handed come-and-go
}

@test "another thread registers the listener anew, under those that sleep: they are told of everybody" {
  same handed registered-anew
  UNHERD_STEAL=1 expect 'answered 40 of 40' reuseport handed registered-anew
}

@test "threads that share an instance come and go" {
  same handed share-an-instance
}
