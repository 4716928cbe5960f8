# shellcheck shell=bash
# What every bats file of this project needs: bounded waits, free ports, processes, sockets as the kernel shows them.
# The oracles are the kernel and the servers' own answers, never the library under test.

TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${UNHERD_BUILD:=$(dirname "$TESTS")/build}"
: "${UNHERD_PRELOAD:=$UNHERD_BUILD/libunherd.so}"

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

is_number() {
  [[ ${1:-} =~ ^[0-9]+$ ]] || fail "not a number: '${1:-}'"
}

# check_number LEFT OPERATOR RIGHT [WORDS]: compares decimal fractions too.
check_number() {
  awk -v left="$1" -v right="$3" "BEGIN { exit !(left $2 right) }" || fail "expected $1 $2 $3 ${4:-}"
}

# --- sockets ---

# sockets_on PORT STATE: "inode" of every TCP socket on that local port in that state (0A is LISTEN), one a line.
sockets_on() {
  local port
  printf -v port '%04X' "$1"
  awk -v end=":$port\$" -v state="$2" '$2 ~ end && $4 ~ state { print $10 }' /proc/net/tcp /proc/net/tcp6
}

listening_count() {
  sockets_on "$1" '^0A$' | grep -c . || true
}

listens_exactly() {
  [[ $(listening_count "$1") -eq $2 ]]
}

port_is_unused() {
  local wildcard
  wildcard=$(ss -Htan "sport = :$1" 2>/dev/null)
  [[ -z $wildcard ]]
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
  local inodes pattern
  inodes=$(sockets_on "$2" '^0A$')
  [[ -n $inodes ]] || return 1
  # shellcheck disable=SC2086 # one word per inode
  pattern=$(printf ' ino:%x |' $inodes)
  cat "/proc/$1"/fdinfo/* 2>/dev/null | grep -Eq "${pattern%|}"
}

# holds_a_connection PID PORT: it has accepted a connection that it has not closed.
holds_a_connection() {
  local inode
  for inode in $(sockets_on "$2" '^0[1-9B]$' | grep -vx 0); do
    find "/proc/$1/fd" -lname "socket:\[$inode\]" 2>/dev/null | grep -q . && return 0
  done
  return 1
}
