# shellcheck shell=bash
# What every bats file of this project needs: bounded waits, free ports, processes, sockets as the kernel shows them.
# The oracles are the kernel and the servers' own answers, never the library under test.

TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${TESTED_BUILD:=$(dirname "$TESTS")/build}"
: "${TESTED_PRELOAD:=$TESTED_BUILD/libunherd.so}"

fail() {
  printf '%s\n' "$*"
  return 1
}

# eventually SECONDS COMMAND...: true as soon as the command is, false when the time is over.
eventually() {
  local seconds=$1 end
  shift
  end=$((SECONDS + seconds + 1))
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 0.02
  done
}

is_traced() {
  ! grep -qx $'TracerPid:\t0' "/proc/$1/status"
}

# ticks: those of all processors so far, and those of them that were idle.
ticks() {
  awk '$1 == "cpu" { for (i = 2; i <= 9; i++) all += $i; print all, $5 }' /proc/stat
}

# For a fifth of a second most of the processors' time was nobody's.
is_calm() {
  local before=() after=()
  read -ra before < <(ticks)
  sleep 0.2
  read -ra after < <(ticks)
  ((2 * (after[1] - before[1]) > after[0] - before[0]))
}

# in_five_attempts MEASURE CHECK: two lines of words; for bounds that other work on the machine can spoil, but that nothing meets by chance.
# Only the check may fail and be tried again; what goes wrong in measuring is wrong for good.
in_five_attempts() {
  local attempt measure check
  read -ra measure <<<"$1"
  read -ra check <<<"$2"
  for attempt in first second third fourth; do
    "${measure[@]}"
    if "${check[@]}"; then return; fi
    printf 'the %s attempt failed\n' "$attempt"
    eventually 5 is_calm || true # other work on the machine may end
  done
  "${measure[@]}"
  "${check[@]}"
}

is_number() {
  [[ ${1:-} =~ ^[0-9]+$ ]] || fail "not a number: '${1:-}'"
}

# check_number LEFT OPERATOR RIGHT [WORDS]: LEFT may be a decimal fraction, RIGHT an expression.
check_number() {
  [[ $1 =~ ^[0-9]+(\.[0-9]+)?$ ]] || fail "not a number: '$1' ${4:-}" || return 1
  awk "BEGIN { exit !($1 $2 $3) }" || fail "expected $1 $2 $3 ${4:-}"
}

# --- sockets ---

# sockets_on PORT STATE...: the inodes of the TCP sockets on that local port that are in one of those states (ss's words).
# By netlink, filtered in the kernel: /proc/net/tcp takes long when thousands of connections linger in TIME_WAIT.
sockets_on() {
  local port=$1 state states=()
  shift
  for state in "$@"; do states+=(state "$state"); done
  ss -Htne "${states[@]}" "sport = :$port" | sed -n 's/.* ino:\([1-9][0-9]*\) .*/\1/p'
}

listening_count() {
  sockets_on "$1" listening | grep -c . || true
}

listens_exactly() {
  [[ $(listening_count "$1") -eq $2 ]]
}

port_is_unused() {
  [[ -z $(ss -Htan "sport = :$1") ]]
}

# free_port LOWEST HIGHEST: below the ephemeral range, so that no client's port gets in the way.
free_port() {
  local lowest=$1 highest=$2 port attempt
  for ((attempt = 0; attempt < 200; attempt++)); do
    port=$((lowest + (RANDOM * 32768 + RANDOM) % (highest - lowest + 1)))
    if port_is_unused "$port"; then
      echo "$port"
      return
    fi
  done
  fail "no free port between $lowest and $highest"
}

# can_listen PORT: a new server could start there now; spares left behind would show here and nowhere else.
can_listen() {
  /usr/bin/python3 - "$1" <<'PYTHON'
import socket, sys
with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", int(sys.argv[1])))
        probe.listen()
    except OSError as problem:
        sys.exit(str(problem))
PYTHON
}

# --- processes ---

is_gone() {
  ! kill -0 "$1" 2>/dev/null || [[ $(process_state "$1") == Z ]]
}

process_state() {
  sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null
}

children_of() {
  pgrep -P "$1" || true
}

# session_of PID: every live process of the session that PID leads, whoever its parent is by now.
session_of() {
  local pid
  for pid in $(pgrep -s "$1"); do
    is_gone "$pid" || echo "$pid"
  done
}

session_is_empty() {
  [[ -z $(session_of "$1") ]]
}

# voluntary_switches PID...: summed over all threads; each wake-up of a waiting thread is one.
voluntary_switches() {
  local pid
  for pid in "$@"; do
    cat "/proc/$pid"/task/*/status
  done | awk '$1 == "voluntary_ctxt_switches:" { sum += $2 } END { print sum + 0 }'
}

# waits_on PID PORT: one of its epoll instances holds a listening socket of that port.
waits_on() {
  local inodes
  inodes=$(sockets_on "$2" listening | xargs -r printf 'ino:%x \n')
  [[ -n $inodes ]] || return 1
  cat "/proc/$1"/fdinfo/* 2>/dev/null | grep -F "$inodes" >/dev/null # not -q, which would leave cat with a broken pipe
}

# holds_a_connection PID PORT: it has accepted a connection that it has not closed.
holds_a_connection() {
  local inodes
  inodes=$(sockets_on "$2" established close-wait fin-wait-1 fin-wait-2 | xargs -r printf 'socket:[%d]\n')
  [[ -n $inodes ]] || return 1
  find "/proc/$1/fd" -printf '%l\n' 2>/dev/null | grep -xF "$inodes" >/dev/null
}
