# shellcheck shell=bash
# The bodies of the tests that are the same for several servers; each @test in servers/*.bats is one call.

# shellcheck source=/dev/null
source "$(dirname "${BASH_SOURCE[0]}")/servers.bash"

# --- pieces ---

# answers COUNT [PORT]: that many connections, one after another, each with the right body.
answers() {
  local right
  if [[ $CLIENT != http ]]; then
    right=$(visit --count "$1" | awk '$1 == "answered" { print $2 }')
    [[ $right -eq $1 ]] || fail "$right of $1 answers are right"
    return
  fi
  right=$(curl -sf --no-keepalive --max-time 60 -H 'Connection: close' "http://127.0.0.1:${2:-$PORT}/?[1-$1]" |
    grep -cx served) || true
  [[ $right -eq $1 ]] || fail "$right of $1 answers are right"
}

# has_queues COUNT: listening sockets on the port; the last of them may come a moment after the first answer.
has_queues() {
  eventually 5 listens_exactly "$PORT" "$1" || fail "$(listening_count "$PORT") listening sockets instead of $1"
}

everyone_answered() {
  check_number "$(spread idlest)" '>' 0 "of the mean for the idlest worker"
}

# replaced OLD...: none of the old workers is left, and the new ones are ready.
replaced() {
  local old
  for old in "$@"; do
    is_gone "$old" || return 1
  done
  server_is_ready
}

reload() {
  local old
  old=$(workers)
  kill -"$RELOAD" "$MASTER"
  # shellcheck disable=SC2086 # one word per worker
  eventually 20 replaced $old || fail "workers after the reload: $(workers | xargs), before: $(xargs <<<"$old")"
}

# was_decided WORDS: the library says so of the listener on the port.
was_decided() {
  grep -F ":$PORT: $1" "$DIRECTORY/unherd.log" || fail "not said: $1; but: $(cat "$DIRECTORY/unherd.log")"
}

# --- bodies ---

in_all_modes() {
  local mode
  for mode in stock auto exclusive reuseport; do
    serves "$1" "$mode" "${@:2}"
  done
}

serves() {
  start_server "$@"
  answers 200
  stop_server
}

# takes_turns KIND COUNT BOUND: connections one after another; the busiest worker has at most BOUND times the mean.
takes_turns() {
  local count=$2 bound=$3
  start_server "$1" exclusive
  in_five_attempts drive_one_by_one turns_are_fair
  has_queues 1
}

drive_one_by_one() {
  drive --count "$count" --parallel 1 --with-ack
  all_answered "$count"
}

turns_are_fair() {
  check_number "$(spread busiest)" '<=' "$bound" "of the mean for the busiest worker"
}

# One wake-up for each connection instead of a herd: at least 35 % fewer voluntary context switches.
wakes_fewer() {
  local kind=$1 stock exclusive
  in_five_attempts measure_switches switches_are_fewer
}

measure_switches() {
  count_switches "$kind" stock
  stock=$SWITCHES
  count_switches "$kind" exclusive
  exclusive=$SWITCHES
}

# count_switches KIND MODE [NAME=VALUE...]: sets SWITCHES to those of each connection of 2,000, after some that wake all.
count_switches() {
  local count=2000 before pids
  start_server "$@"
  drive --count 200 --parallel 1
  pids=$(workers)
  # shellcheck disable=SC2086 # one word per worker
  before=$(voluntary_switches $pids)
  drive_one_by_one
  # shellcheck disable=SC2086
  SWITCHES=$(per_connection $(($(voluntary_switches $pids) - before)) "$count")
  BUSIEST=$(spread busiest)
  stop_server
}

switches_are_fewer() {
  check_number "$exclusive" '<=' "0.65 * $stock" "voluntary context switches per connection"
}

# wakes_one KIND MODE [NAME=VALUE...]: one worker for each connection, and those in turn, however it waits.
wakes_one() {
  in_five_attempts "count_switches $*" one_is_woken
}

one_is_woken() {
  check_number "$SWITCHES" '<=' "$SWITCHES_MOST" "voluntary context switches per connection" &&
    check_number "$BUSIEST" '<=' 1.05 "of the mean for the busiest worker"
}

# has_own_queues KIND COUNT [NAME=VALUE...]: a queue for each worker, and every queue gets its part of connections that come 8 at a time.
has_own_queues() {
  local kind=$1 count=$2
  shift 2
  start_server "$kind" stock
  has_queues 1
  stop_server
  start_server "$kind" reuseport "$@"
  has_queues "$WORKERS"
  in_five_attempts drive_eight_at_a_time parts_are_even
}

drive_eight_at_a_time() {
  drive --count "$count" --parallel 8
  all_answered "$count"
}

parts_are_even() {
  check_number "$(spread busiest)" '<=' 1.25 "of the mean for the busiest worker" &&
    check_number "$(spread idlest)" '>=' 0.75 "of the mean for the idlest worker"
}

# serves_all_in_a_row KIND MODE: one worker of four, the others being stopped, and clients at all queues; it does not wait
# before each that is not at its own. Looks at what there is, which do not wait, are not counted.
serves_all_in_a_row() {
  local tracer pids waits
  start_server "$1" "$2"
  drive --count 200 --parallel 4
  mapfile -t pids < <(workers)
  strace -qq -e trace=select,pselect6,poll,ppoll,epoll_wait,epoll_pwait,epoll_pwait2 -o "$DIRECTORY/waits" -p "${pids[0]}" 3>&- &
  tracer=$!
  eventually 5 is_traced "${pids[0]}"
  kill -STOP "${pids[@]:1}"
  drive --count 200 --parallel 200
  kill -CONT "${pids[@]:1}"
  kill "$tracer"
  wait "$tracer" || true
  all_answered 200
  waits=$(grep -cv 'poll.*, 0) = ' "$DIRECTORY/waits")
  check_number "$waits" '>=' 1 "waits for 200 connections"
  check_number "$waits" '<=' 40 "waits for 200 connections"
}

nobody_is_idle() {
  check_number "$(spread idlest)" '>=' 0.5 "of the mean for the idlest worker"
}

# A second copy on the same port is refused as it always was, and the first goes on.
refuses_second_copy() {
  local other status=0
  start_server "$1" "$2"
  other=$(new_directory)
  server_environment "$other" "$2"
  "configure_$1" "$other" "$PORT"
  launch "$other"
  eventually 15 is_gone "$LAUNCHED" || fail "the second copy runs: $(cat "$other/output.log")"
  wait "$LAUNCHED" || status=$?
  [[ $status -ne 0 ]] || fail "the second copy ended with 0"
  cat "$other"/*.log | grep -F "$BUSY" || fail "not refused for its address: $(cat "$other"/*.log)"
  rm -rf "$other"
  answers 20
}

# In every mode, two connections at once, 150 times: what one worker is told of and leaves, the next one takes.
leaves_nobody_waiting() {
  local mode
  for mode in stock auto exclusive reuseport; do
    start_server "$1" "$mode"
    answers_pairs
    stop_server
  done
}

answers_pairs() {
  local other=$PORT
  # shellcheck disable=SC2153 # it is another than the caller's
  if [[ $KIND == apache_prefork ]]; then other=$((PORT + 1)); fi
  /usr/bin/python3 "$TESTS/lib/pairs.py" "$PORT" "$other" 150 || fail "$KIND: not all pairs were answered"
}

# Behind an accept mutex one worker at a time waits: no queue may be left to those who do not.
starves_nobody() {
  start_server "$1" reuseport "${@:2}"
  answers_pairs
  drive --count 200 --parallel 1
  all_answered 200
  answers 50
  if [[ $1 == apache_prefork ]]; then
    answers 50 "$((PORT + 1))"
    answers 50
  fi
}

# serves_after_reload KIND MODE SECONDS: under load, for as long as the reload takes; nobody is lost, and the mode holds.
# A server that shards by itself has OWN_QUEUES of them.
serves_after_reload() {
  local count=200 bound=1.25
  start_server "$1" "$2"
  drive_in_background --rate 50 --duration "$3"
  answers 20
  reload
  kill -0 "$DRIVER" || fail "the load ended before the reload"
  end_of_drive
  all_answered
  case $2 in
    stock | auto) has_queues "${OWN_QUEUES:-1}" ;;
    exclusive) in_five_attempts drive_one_by_one turns_are_fair ;;
    reuseport) still_has_own_queues ;;
  esac
}

# The new workers come before the old ones go: there may be twice as many queues, and no more.
still_has_own_queues() {
  local queues
  queues=$(listening_count "$PORT")
  [[ $queues -ge $WORKERS && $queues -le $((2 * WORKERS)) ]] || fail "$queues queues for $WORKERS workers after the reload"
  drive --count 200 --parallel 1
  all_answered 200
  everyone_answered
}
