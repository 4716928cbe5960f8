#!/usr/bin/env bash
# The main job, shown on the bundled server: the same program four ways, without and with the library.
# usage: tools/demo.sh BUILD_DIR
set -euo pipefail

WORKERS=4
CONNECTIONS=2000
RATE=2000
SECONDS_OF_RATE=2
STOP_AFTER_MS=750
STOP_FOR_MS=500
LATE_US=20000

[[ $# -eq 1 ]] || { echo "usage: tools/demo.sh BUILD_DIR" >&2; exit 2; }
BUILD=$(cd "$1" && pwd)
DIRECTORY=$(mktemp -d)
MASTER=
PORT=
PIDS=()
LOST=0

# Nothing that is set outside may reach the servers: "as it is" must be as it is.
unset LD_PRELOAD "${!UNHERD_@}"

# fail WORDS: with what the server said, if it said anything.
fail() {
  echo "demo: $*" >&2
  [[ ! -s $DIRECTORY/server.log ]] || sed 's/^/  server: /' "$DIRECTORY/server.log" >&2
  exit 1
}

# within SECONDS COMMAND...: waits until the command is true, no longer than that.
within() {
  local tries=$(($1 * 50))
  shift
  until "$@"; do
    ((tries-- > 0)) || return 1
    sleep 0.02
  done
}

is_over() { ! kill -0 "$1" 2>/dev/null; }

stop_server() {
  [[ -n $MASTER ]] || return 0
  kill -TERM "$MASTER" 2>/dev/null || true
  within 3 is_over "$MASTER" || kill -KILL "$MASTER" 2>/dev/null || true
  wait "$MASTER" 2>/dev/null || true
  MASTER=
}

# shellcheck disable=SC2317 # called by the trap
clean_up() {
  stop_server
  rm -rf "$DIRECTORY"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# --- one server ---

is_ready_or_over() {
  [[ -s $DIRECTORY/ready ]] || is_over "$MASTER"
}

has_library() {
  grep -q '/libunherd\.so' "/proc/$1/maps"
}

# start_server [NAME=VALUE...]: "listening on 127.0.0.1:PORT, master PID, workers PID PID ..." says that it is ready.
start_server() {
  rm -f "$DIRECTORY/ready"
  env "$@" "$BUILD/prefork" -p 0 -w "$WORKERS" >"$DIRECTORY/ready" 2>"$DIRECTORY/server.log" &
  MASTER=$!
  within 5 is_ready_or_over || fail "the server was not ready after 5 s"
  [[ -s $DIRECTORY/ready ]] || fail "the server did not start"
  PORT=$(sed 's/^[^,]*:\([0-9]*\), .*/\1/' "$DIRECTORY/ready")
  read -ra PIDS < <(sed 's/.* workers //' "$DIRECTORY/ready")
  [[ $# -eq 0 ]] || has_library "$MASTER" || fail "the library was not loaded into the server"
}

# load OPTION...: its figures are then read with `figure`.
load() {
  "$BUILD/load" --connect "127.0.0.1:$PORT" --tsv "$@" >"$DIRECTORY/figures" 2>>"$DIRECTORY/server.log" ||
    fail "the load generator gave up"
}

figure() {
  awk -F '\t' -v name="$1" '$1 == name { print $2; found = 1 } END { exit !found }' "$DIRECTORY/figures" ||
    fail "no '$1' among the figures: nobody answered"
}

# A worker that waits gives up its CPU of its own will: so each wake-up shows, once it sleeps again.
switches() {
  local pid
  for pid in "${PIDS[@]}"; do cat "/proc/$pid"/task/*/status; done |
    awk '$1 == "voluntary_ctxt_switches:" { sum += $2 } END { print sum + 0 }'
}

# --- what is measured ---

# Arrivals on schedule while one worker stands still. What counts is how late the generator itself was, whatever the
# answers were like: where another program had the CPU meanwhile, it is done again, and of three the least late is kept.
load_on_schedule() {
  local attempt lag least=
  for attempt in 1 2 3; do
    load --rate "$RATE" --duration "$SECONDS_OF_RATE" --stop "${PIDS[attempt - 1]}@$STOP_AFTER_MS+$STOP_FOR_MS"
    LOST=$((LOST + $(figure lost)))
    lag=$(figure lag_max_us)
    if [[ -z $least || $lag -lt $least ]]; then
      least=$lag
      cp "$DIRECTORY/figures" "$DIRECTORY/best"
    fi
    ((lag > LATE_US)) || break
  done
  mv "$DIRECTORY/best" "$DIRECTORY/figures"
}

# One line of results: NAME|counts|busiest over mean|wake-ups|p50|p99|max|lost|lag; times in microseconds.
measure() {
  local name=$1 before after one_by_one
  shift
  start_server "$@"
  before=$(switches)
  load --count "$CONNECTIONS" --with-ack
  after=$(switches)
  one_by_one=$(awk -F '\t' -v workers="$WORKERS" -v wakeups=$((after - before)) -v connections="$CONNECTIONS" '
    /^worker:/ { split($1, part, ":"); count[part[2]] = $2; sum += $2; if ($2 > most) most = $2 }
    END {
      for (i = 1; i <= workers; i++) printf "%5d", count[i]
      printf "|%.2f|%.2f", sum ? most * workers / sum : 0, wakeups / connections
    }' "$DIRECTORY/figures")
  LOST=$(figure lost)
  load_on_schedule
  echo "$name|$one_by_one|$(figure p50_us)|$(figure p99_us)|$(figure max_us)|$LOST|$(figure lag_max_us)" >>"$DIRECTORY/results"
  stop_server
}

introduce() {
  cat <<WORDS

One small pre-fork server, unchanged (examples/prefork.c), with $WORKERS workers, run four ways.
Left:  $CONNECTIONS connections, one after another: who took them, and how many workers woke for each.
Right: $RATE connections a second for $SECONDS_OF_RATE s; one worker is stopped for $STOP_FOR_MS ms meanwhile, as if it
       were stuck. How long clients waited for their answers, in milliseconds.

WORDS
}

show_table() {
  awk -F '|' -v width=$((WORKERS * 5)) '
    BEGIN {
      row = "%-23s %" width "s %9s %9s |%8s %8s %8s %5s\n"
      printf row, "", "connections", "busiest /", "wake-ups/", "half", "1 %", "", ""
      printf row, "", "of each worker", "mean", "connect.", "above", "above", "slowest", "lost"
    }
    { printf row, $1, $2, $3, $4, sprintf("%.2f", $5 / 1000), sprintf("%.2f", $6 / 1000), sprintf("%.2f", $7 / 1000), $8 }
  ' "$DIRECTORY/results"
}

# The sentences state the figures and let them speak: on another machine, or a busy one, they may be others.
explain() {
  awk -F '|' -v stop="$STOP_FOR_MS" -v late="$LATE_US" '
    { busiest[NR] = $3; wakeups[NR] = $4; p99[NR] = $6 / 1000; slowest[NR] = $7 / 1000; lost += $8 }
    $9 > lag { lag = $9 }
    END {
      printf "\nA connection needs one worker. As it is, the server woke %s for each, and the busiest worker\n", wakeups[1]
      printf "got %s times its fair share; in exclusive mode it woke %s, and the busiest got %s times.\n", busiest[1], wakeups[2], busiest[2]
      printf "With a queue per worker, the clients in a stuck worker'\''s queue wait until it goes on (here %d ms):\n", stop
      printf "1 %% of all waited more than %.2f ms. When its neighbours steal from that queue: %.2f ms.\n", p99[3], p99[4]
      printf "Lost connections, all four together: %d.\n", lost
      if (lag > late)
        printf "(This machine was busy: the load generator itself was up to %.0f ms late, and that is in the times.)\n", lag / 1000
      print ""
    }' "$DIRECTORY/results"
}

LIBRARY=$BUILD/libunherd.so
for file in "$BUILD/prefork" "$BUILD/load" "$LIBRARY"; do
  [[ -e $file ]] || fail "$file is missing: run make first"
done
introduce
measure "as it is"
measure "exclusive" "LD_PRELOAD=$LIBRARY" UNHERD_MODE=exclusive
measure "reuseport, no stealing" "LD_PRELOAD=$LIBRARY" UNHERD_MODE=reuseport UNHERD_STEAL=0
measure "reuseport, stealing" "LD_PRELOAD=$LIBRARY" UNHERD_MODE=reuseport
show_table
explain
