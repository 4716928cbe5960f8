# shellcheck shell=bash
# Starting, watching, loading and stopping one daemon at a time.
#
# start_server KIND MODE [NAME=VALUE...] sets
#   MASTER     its process, the leader of a session of its own
#   PORT       where it listens
#   DIRECTORY  where it lives; gone with stop_server
# LOWEST_PORT and HIGHEST_PORT bound its choice.

# shellcheck source=/dev/null
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
# shellcheck source=/dev/null
source "$(dirname "${BASH_SOURCE[0]}")/daemons.bash"

LOAD=$TESTED_BUILD/load
MASTER='' PORT='' DIRECTORY='' KIND=''
LOWEST_PORT=20000 HIGHEST_PORT=32000
LEADERS=()

# Readable for workers that have dropped to another uid.
new_directory() {
  local directory
  directory=$(mktemp -d "${TMPDIR:-/tmp}/unherd.XXXXXX")
  chmod 755 "$directory"
  mkdir "$directory/www"
  echo served >"$directory/www/index.html"
  : >"$directory/unherd.log"
  chmod 666 "$directory/unherd.log"
  ! as_root || chown "$UNPRIVILEGED" "$directory"
  echo "$directory"
}

# server_environment DIRECTORY MODE [NAME=VALUE...]: sets ENVIRONMENT. The harness itself is never preloaded.
# The library is copied: a build that runs beside us does not change it under the server's feet.
server_environment() {
  local directory=$1 mode=$2
  shift 2
  ENVIRONMENT=(PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C PYTHONDONTWRITEBYTECODE=1
    ${ASAN_OPTIONS:+"ASAN_OPTIONS=$ASAN_OPTIONS"} ${UBSAN_OPTIONS:+"UBSAN_OPTIONS=$UBSAN_OPTIONS"})
  ENVIRONMENT+=("$@")
  [[ $mode != stock ]] || return 0
  [[ -r $TESTED_BUILD/libunherd.so ]] || fail "no library at $TESTED_BUILD/libunherd.so"
  cp "$TESTED_BUILD/libunherd.so" "$directory/libunherd.so"
  ENVIRONMENT+=("LD_PRELOAD=${TESTED_PRELOAD/"$TESTED_BUILD/libunherd.so"/"$directory/libunherd.so"}"
    "UNHERD_MODE=$mode" UNHERD_LOG=info "UNHERD_LOG_FILE=$directory/unherd.log")
}

# launch DIRECTORY: COMMAND under ENVIRONMENT, in the background, in a session of its own; its pid is in LAUNCHED.
launch() {
  local directory=$1
  (exec setsid env -i "${ENVIRONMENT[@]}" "${COMMAND[@]}") </dev/null >"$directory/output.log" 2>&1 3>&- 4>&- &
  LAUNCHED=$!
  LEADERS+=("$LAUNCHED")
}

start_server() {
  local kind=$1 mode=$2
  shift 2
  [[ -z $MASTER ]] || fail "a server is still running"
  KIND=$kind
  # shellcheck disable=SC2034 # threads.bash reads the last
  WORKER_WORDS='' PROCESSES=$WORKERS CLIENT=http THREADS='*'
  PORT=$(free_port "$LOWEST_PORT" "$HIGHEST_PORT")
  DIRECTORY=$(new_directory)
  server_environment "$DIRECTORY" "$mode" "$@"
  "configure_$kind" "$DIRECTORY" "$PORT"
  launch "$DIRECTORY"
  MASTER=$LAUNCHED
  eventually 20 server_is_ready_or_dead || true
  # Again with patience: a worker that moves to the end of the line is out of it for a moment.
  eventually 5 server_is_ready || fail "$kind is not ready: $(ps -o pid=,stat=,args= -s "$MASTER")"
  [[ $mode == stock ]] || grep -q libunherd "/proc/$MASTER/maps" || fail "the library is not in $kind"
}

server_is_ready_or_dead() {
  is_gone "$MASTER" || server_is_ready
}

# Workers are the master's children, or threads of the only process. Where only one waits at a time, an answer is all
# that can be seen.
server_is_ready() {
  local pid pids
  is_answered || return 1
  pids=$(workers)
  [[ $PROCESSES == any || $(wc -w <<<"$pids") -eq ${PROCESSES/self/1} ]] || return 1
  if [[ $WAITS == epoll ]]; then
    for pid in $pids; do
      waits_on "$pid" "$PORT" || return 1
    done
  fi
}

is_answered() {
  case $CLIENT in
    http) curl -sf --max-time 2 -o /dev/null "http://127.0.0.1:$PORT/" ;;
    *) [[ $(visit --count 1 | awk '$1 == "answered" { print $2 }') -eq 1 ]] ;;
  esac
}

# visit ARGUMENTS...: connections by a protocol that the load generator does not speak; the same figures.
visit() {
  timeout 120 /usr/bin/python3 "$TESTS/lib/visit.py" "$CLIENT" "$PORT" "$DIRECTORY" "$@"
}

workers() {
  if [[ $PROCESSES == self ]]; then
    echo "$MASTER"
  else
    pgrep -P "$MASTER" -f "$WORKER_WORDS" || true
  fi
}

# of_workers FILE: what /proc has in it for each of them, one process for all.
of_workers() {
  workers | sed "s|.*|/proc/&/$1|" | xargs cat
}

# The time that the workers had a CPU so far, in ns.
cpu_of_workers() {
  of_workers schedstat | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# Stops the server and proves that nothing of it is left.
stop_server() {
  local master=$MASTER
  [[ -n $master ]] || return 0
  # finish() calls this where a failed command does not end it: waiting for a server that stays would be for ever.
  kill -"$STOP" "$master" || fail "$KIND had ended before" || return 1
  eventually 15 session_is_empty "$master" || fail "left behind: $(ps -o pid=,stat=,args= -s "$master")" || return 1
  wait "$master" || true
  ! grep -E 'signal (4|6|7|8|11)\b|Segmentation|AddressSanitizer|runtime error' "$DIRECTORY"/*.log || fail "a worker crashed" || return 1
  MASTER='' LEADERS=()
  can_listen "$PORT" || fail "port $PORT is not free after the end" || return 1
  [[ $KIND != apache_prefork ]] || can_listen "$((PORT + 1))"
  rm -rf "$DIRECTORY"
  DIRECTORY=''
}

# For teardown: bats shows what it prints only when the test failed.
show_logs() {
  local log
  for log in output.log error.log unherd.log; do
    if [[ -s $DIRECTORY/$log ]]; then
      printf -- '--- %s of %s\n' "$log" "$KIND"
      tail -n 20 "$DIRECTORY/$log"
    fi
  done
}

# kill_session LEADER: whatever is left of it.
kill_session() {
  local pid
  for pid in $(session_of "$1"); do
    kill -KILL "$pid" 2>/dev/null || true
  done
}

# Whatever happened, no process and no directory outlives the test; a stopped worker is killed, too.
finish() {
  local status=0 leader
  if [[ -n $MASTER ]]; then
    show_logs
    stop_server || status=1
  fi
  for leader in "${LEADERS[@]}"; do
    kill_session "$leader"
  done
  [[ -z $DIRECTORY ]] || rm -rf "$DIRECTORY"
  return "$status"
}

# --- load and what came of it ---

# drive ARGUMENTS...: runs the generator to its end; its figures are then read with `figure`.
drive() {
  if [[ $CLIENT != http ]]; then
    visit "$@" >"$DIRECTORY/load.tsv"
    return
  fi
  [[ -x $LOAD ]] || fail "no load generator at $LOAD" || return 1
  note_worker_counts
  timeout --foreground 120 "$LOAD" --connect "127.0.0.1:$PORT" --tsv "$@" >"$DIRECTORY/load.tsv" ||
    fail "load ended with $?: $(cat "$DIRECTORY/load.tsv")"
}

# The same, beside what the test does meanwhile.
drive_in_background() {
  note_worker_counts
  timeout 120 "$LOAD" --connect "127.0.0.1:$PORT" --tsv "$@" >"$DIRECTORY/load.tsv" 3>&- &
  DRIVER=$!
}

end_of_drive() {
  wait "$DRIVER" || fail "load ended with $?: $(cat "$DIRECTORY/load.tsv")"
}

figure() {
  local value
  value=$(awk -F '\t' -v key="$1" '$1 == key { print $2 }' "$DIRECTORY/load.tsv")
  is_number "$value" >&2 || fail "no '$1' in: $(cat "$DIRECTORY/load.tsv")" >&2 || return 1
  echo "$value"
}

# all_answered [COUNT]: nothing lost, no error page, and as many connections as were asked for.
all_answered() {
  local connections answered
  connections=$(figure connections)
  answered=$(figure answered)
  [[ $connections -gt 0 && $answered -eq $connections && $(figure lost) -eq 0 && $(figure not_2xx) -eq 0 ]] ||
    fail "not all answered: $(cat "$DIRECTORY/load.tsv")"
  [[ $connections -eq ${1:-$connections} ]] || fail "$connections connections instead of $1"
}

# io: lighttpd never tells which worker answered; each answer is the same number of write calls, so /proc tells.
written_calls() {
  awk '$1 == "syscw:" { print $2 }' "/proc/$1/io"
}

declare -A WRITTEN=()
LOGGED=0

note_worker_counts() {
  local pid
  case $COUNTED in
    io) for pid in $(workers); do WRITTEN[$pid]=$(written_calls "$pid"); done ;;
    log) LOGGED=$(wc -l <"$DIRECTORY/access.log") ;;
  esac
}

log_has() {
  [[ $(wc -l <"$DIRECTORY/access.log") -ge $1 ]]
}

# answered_by PID: how many connections of the last load that worker answered.
answered_by() {
  case $COUNTED in
    header) awk -F '\t' -v key="worker:$1" '$1 == key { n = $2 } END { print n + 0 }' "$DIRECTORY/load.tsv" ;;
    log) tail -n "+$((LOGGED + 1))" "$DIRECTORY/access.log" | grep -cx "$1" || true ;;
    io) echo $(($(written_calls "$1") - WRITTEN[$1])) ;;
  esac
}

# Threads are known by the numbers that they answer with, and those that answered nothing by their absence.
names_of_workers() {
  if [[ $PROCESSES -eq $WORKERS ]]; then
    workers
  else
    { sed -n 's/^worker:\([^\t]*\)\t.*/\1/p' "$DIRECTORY/load.tsv"; printf 'nobody\n%.0s' $(seq "$WORKERS"); } | head -n "$WORKERS"
  fi
}

# per_worker: a line for each worker of the last load. Every connection must be in it, or the figures say nothing.
per_worker() {
  local pid counts connections sum
  connections=$(figure connections) || return 1
  if [[ $COUNTED == log ]]; then
    eventually 5 log_has "$((LOGGED + connections))" || fail "the access log lacks lines" >&2 || return 1
  fi
  counts=$(for pid in $(names_of_workers); do answered_by "$pid"; done)
  sum=$(awk '{ sum += $1 } END { print sum + 0 }' <<<"$counts")
  [[ $sum -gt 0 && $((sum % connections)) -eq 0 ]] ||
    fail "$connections connections, but the workers show: $counts" >&2 || return 1
  echo "$counts"
}

# spread busiest|idlest: that worker's share of the mean.
spread() {
  local counts
  counts=$(per_worker) || return 1
  sort -n <<<"$counts" | awk -v which="$1" '
    NR == 1 { least = $1 }
    { sum += $1; most = $1 }
    END { printf "%.4f\n", (which == "busiest" ? most : least) * NR / sum }'
}

# per_connection EVENTS COUNT
per_connection() {
  awk -v events="$1" -v count="$2" 'BEGIN { printf "%.3f\n", events / count }'
}
