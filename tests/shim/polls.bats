#!/usr/bin/env bats
# poll and select on sets with a listener: exact results, one wake-up for each connection.

source "$BATS_TEST_DIRNAME/lab.bash"

# woken MODE STYLE WORKERS: how many times the workers were woken for each connection.
woken() {
  local seen visits=$(($3 * 50))
  seen=$(UNHERD_SHARDS=64 with "$1" herd "$2" workers="$3" warm=$(($3 * 4)) visits=$visits 2>&1 >/dev/null) || fail "$seen"
  seen=${seen##*woken }
  is_number "$seen" >&2 || return 1
  awk -v events="$seen" -v count=$visits 'BEGIN { printf "%.3f\n", events / count }'
}

# wakes_one STYLE WORKERS: without the library most of them, with it one; other work may add a few.
wakes_one() {
  local mode
  check_number "$(woken off "$@")" '>' "$2 / 2" "wake-ups per connection without the library"
  for mode in auto exclusive reuseport; do
    in_five_attempts true "wakes_one_in $mode $*"
  done
}

wakes_one_in() {
  check_number "$(woken "$@")" '<=' 1.1 "wake-ups per connection, $1"
}

# bats test_tags=patient
@test "poll: events in and out, the same descriptor twice, files, numbers that are not open" {
  same polls revents
}

# bats test_tags=patient
@test "poll: a list too long to be watched one by one" {
  same polls many
}

# bats test_tags=patient
@test "poll: numbers that mean something else in each call" {
  same polls changing
}

@test "select: sets in and out, the time that is left, errors" {
  same polls sets
}

@test "select: a limit of more than a second, in microseconds alone" {
  in_every_mode "found 20 of 20" polls only-microseconds
}

# bats test_tags=patient
@test "select: a listener above 1024" {
  same polls high
}

@test "poll, ppoll, select, pselect: limits, signals and masks" {
  same polls limits
}

# bats test_tags=patient
@test "workers in poll, ppoll, select, pselect: every connection is answered" {
  local style
  for style in poll poll-loop poll-early poll-threads ppoll select select-early pselect; do
    in_every_mode "answered 400 of 400" herd $style
  done
}

# bats test_tags=patient
@test "2000 connections at odd moments to workers in poll, one of them slow" {
  in_every_mode "answered 2000 of 2000" herd poll visits=2000 burst=20 slow=10 pause=1
  in_every_mode "answered 2000 of 2000" herd select-early visits=2000 burst=20 slow=10 pause=1
}

# bats test_tags=patient
@test "the worker that was woken dies before it accepts: another's next poll finds the connection" {
  same leavers dies-woken
}

# bats test_tags=patient
@test "a worker that waits for two listeners, the others for one: it takes all when they are gone" {
  same leavers lists
}

# bats test_tags=patient
@test "threads in accept come and go: those that stay take everything" {
  same leavers threads-end
  UNHERD_STEAL=0 same_in reuseport leavers threads-end
}

# bats test_tags=patient
@test "an alarm's handler jumps out of accept: nothing is left behind" {
  same leavers jumps
}

# bats test_tags=patient
@test "an accept mutex around poll" {
  in_every_mode "answered 300 of 300" herd poll-mutex workers=12 visits=300
  UNHERD_STEAL=0 same_in reuseport herd poll-mutex workers=12 visits=300
}

# bats test_tags=patient
@test "a worker in poll is killed, stopped, replaced" {
  in_every_mode "answered 400 of 400" herd poll signal=9
  in_every_mode "answered 400 of 400" herd poll signal=9 again=1
  in_every_mode "answered 400 of 400" herd select signal=19
}

@test "64 workers in poll: one is woken for a connection" {
  wakes_one poll 64
}

@test "64 workers in select: one is woken for a connection" {
  wakes_one select 64
}

# bats test_tags=patient
@test "poll, select, accept: a process that is stopped and goes on does not notice" {
  local how
  for how in poll select accept; do
    same interrupted stopped "$how"
  done
}

# bats test_tags=patient
@test "accept ends with EINTR though the handler is gone, or is a real-time signal's" {
  local which
  for which in resets takes-itself-away real-time; do
    same interrupted handled accept "$which"
  done
  same interrupted handled poll resets
}
