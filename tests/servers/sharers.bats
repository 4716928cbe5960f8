#!/usr/bin/env bats
# More workers than queues: those who share one are each other's thieves, and two more watch it from elsewhere, until these are
# not enough. 32 workers of the bundled server on 16 queues.

load ../lib/bodies
load ../lib/prefork
load ../lib/watched

setup() { WORKERS=32 QUEUES=16; }
teardown() { finish; }

start_sharing() {
  start_server prefork reuseport "UNHERD_SHARDS=$QUEUES" UNHERD_STEAL=15 "$@"
  drive --count 2000 --parallel 4
}

# Each its home, and a neighbour for each that sits there: they are two, and then they watch one each.
watch_few() {
  drive --count 200
  check_number "$(watched)" '==' "$((2 * WORKERS))" "shards that are watched"
}

# Each half of the fifteen neighbours.
watch_many() {
  check_number "$(watched)" '>=' "$((6 * WORKERS))" "shards that are watched"
}

stolen() { "$TESTED_BUILD/unherd" stat ":$PORT" | awk '$1 == "worker" { taken += $4; stolen += $5 } END { print 100 * stolen / taken }'; }

@test "those who share a queue and are enough for it are seldom stolen from" {
  start_sharing
  eventually 10 watch_few || fail "$(watched) shards are watched"
  drive --count 4000 --with-ack
  all_answered
  check_number "$(stolen)" '<=' 25 "% are stolen"
}

# long_requests [VARIABLE...]: sets SLOW to how many of 600 waited for a worker, while half of the workers were at work.
long_requests() {
  [[ -z $MASTER ]] || stop_server
  start_sharing "$@"
  drive --rate 200 --duration 3 --poisson --busy 80,exp --with-ack --slower-than 20
  all_answered
  SLOW=$(figure slower)
}

few_wait() {
  watch_many && check_number "$SLOW" '<=' 6 "answers that waited"
}

@test "with long requests all are thieves, and nobody waits while others are idle" {
  in_five_attempts long_requests few_wait
}

# bats test_tags=patient
@test "with long requests and no thieves some wait" {
  long_requests UNHERD_STEAL=0
  check_number "$SLOW" '>=' 20 "answers that waited"
}
