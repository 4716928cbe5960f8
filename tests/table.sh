#!/usr/bin/env bash
# Prints the README's table of servers: what becomes of each one's listener in each mode, and what a connection costs in
# voluntary context switches, of all its processes and threads, connections coming one after another.
# usage: table.sh BUILD [README]
#   README  the table replaces what stands there between its two marks
set -euo pipefail

[[ $# -ge 1 && $# -le 2 ]] || { echo "usage: table.sh BUILD [README]" >&2; exit 2; }
TESTED_BUILD=$(cd "$1" && pwd)
export TESTED_BUILD
# shellcheck source=/dev/null
source "$(dirname "$0")/lib/servers.bash"

CONNECTIONS=500 WARMING=100
MODES=(stock auto exclusive reuseport)

# title | how it waits | kind | variables of its own
servers() {
  cat <<'LIST'
nginx|epoll, exclusive by itself|nginx
nginx, accept_mutex on|epoll, one at a time|nginx_mutex
Apache event|epoll|apache_event
Apache prefork, two listeners|epoll, one at a time|apache_prefork
lighttpd|epoll|lighttpd
uwsgi|epoll|uwsgi
uwsgi, thunder-lock|epoll, one at a time|uwsgi_thunder
gunicorn gthread|epoll|gunicorn
gunicorn sync|accept, then select|gunicorn_sync
puma|select|puma
uvicorn|epoll, listens in every worker|uvicorn
Node cluster, SCHED_NONE|epoll, got in a message|node|POLICY=none
Node cluster, SCHED_RR|epoll, the master alone|node|POLICY=rr
Python multiprocessing|accept|shared
LIST
}

# What the library said of the listener, in the words of the table.
became() {
  local line mode=$1
  line=$(grep -F ":$PORT: " "$DIRECTORY/unherd.log" | tail -n 1) || true
  case $line in
    *"own shard"*) echo "its own queues, stealing" ;;
    *": reuseport,"*) echo "$(listening_count "$PORT") queues" ;;
    *": exclusive"*)
      if [[ $mode == reuseport ]]; then echo "falls back to one queue"; else echo "one queue, in turn"; fi
      ;;
    *) echo "left alone" ;;
  esac
}

# One cell: for stock the switches alone.
cell() {
  local kind=$1 mode=$2 before processes words=''
  shift 2
  start_server "$kind" "$mode" "$@" >&2
  drive --count "$WARMING" --parallel 1 >&2
  processes=$(session_of "$MASTER")
  # shellcheck disable=SC2086 # one word per process
  before=$(voluntary_switches $processes)
  drive --count "$CONNECTIONS" --parallel 1 >&2
  # shellcheck disable=SC2086
  SWITCHES=$(per_connection $(($(voluntary_switches $processes) - before)) "$CONNECTIONS")
  [[ $mode == stock ]] || words="$(became "$mode"): "
  [[ $(figure answered) -eq $CONNECTIONS ]] || words="**$((CONNECTIONS - $(figure answered))) lost**, $words"
  printf '%s%.2f' "$words" "$SWITCHES"
  stop_server >&2
}

row() {
  local title how kind variable mode
  IFS='|' read -r title how kind variable <<<"$1"
  printf '| %s | %s |' "$title" "$how"
  for mode in "${MODES[@]}"; do
    printf ' %s |' "$(cell "$kind" "$mode" ${variable:+"$variable"})"
  done
  printf '\n'
}

table() {
  local line
  printf '| server | how it waits | without |'
  # shellcheck disable=SC2016
  printf ' `%s` |' "${MODES[@]:1}"
  printf '\n| --- | --- | --- | --- | --- | --- |\n'
  while read -r line; do
    row "$line" </dev/null
  done < <(servers)
}

trap finish EXIT
made=$(table)
if [[ $# -eq 1 ]]; then
  echo "$made"
else
  made=$made awk '
    /^<!-- end of the table -->/ { inside = 0 }
    !inside { print }
    /^<!-- made by make table -->/ { inside = 1; print ENVIRON["made"] }' "$2" >"$2.new"
  mv "$2.new" "$2"
fi
