# shellcheck shell=bash
# What is done to HAProxy: frontends disabled by its socket, reloads of its master under load. Loaded after bodies.

# ask_haproxy WORDS: a command at its statistics socket, which ends when it has answered.
ask_haproxy() {
  /usr/bin/python3 - "$DIRECTORY/socket" "$1" <<'PYTHON'
import socket, sys
with socket.socket(socket.AF_UNIX) as connection:
    connection.settimeout(5)
    connection.connect(sys.argv[1])
    connection.sendall(sys.argv[2].encode() + b"\n")
    while part := connection.recv(4096):
        sys.stdout.write(part.decode())
PYTHON
}

# Every one of twenty, since each may go to another queue; curl's 7: nobody listens.
all_are_refused() {
  local status attempt
  for ((attempt = 0; attempt < 20; attempt++)); do
    status=0
    curl -s --max-time 5 -o /dev/null "http://127.0.0.1:$PORT/" || status=$?
    [[ $status -eq 7 ]] || fail "not refused: curl ended with $status" || return 1
  done
}

# HAProxy connects its listener to AF_UNSPEC, and listens again later.
is_disabled_and_enabled() {
  local mode queues
  for mode in stock auto exclusive reuseport; do
    start_server "$1" "$mode"
    answers 100
    queues=$(listening_count "$PORT")
    ask_haproxy "disable frontend all"
    has_queues 0
    all_are_refused
    ask_haproxy "enable frontend all"
    has_queues "$queues"
    answers 100
    stop_server
  done
}

# reloads_under_load KIND MODE QUEUES: the master executes itself anew, and the new worker gets the listeners from the old one.
reloads_under_load() {
  local before
  start_server "$1" "$2"
  before=$(find "/proc/$(workers)/fd" | wc -l)
  drive_in_background --rate 1000 --duration 2
  reload
  reload
  kill -0 "$DRIVER" || fail "the load ended before the last reload"
  reload
  end_of_drive
  all_answered 2000
  has_queues "$3"
  [[ $2 == stock ]] || grep -q libunherd "/proc/$(workers)/maps" || fail "the library is not in the new worker"
  [[ $(find "/proc/$(workers)/fd" | wc -l) -le $before ]] || fail "more descriptors than before the reloads"
  stop_server
}

# loses_nobody_to_reloads KIND QUEUES: stock loses nobody either, and that is what the others are held to.
loses_nobody_to_reloads() {
  local mode
  for mode in stock auto exclusive reuseport; do
    reloads_under_load "$1" "$mode" "$2"
  done
}

# reload_with_full_queues KIND MODE: each accept takes half a millisecond, so that connections wait in all queues when the
# old worker sends its listeners to the new one and closes them.
reload_with_full_queues() {
  local old tracer
  start_server "$1" "$2"
  old=$(workers)
  strace -f -qq -e trace=accept4 -e inject=accept4:delay_enter=500 -o /dev/null -p "$old" 3>&- &
  tracer=$!
  eventually 5 is_traced "$old" || fail "strace did not attach"
  drive_in_background --count 2000 --parallel 64
  answers 1
  reload
  end_of_drive
  all_answered 2000
  wait "$tracer" || true
  stop_server
}

loses_nobody_in_full_queues() {
  local mode
  for mode in stock auto reuseport reuseport reuseport; do
    reload_with_full_queues "$1" "$mode"
  done
}
