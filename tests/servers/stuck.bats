#!/usr/bin/env bats
# Whoever has much to do is not taken for stuck; and the shards of those that are stuck are everybody's, for as long as they are.
# 16 workers of the bundled server, each of which watches two neighbours' shards.

load ../lib/bodies
load ../lib/nginx
load ../lib/prefork
load ../lib/watched

setup() { WORKERS=16; }
teardown() { finish; }

start_with_two_thieves() {
  start_server prefork reuseport UNHERD_STEAL=2 "UNHERD_SHARDS=$WORKERS" "$@"
  drive --count 2000 --parallel "$WORKERS"
}

watches_are_few() {
  check_number "$(watched)" '<=' "$((3 * WORKERS + $1))" "shards that are watched"
}

watches_become_few() {
  drive --count 200 --parallel "$WORKERS"
  watches_are_few 0
}

work_for_a_while() {
  [[ -z $MASTER ]] || stop_server
  start_with_two_thieves
  watches_are_few 0
  drive --rate 640 --duration 2 --poisson --busy 20,det --with-ack
  all_answered
}

# On a busy machine a worker or two may really not come round for 100 ms.
@test "workers that are busy 80 % of the time are not taken for stuck" {
  in_five_attempts work_for_a_while "watches_are_few $WORKERS"
}

# slow_row [VARIABLE...]: sets SLOW to how many answers took long while seven neighbours were stopped together.
slow_row() {
  local pid stops=()
  [[ -z $MASTER ]] || stop_server
  start_with_two_thieves "$@"
  for pid in $(workers | sort -n | sed -n 4,10p); do stops+=(--stop "$pid@500+1500"); done
  drive --rate 1000 --duration 2 --slower-than 250 "${stops[@]}"
  all_answered
  SLOW=$(figure slower)
}

@test "seven neighbours in a row are stopped, and each has two thieves: few clients wait" {
  in_five_attempts slow_row few_are_slow
  eventually 10 watches_become_few || fail "$(watched) shards are watched after the end of it"
}

# bats test_tags=patient
@test "seven neighbours in a row are stopped: without thieves their clients wait" {
  slow_row UNHERD_STEAL=0
  check_number "$SLOW" '>=' 200 "slow answers"
}
