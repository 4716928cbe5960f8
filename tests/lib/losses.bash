# shellcheck shell=bash
# What happens to servers while connections come on schedule, and how many of these are lost. Loaded after bodies and nginx.
# shellcheck disable=SC2034 # they are read by servers.bash

# --- servers that are configured for it ---

configure_gunicorn_recycled() {
  configure_gunicorn_sync "$@"
  COMMAND+=(--max-requests 50)
}

# By itself it lets no worker end in its first minute. When all end at once and are young it pauses for two seconds before it
# starts others, and its queue has room for a hundred: that loses connections without the library, too.
configure_uwsgi_recycled() {
  configure_uwsgi "$@"
  COMMAND+=(--max-requests 400 --min-worker-lifetime 1 --listen 1000)
}

# Room for children that finish what they have, beside those that serve: else none is started until they have ended.
configure_apache_roomy() {
  configure_apache_event "$@"
  sed -i 's/^ServerLimit .*/ServerLimit 16/' "$1/apache.conf"
}

configure_apache_roomy_own() {
  configure_apache_roomy "$@"
  echo 'ListenCoresBucketsRatio 1' >>"$1/apache.conf"
}

configure_apache_recycled() {
  configure_apache_roomy "$@"
  echo 'MaxConnectionsPerChild 1000' >>"$1/apache.conf"
}

configure_apache_recycled_own() {
  configure_apache_roomy_own "$@"
  echo 'MaxConnectionsPerChild 1000' >>"$1/apache.conf"
}

configure_puma_phased() {
  configure_puma "$@"
  RELOAD=USR1
}

# --- what happens ---

# The workers end by themselves, under the load; who starts them anew is the server.
happens_recycling() {
  local old
  old=$(workers)
  # shellcheck disable=SC2086 # one word per worker
  eventually 20 is_over $old || fail "workers that should have ended: $(workers | xargs), at first: $(xargs <<<"$old")"
}

# Three workers, one after another, none of which holds a connection: what is in a worker that is killed is lost in any case.
happens_killing() {
  kill_idle_worker
  kill_idle_worker
  kill_idle_worker
}

# For good: it stays stopped until the load is over.
happens_hanging() {
  HANGING=$(workers | head -n 1)
  eventually 10 stopped_while_idle "$HANGING" || fail "worker $HANGING was never idle"
}

# Ten reloads at 400 ms from one another, each with another number of workers.
happens_resizing() {
  local round
  for round in {1..10}; do
    sed -i "s/^worker_processes .*/worker_processes $((round % 2 ? 2 : 4));/" "$DIRECTORY/nginx.conf"
    kill -HUP "$MASTER"
    pause 0.4
  done
}

# The pace of what happens; nothing is waited for.
pause() {
  sleep "$1"
}

happens_reloading() {
  reload_busy
  reload_busy
}

# Under load an Apache child may leave its listener alone for a while, also when all is over: nobody asks who waits.
reload_busy() {
  local old
  old=$(workers)
  kill -"$RELOAD" "$MASTER"
  # shellcheck disable=SC2086 # one word per worker
  eventually 20 is_over $old || fail "still there after the reload: $(workers | xargs), before: $(xargs <<<"$old")"
}

is_over() {
  local old
  for old in "$@"; do
    is_gone "$old" || return 1
  done
  is_answered
}

# It goes on with its workers, while a new one takes over.
happens_upgrading() {
  local old=$MASTER
  kill -USR2 "$old"
  eventually 20 has_successor "$old" || fail "no new master: $(cat "$DIRECTORY"/*.log)"
  kill -WINCH "$old"
  kill -"$STOP" "$old"
  eventually 20 is_gone "$old" || fail "the old master is still there"
}

# Its workers go on by themselves; they are ended in order after the load.
happens_beheading() {
  ORPHANS=$(workers)
  kill -KILL "$MASTER"
  eventually 10 is_gone "$MASTER" || fail "the master is still there"
}

# Killed with all its workers, and started again on the same port: in between nobody listens, with the library or without.
happens_restarting() {
  local old=$MASTER
  # shellcheck disable=SC2046 # one word per worker
  kill -KILL "$MASTER" $(workers)
  eventually 10 session_is_empty "$old" || fail "left behind: $(ps -o pid=,stat=,args= -s "$old")"
  wait "$old" || true
  launch "$DIRECTORY"
  MASTER=$LAUNCHED
  eventually 20 is_answered || fail "it does not start again: $(cat "$DIRECTORY"/*.log)"
}

# --- the end ---

end_of_hanging() {
  kill -KILL "$HANGING"
  eventually 10 replaced "$HANGING" || fail "worker $HANGING was not replaced"
  stop_server
}

# The old and the new master both led sessions; the port is free, and a new server can start.
end_of_beheading() {
  local leader=$MASTER
  # shellcheck disable=SC2086 # one word per worker
  kill -QUIT $ORPHANS
  eventually 15 session_is_empty "$leader" || fail "left behind: $(ps -o pid=,stat=,args= -s "$leader")"
  wait "$leader" || true
  MASTER=''
  can_listen "$PORT" || fail "port $PORT is not free after the end"
  rm -rf "$DIRECTORY"
  DIRECTORY=''
}

end_of_upgrading() {
  local leader
  kill -"$STOP" "$MASTER"
  for leader in "${LEADERS[@]}"; do
    eventually 15 session_is_empty "$leader" || fail "left behind: $(ps -o pid=,stat=,args= -s "$leader")"
  done
  MASTER='' LEADERS=()
  can_listen "$PORT" || fail "port $PORT is not free after the end"
  rm -rf "$DIRECTORY"
  DIRECTORY=''
}

# drive_beside RATE SECONDS: as many connections as that in the background. visit.py knows no schedule, but comes as fast
# as it can.
drive_beside() {
  if [[ $CLIENT == http ]]; then
    drive_in_background --rate "$1" --duration "$2" --timeout 5000
  else
    visit --count $(($1 * $2)) --parallel 4 --timeout 5000 >"$DIRECTORY/load.tsv" 3>&- &
    DRIVER=$!
  fi
}

# loses KIND MODE WHAT RATE SECONDS: sets LOST, of CONNECTIONS, while that happens.
loses() {
  local kind=$1 mode=$2 what=$3
  if [[ $what == upgrading && $kind == nginx* ]]; then
    start_daemon "$kind" "$mode"
  else
    start_server "$kind" "$mode"
  fi
  drive_beside "$4" "$5"
  "happens_$what"
  kill -0 "$DRIVER" || fail "$kind, $mode: the load ended before it was over"
  end_of_drive
  CONNECTIONS=$(figure connections)
  LOST=$((CONNECTIONS - $(figure answered) + $(figure not_2xx)))
  if declare -F "end_of_$what" >/dev/null; then
    "end_of_$what"
  else
    stop_server
  fi
}
