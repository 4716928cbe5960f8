# shellcheck shell=bash
# What is asked of servers whose workers are threads: how often each one wakes, and what happens when one is stuck.
# Loaded after bodies.

# --- wake-ups, as the kernel counts them ---

# threads: those that wait for connections.
threads() {
  local task
  for task in "/proc/$(workers)"/task/*; do
    # shellcheck disable=SC2053 # a pattern
    [[ $(<"$task/comm") != $THREADS ]] || echo "${task##*/}"
  done
}

# switches: a line for each of the threads.
switches() {
  local thread
  for thread in $(threads); do
    awk '$1 == "voluntary_ctxt_switches:" { print $2 }' "/proc/$(workers)/task/$thread/status"
  done
}

# count_wakeups KIND MODE [NAME=VALUE...]: connections one after another, the request with the handshake's last packet, so
# that no thread waits for it: sets WAKEUPS for each connection, and BUSIEST and IDLEST, of the mean of the threads.
count_wakeups() {
  local count=400 before
  start_server "$@"
  drive --count 100 --parallel 1 --with-ack
  [[ $(threads | wc -l) -eq $WORKERS ]] || fail "$(threads | wc -l) threads wait instead of $WORKERS"
  before=$(switches)
  drive --count "$count" --parallel 1 --with-ack
  all_answered "$count"
  read -r WAKEUPS BUSIEST IDLEST <<<"$(paste <(echo "$before") <(switches) | awk -v count="$count" '
    { woken = $2 - $1; sum += woken; most = woken > most ? woken : most }
    NR == 1 || woken < least { least = woken }
    END { printf "%.3f %.3f %.3f\n", sum / count, most * NR / sum, least * NR / sum }')"
  stop_server
}

herd_is_woken() {
  check_number "$WAKEUPS" '>=' "$1" "wake-ups per connection"
}

at_most_is_woken_in_turn() {
  check_number "$WAKEUPS" '<=' "$1" "wake-ups per connection" &&
    check_number "$BUSIEST" '<=' 1.25 "of the mean for the busiest thread" &&
    check_number "$IDLEST" '>=' 0.7 "of the mean for the idlest thread"
}

# spares_the_herd KIND HERD ONE: at least HERD wake-ups for a connection without the library, at most ONE with it.
spares_the_herd() {
  local mode
  in_five_attempts "count_wakeups $1 stock" "herd_is_woken $2"
  for mode in auto exclusive reuseport; do
    in_five_attempts "count_wakeups $1 $mode" "at_most_is_woken_in_turn $3"
  done
}

# --- a thread that is stuck ---

# The freezer stops one thread, and lets go of it when its input ends.
freeze_a_thread() {
  mkfifo "$DIRECTORY/freezer"
  /usr/bin/python3 "$TESTS/lib/freeze.py" "$(threads | sed -n 2p)" <"$DIRECTORY/freezer" >"$DIRECTORY/frozen.log" 2>&1 3>&- &
  FREEZER=$!
  exec 7>"$DIRECTORY/freezer"
  eventually 5 grep -qx frozen "$DIRECTORY/frozen.log" || fail "not frozen: $(cat "$DIRECTORY/frozen.log")"
}

thaw() {
  exec 7>&-
  wait "$FREEZER" || fail "the freezer: $(cat "$DIRECTORY/frozen.log")"
}

# with_a_stuck_thread KIND MODE MS [NAME=VALUE...]: sets LOST, of 60 connections whose clients are so patient.
with_a_stuck_thread() {
  local kind=$1 mode=$2 patience=$3
  shift 3
  start_server "$kind" "$mode" "$@"
  answers 40
  freeze_a_thread
  drive --count 60 --parallel 1 --timeout "$patience"
  thaw
  LOST=$(figure lost)
  answers 40
  stop_server
}

# Without stealing every fourth client waits for the thread that is stuck.
stuck_thread_stalls() {
  with_a_stuck_thread "$1" "$2" 80 "${@:3}"
  check_number "$LOST" '>=' 5 "clients that waited for the stuck thread"
}

nobody_waits_for_a_stuck_thread() {
  with_a_stuck_thread "$1" "$2" 2000
  check_number "$LOST" '==' 0 "clients that waited for the stuck thread"
}

queues_are_stolen_from() {
  stuck_thread_stalls "$1" stock
  stuck_thread_stalls "$1" auto UNHERD_STEAL=0
  nobody_waits_for_a_stuck_thread "$1" auto
  nobody_waits_for_a_stuck_thread "$1" reuseport
}
