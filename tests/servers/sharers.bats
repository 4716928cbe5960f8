#!/usr/bin/env bats
# More workers than queues: those who share one are each other's thieves, and two more watch it from elsewhere, until these are
# not enough. Workers of the bundled server.

load ../lib/bodies
load ../lib/prefork
load ../lib/watched

teardown() { finish; }

# start_sharing WORKERS QUEUES [VARIABLE...]
start_sharing() {
  [[ -z $MASTER ]] || stop_server
  WORKERS=$1
  start_server prefork reuseport "UNHERD_SHARDS=$2" "${@:3}"
}

# Each its home, and two of those who sit at each a neighbour.
watch_few() {
  drive --count 400 --with-ack
  check_number "$(watched)" '==' "$((WORKERS + 2 * $1))" "shards that are watched"
}

stolen() { "$TESTED_BUILD/unherd" stat ":$PORT" | awk '$1 == "worker" { taken += $4; stolen += $5 } END { print 100 * stolen / taken }'; }

@test "those who share a queue and are enough for it are seldom stolen from" {
  start_sharing 64 8
  eventually 20 watch_few 8 || fail "$(watched) shards are watched"
  drive --count 4000 --with-ack
  all_answered
  check_number "$(stolen)" '<=' 20 "% are stolen"
}

# long_requests [VARIABLE...]: sets SLOW to how many of 600 waited for a worker, while half of the workers were at work.
long_requests() {
  start_sharing 32 16 "$@"
  drive --count 2000 --parallel 4
  drive --rate 200 --duration 3 --poisson --busy 80,exp --with-ack --slower-than 20
  all_answered
  SLOW=$(figure slower)
}

few_wait() {
  check_number "$SLOW" '<=' "$1" "answers that waited"
}

@test "with long requests all are thieves, and nobody waits while others are idle" {
  in_five_attempts long_requests 'few_wait 6'
  check_number "$(watched)" '>=' "$((6 * WORKERS))" "shards that are watched"
}

# bats test_tags=patient
@test "with long requests and no thieves some wait" {
  long_requests UNHERD_STEAL=0
  check_number "$SLOW" '>=' 20 "answers that waited"
}

# all_are_stopped [VARIABLE...]: sets SLOW to how many of 200 waited, while of four queues all workers of one were stopped as they
# waited, and most of the others', its thieves among them.
all_are_stopped() {
  local pid stops=()
  start_sharing 32 4 "$@"
  drive --count 2000 --parallel 4
  for pid in $("$TESTED_BUILD/unherd" stat ":$PORT" | awk '$1 == "worker" && ($3 == 1 || first[$3]++ < 5) { print $2 }'); do
    stops+=(--stop "$pid@300+2500")
  done
  drive --rate 100 --duration 2 --slower-than 400 "${stops[@]}"
  all_answered
  SLOW=$(figure slower)
}

@test "all who share a queue are stopped in their waits, and those who steal from it: few wait" {
  in_five_attempts all_are_stopped 'few_wait 8'
}

# bats test_tags=patient
@test "all who share a queue are stopped: without thieves its clients wait" {
  all_are_stopped UNHERD_STEAL=0
  check_number "$SLOW" '>=' 20 "answers that waited"
}
