#!/usr/bin/env bats
# unherd set: a running server's policy is changed, nobody is lost, and the kernel does what the modes mean.

load ../lib/bodies
load ../lib/nginx

teardown() { finish; }

# set_policy ARGUMENTS...: sets ANSWER.
set_policy() {
  ANSWER=$("$TESTED_BUILD/unherd" set ":$PORT" "$@") || fail "unherd set $*: status $?"
}

# Said by the first worker that follows, once the kernel knows.
is_followed() {
  [[ $(tail -n 1 "$DIRECTORY/unherd.log") == *"policy was set: $1,"* ]]
}

set_mode() {
  set_policy --mode "$1"
  eventually 5 is_followed "$1" || fail "nobody follows: $(tail -n 3 "$DIRECTORY/unherd.log")"
}

# --- what the kernel shows ---

# A line for each queue that somebody waits in: how many.
filled_queues() {
  ss -Hltn "sport = :$PORT" | awk '$2 > 0 { print $2 }'
}

queued() {
  filled_queues | awk '{ sum += $1 } END { print sum + 0 }'
}

has_queued() {
  [[ $(queued) -eq $1 ]]
}

# fills QUEUES: among how many queues connections are spread that come while nobody takes them.
fills() {
  local pids filled
  pids=$(workers)
  # shellcheck disable=SC2086 # one word per worker
  kill -STOP $pids
  drive_in_background --count 64 --parallel 64
  eventually 10 has_queued 64 || fail "$(queued) are queued"
  filled=$(filled_queues | wc -l)
  # shellcheck disable=SC2086
  kill -CONT $pids
  end_of_drive
  all_answered 64
  [[ $filled -ge $1 && $filled -le ${2:-$1} ]] || fail "64 connections are spread among $filled queues"
}

# The events of all registrations of the port's listening sockets that a worker has, a word for each.
registrations() {
  local inodes
  inodes=$(sockets_on "$PORT" listening | xargs -r printf 'ino:%x \n')
  cat "/proc/$1"/fdinfo/* 2>/dev/null | grep -F "$inodes" | awk '{ print $4 }'
}

# registers_as EXCLUSIVE: whether every worker's registrations have EPOLLEXCLUSIVE, the first of eight digits, or none has.
registers_as() {
  local pid events
  for pid in $(workers); do
    events=$(registrations "$pid")
    [[ -n $events ]] || return 1
    for events in $events; do
      if [[ $1 == exclusive ]]; then [[ $events == 1??????? ]]; else [[ $events != 1??????? ]]; fi || return 1
    done
  done
}

each_watches_one() {
  local pid
  for pid in $(workers); do
    [[ $(registrations "$pid" | wc -l) -eq 1 ]] || return 1
  done
}

rotations() {
  "$TESTED_BUILD/unherd" stat --prometheus ":$PORT" | awk '/^unherd_rotations_total/ { print $2 }'
}

# --- the modes ---

# bats test_tags=patient
@test "through all modes every 100 ms, at 2,000 connections a second: nobody is lost" {
  local modes=(exclusive off reuseport) changes=0
  start_server nginx reuseport
  drive_in_background --rate 2000 --duration 4
  while kill -0 "$DRIVER" 2>/dev/null; do
    set_policy --mode "${modes[changes++ % 3]}"
    sleep 0.1 # the pace; nothing is waited for
  done
  end_of_drive
  all_answered 8000
  [[ $changes -ge 4 ]] || fail "only $changes changes"
}

@test "started in reuseport: many queues, one, and many" {
  local count=400 bound=1.1 before
  start_server nginx reuseport
  has_queues "$WORKERS"
  fills 2 4
  set_mode exclusive
  fills 1
  in_five_attempts drive_one_by_one turns_are_fair
  set_mode off
  fills 1
  before=$(rotations)
  drive --count 100 --parallel 1
  [[ $(rotations) -eq $before ]] || fail "turns are taken in off"
  set_mode reuseport
  fills 2 4
  drive --count 400 --parallel 8
  all_answered 400
  everyone_answered
}

# Whoever has not accepted yet is not woken alone.
have_all_accepted() {
  drive --count 50 --parallel 8
  registers_as exclusive
}

# lighttpd does not ask for EPOLLEXCLUSIVE itself.
@test "off is the server's own registration, at once where there are queues to spare" {
  start_server lighttpd reuseport
  eventually 5 have_all_accepted
  set_policy --mode off
  eventually 5 registers_as plain || fail "$(for pid in $(workers); do registrations "$pid"; done)"
  set_policy --mode exclusive
  eventually 5 registers_as exclusive || fail "$(for pid in $(workers); do registrations "$pid"; done)"
  answers 20
}

visits_and() {
  answers 4 && "$@"
}

@test "started in exclusive: each worker follows when it next wakes" {
  # shellcheck disable=SC2034 # in_five_attempts' words read them
  local count=400 bound=1.1
  start_server lighttpd exclusive
  eventually 5 visits_and registers_as exclusive
  set_policy --mode off
  [[ $ANSWER == *'each worker follows when it next wakes' ]] || fail "$ANSWER"
  eventually 5 visits_and registers_as plain
  set_policy --mode exclusive
  eventually 5 visits_and registers_as exclusive
  in_five_attempts drive_one_by_one turns_are_fair
  has_queues 1
}

# --- stealing ---

# All but those in the stopped worker's queue are answered.
only_its_own_wait() {
  [[ $(filled_queues | wc -l) -eq 1 && $(queued) -eq $(ss -Htn state connected exclude time-wait "sport = :$PORT" | wc -l) ]]
}

# steals_again KIND MODE OFF ON: 40 connections, a part of which wait for a stopped worker until others may take them.
steals_again() {
  local victim
  start_server "$1" "$2"
  answers 20
  # shellcheck disable=SC2086 # words
  set_policy $3
  eventually 5 visits_and each_watches_one || fail "they watch: $(for pid in $(workers); do registrations "$pid"; done)"
  victim=$(workers | head -n 1)
  eventually 10 stopped_while_idle "$victim" || fail "worker $victim was never idle"
  drive_in_background --count 40 --parallel 40
  eventually 4 only_its_own_wait || fail "waiting: $(filled_queues | xargs)"
  # shellcheck disable=SC2086
  set_policy $4
  end_of_drive
  all_answered 40
  is_stopped "$victim"
  kill -CONT "$victim"
}

@test "a stopped worker's queue is left to it with --steal 0, and emptied with --steal 15" {
  steals_again nginx reuseport '--steal 0' '--steal 15'
}

@test "sockets of the server's own: off takes the stealing away, reuseport gives it back" {
  steals_again nginx_own auto '--mode off' '--mode reuseport'
  run "$TESTED_BUILD/unherd" set ":$PORT" --mode exclusive
  [[ $status -eq 1 && $output == *'the server shards by itself'* ]] || fail "$status: $output"
}
