#!/usr/bin/env bats
# While most workers are at work, each with one connection, whoever comes waits in one queue, first come first served; and in a
# queue for each as soon as more than half are idle. 4 workers of gunicorn's class sync.

load ../lib/bodies

WAITING=16

setup() { WORKERS=4; }
teardown() { finish; }

# queues: for each listening socket of the server how many wait in it.
queues() {
  ss -tlnH "sport = :$PORT" | awk '{ print $2 }'
}

waiting_altogether() {
  [[ $(queues | awk '{ sum += $1 } END { print sum }') -eq $1 ]]
}

established() {
  ss -tnH state established "sport = :$PORT" | wc -l
}

all_are_at_work() {
  [[ $(established) -eq $WORKERS ]] && waiting_altogether 0
}

# queues_used MODE [VARIABLE...]: sets USED to how many queues those wait in who come while all workers are at work.
queues_used() {
  local first
  [[ -z $MASTER ]] || stop_server
  start_server gunicorn_sync "$@"
  drive --count 80 --parallel 8 --busy 10,det
  eventually 5 waiting_altogether 0
  drive_in_background --count "$WORKERS" --parallel "$WORKERS" --busy 900,det --timeout 20000
  first=$DRIVER
  eventually 5 all_are_at_work || fail "not all are at work: $(established), $(queues | xargs)"
  drive_in_background --count "$WAITING" --parallel "$WAITING" --busy 10,det --timeout 20000
  eventually 5 waiting_altogether "$WAITING" || fail "who waits: $(queues | xargs)"
  USED=$(queues | grep -cv '^0$')
  wait "$first"
  end_of_drive
  all_answered "$WAITING"
}

are_used() {
  check_number "$USED" "$1" "$2" "queues are used of $(queues | wc -l)"
}

@test "all are at work: who waits does so in one queue, stock" {
  queues_used stock
  are_used == 1
}

@test "all are at work: who waits does so in one queue, reuseport" {
  in_five_attempts "queues_used reuseport" "are_used == 1"
  [[ $(queues | wc -l) -eq $WORKERS ]] || fail "$(queues | wc -l) queues"
}

several_are_used() { [[ $(queues | grep -cv '^0$') -ge 2 ]]; }

# Some worker may have none of the first.
@test "all are at work: who waits does so in several queues, reuseport without stealing" {
  start_server gunicorn_sync reuseport UNHERD_STEAL=0
  drive --count 80 --parallel 8 --busy 10,det
  drive_in_background --count 24 --parallel 24 --busy 200,det --timeout 20000
  eventually 5 several_are_used || fail "who waits: $(queues | xargs)"
  end_of_drive
  all_answered 24
}

# Then there are as many queues as ever, and each is its owner's.
@test "nobody is at work any more: each has its own queue again" {
  queues_used reuseport
  in_five_attempts "drive_some 400" shares_are_even
}

# trace_workers CALLS: what all workers do of that, until stop_tracer, in $DIRECTORY/traced.
trace_workers() {
  local pid traced=()
  for pid in $(workers); do
    traced+=(-p "$pid")
  done
  strace -qq -e trace="$1" -o "$DIRECTORY/traced" "${traced[@]}" 3>&- &
  TRACER=$!
  for pid in $(workers); do
    eventually 5 is_traced "$pid"
  done
}

stop_tracer() {
  kill "$TRACER"
  wait "$TRACER" || true
}

two_are_at_work() { [[ $(established) -eq 2 ]] && waiting_altogether 0; }

# serve_beside_two MODE: all come to be at work, two of them for long; sets DEALT to how often new ones are dealt out again while
# the other two serve who comes next, LEFT to how many are at work after that, and ENDED to how often they are once those two have
# come to an end as well.
serve_beside_two() {
  local long short
  [[ -z $MASTER ]] || stop_server
  start_server gunicorn_sync "$@"
  drive --count 80 --parallel 8 --busy 10,det
  eventually 5 waiting_altogether 0
  drive_in_background --count 2 --parallel 2 --busy 1000,det --timeout 20000
  long=$DRIVER
  eventually 5 two_are_at_work || fail "not two are at work: $(established)"
  drive_in_background --count 2 --parallel 2 --busy 300,det --timeout 20000
  short=$DRIVER
  eventually 5 all_are_at_work || fail "not all are at work: $(established)"
  trace_workers setsockopt
  wait "$short"
  eventually 5 two_are_at_work || fail "not two are at work any more: $(established)"
  drive --count 40 --parallel 1
  LEFT=$(established)
  stop_tracer
  all_answered 40
  DEALT=$(times_dealt)
  trace_workers setsockopt
  wait "$long"
  drive --count 4 --parallel 1
  stop_tracer
  ENDED=$(times_dealt)
}

times_dealt() { grep -c 'SO_DETACH_REUSEPORT\|0x44' "$DIRECTORY/traced" || true; }

# dealt_at_the_end OPERATOR NUMBER: so often when most wait, and not before.
dealt_at_the_end() {
  check_number "$LEFT" == 2 "still at work" && check_number "$DEALT" == 0 "times new ones are dealt out again" &&
    check_number "$ENDED" "$1" "$2" "times they are once most wait"
}

@test "two of four are at work: the others serve who comes, stock" {
  in_five_attempts "serve_beside_two stock" "dealt_at_the_end == 0"
}

@test "two of four are at work: the others serve who comes, still in one queue, reuseport" {
  in_five_attempts "serve_beside_two reuseport" "dealt_at_the_end >= 1"
}

drive_some() {
  drive --count "$1" --parallel 1 --with-ack
  all_answered "$1"
}

shares_are_even() {
  check_number "$(spread busiest)" '<=' 1.4 "of the mean for the busiest worker" &&
    check_number "$(spread idlest)" '>=' 0.6 "of the mean for the idlest worker"
}

# empty_accepts MODE: sets EMPTY to how many accepts of gunicorn's workers, of a hundred, find nobody although there is always
# somebody. Of all of them: for the one whose own queue all share, nothing could go wrong.
empty_accepts() {
  [[ -z $MASTER ]] || stop_server
  start_server gunicorn_sync "$@"
  drive --count 400 --parallel 32
  trace_workers accept,accept4
  drive --count 4000 --parallel 32
  stop_tracer
  all_answered 4000
  EMPTY=$(awk '/EAGAIN/ { empty++ } END { if (NR > 100) printf "%d", 100 * empty / NR }' "$DIRECTORY/traced")
}

few_are_empty() {
  check_number "$EMPTY" '<=' "$1" "of a hundred accepts find nobody"
}

@test "gunicorn under full load: an accept finds somebody, stock" { in_five_attempts "empty_accepts stock" "few_are_empty 5"; }
@test "gunicorn under full load: an accept finds somebody, reuseport" { in_five_attempts "empty_accepts reuseport" "few_are_empty 10"; }
