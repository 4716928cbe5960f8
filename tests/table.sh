#!/usr/bin/env bash
# Prints the README's table of servers: what becomes of each one's listener in each mode, and what a connection costs in
# voluntary context switches, of all its processes and threads, connections coming one after another, each with its request.
# usage: table.sh BUILD [README]
#   README  the table replaces what stands there between its two marks
set -euo pipefail

[[ $# -ge 1 && $# -le 2 ]] || { echo "usage: table.sh BUILD [README]" >&2; exit 2; }
TESTED_BUILD=$(cd "$1" && pwd)
export TESTED_BUILD
for part in servers readme; do
  # shellcheck source=/dev/null
  source "$(dirname "$0")/lib/$part.bash"
done

CONNECTIONS=500 WARMING=100
MODES=(stock auto exclusive reuseport)

# title | how it waits | kind | variables of its own
servers() {
  cat <<'LIST'
nginx|epoll, exclusive by itself|nginx
nginx, `accept_mutex on`|epoll, one at a time|nginx_mutex
Apache event|epoll|apache_event
Apache prefork, two listeners|epoll, one at a time|apache_prefork
lighttpd|epoll|lighttpd
uwsgi|epoll|uwsgi
uwsgi, `--thunder-lock`|epoll, one at a time|uwsgi_thunder
gunicorn gthread|epoll|gunicorn
gunicorn sync|accept, then select|gunicorn_sync
puma|select|puma
uvicorn|epoll, listens in every worker|uvicorn
Node cluster, `SCHED_NONE`|epoll, got in a message|node|POLICY=none
Node cluster, `SCHED_RR`|epoll, the master alone|node|POLICY=rr
Python multiprocessing|accept|shared
php-fpm|accept|php_fpm
Varnish|accept, under another uid than bind|varnish
Python, activated by systemd|epoll, got from systemd|activated
HAProxy, 4 threads|epoll for each thread|haproxy
h2o|epoll for each thread, each with a copy of the socket|h2o
named, `reuseport no`|epoll for each thread|named
unbound, `so-reuseport: no`|epoll for each thread|unbound
nginx, its own `reuseport`|epoll, a socket for each worker|nginx_own
Apache event, 2 buckets|epoll, a socket for two workers|apache_own
HAProxy, `shards by-thread`|epoll, a socket for each thread|haproxy_own
named, `reuseport yes`|epoll, a socket for each thread|named_own
unbound, `so-reuseport: yes`|epoll, a socket for each thread|unbound_own
LIST
}

# What became of the listener: what the library said of it, and what the kernel shows.
became() {
  local line queues mode=$1
  queues=$(listening_count "$PORT")
  line=$(grep -F ":$PORT: " "$DIRECTORY/unherd.log" | tail -n 1) || true
  case $mode:$queues:$line in
    *"own shard"*) echo "its own $queues queues, stealing" ;;
    *": left alone"* | *:) echo "left alone" ;;
    reuseport:*": exclusive"*) echo "falls back to one queue" ;;
    *:1:*) echo "one queue" ;;
    reuseport:*) echo "$queues queues" ;;
    *) echo "its own $queues queues" ;;
  esac
}

# One cell, in CELL; for stock the switches alone. Not in a subshell: whatever ends us ends the server too.
cell() {
  local kind=$1 mode=$2 before processes words=''
  shift 2
  start_server "$kind" "$mode" "$@"
  drive --count "$WARMING" --parallel 1
  processes=$(session_of "$MASTER")
  # shellcheck disable=SC2086 # one word per process
  before=$(voluntary_switches $processes)
  drive --count "$CONNECTIONS" --parallel 1 --with-ack
  # shellcheck disable=SC2086
  SWITCHES=$(per_connection $(($(voluntary_switches $processes) - before)) "$CONNECTIONS")
  [[ $mode == stock ]] || words="$(became "$mode"): "
  [[ $(figure answered) -eq $CONNECTIONS ]] || words="**$((CONNECTIONS - $(figure answered))) lost**, $words"
  CELL=$(printf '%s%.2f' "$words" "$SWITCHES")
  stop_server
}

row() {
  local title how kind variable mode cells=''
  IFS='|' read -r title how kind variable <<<"$1"
  for mode in "${MODES[@]}"; do
    cell "$kind" "$mode" ${variable:+"$variable"}
    cells+=" $CELL |"
  done
  MADE+="| $title | $how |$cells"$'\n'
}

# shellcheck disable=SC2016 # Markdown's
MADE=$(printf '| server | how it waits | without |'; printf ' `%s` |' "${MODES[@]:1}")
MADE+=$'\n| --- | --- | --- | --- | --- | --- |\n'
trap finish EXIT
while read -r line; do
  row "$line" </dev/null
done < <(servers)

show_table table "$MADE" "${2:-}"
