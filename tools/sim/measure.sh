#!/usr/bin/env bash
# The simulation beside the kernel: the bundled server under the library, whose workers sleep as long as each request asks for,
# and the simulation of exactly those connections. Two tables: the waits, and what thieves cost.
# usage: measure.sh BUILD [PAGE [waits|costs]]
#   PAGE  the tables, or one of them, replace what stands there between their marks
# Loaded machines spoil it: the generator and the workers have to run when they are due. So their groups are preferred, where we may.
set -euo pipefail

[[ $# -ge 1 && $# -le 3 && ${3:-waits} =~ ^(waits|costs)$ ]] || { echo "usage: measure.sh BUILD [PAGE [waits|costs]]" >&2; exit 2; }
TESTED_BUILD=$(cd "$1" && pwd)
PAGE=${2:-}
WHAT=${3:-waits costs}
export TESTED_BUILD
tests=$(cd "$(dirname "$0")/../../tests" && pwd)
for part in servers prefork readme; do
  # shellcheck source=/dev/null
  source "$tests/lib/$part.bash"
done

BUSY_MS=20      # so long that what the machine needs beside is small, and 16 workers need no more than two CPUs
STUCK_MS=100    # a thief's patience with an owner: STUCK_MS in shim/worker_stuck.c
DURATION=40
LATE_US=10000
RUNS=200        # of the simulation: the kernel's hash is any of them

# In a session of its own each, which the scheduler weighs as one.
prefer() {
  { echo -19 >"/proc/$1/autogroup"; } 2>/dev/null || true
}

# A sleep of 20 ms is to be one.
start_exact() {
  local pid
  start_server prefork "$@"
  prefer "$MASTER"
  for pid in $(workers); do echo 1 >"/proc/$pid/timerslack_ns"; done
}

# Twice where the generator itself came too late; the less late one counts.
drive_in_time() {
  drive "$@"
  [[ $(figure lag_max_us) -gt $LATE_US ]] || return 0
  cp "$DIRECTORY/load.tsv" "$DIRECTORY/first.tsv"
  local lag
  lag=$(figure lag_max_us)
  drive "$@"
  [[ $(figure lag_max_us) -lt $lag ]] || mv "$DIRECTORY/first.tsv" "$DIRECTORY/load.tsv"
}

# --- the waits ---

# name | workers | its variables | the simulation of it
settings() {
  local workers
  for workers in 2 4 8; do
    cat <<LIST
\`exclusive\`|$workers|exclusive||--policy single
\`reuseport\`, no thief|$workers|reuseport|UNHERD_STEAL=0|--policy reuseport
\`reuseport\`|$workers|reuseport||--policy steal
LIST
  done
  cat <<LIST
\`reuseport\`, 1 thief|8|reuseport|UNHERD_STEAL=1|--policy steal --steal 1 --patience $((STUCK_MS / BUSY_MS))
\`reuseport\`, 2 thieves|8|reuseport|UNHERD_STEAL=2|--policy steal --steal 2 --patience $((STUCK_MS / BUSY_MS))
LIST
}

# simulated OPTION...: mean and p99, each with its bounds, in milliseconds and with what an idle server needs.
simulated() {
  "$TESTED_BUILD/sim" --csv --replay --runs "$RUNS" "$@" | awk -F , -v ms="$BUSY_MS" -v idle="$IDLE_US" '
    NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
    NR == 2 {
      count = split("mean mean_low mean_high p99 p99_low p99_high", names, " ")
      for (i = 1; i <= count; i++) printf "%.2f ", $column[names[i]] * ms + idle / 1000
    }'
}

# compared MEASURED_US SIMULATED LOW HIGH: three cells.
compared() {
  awk -v measured="$1" -v simulated="$2" -v low="$3" -v high="$4" 'BEGIN {
    measured /= 1000
    range = high - low > 0.005 ? sprintf(" (%.1f to %.1f)", low, high) : ""
    printf " %.1f | %.1f%s | %+.0f %% |", measured, simulated, range, 100 * (measured / simulated - 1)
  }'
}

# What passes from the due time to the answer of a request that waits for nobody, beyond what it asks for: of several times the
# least, as something else may have the machine.
measure_idle() {
  IDLE_US=1000000
  WORKERS=4
  start_exact exclusive
  for _ in 1 2 3 4 5; do
    drive --rate 20 --duration 2 --busy "$BUSY_MS,det" --with-ack
    [[ $(figure p50_us) -ge $IDLE_US ]] || IDLE_US=$(figure p50_us)
  done
  stop_server
}

# waits_of SERVICE LOAD SETTING: a row.
waits_of() {
  local service=$1 load=$2 name mode variables options rate known
  IFS='|' read -r name WORKERS mode variables options <<<"$3"
  start_exact "$mode" ${variables:+"$variables"}
  rate=$(awk "BEGIN { print $load * $WORKERS * 1000 / $BUSY_MS }")
  drive_in_time --rate "$rate" --duration "$DURATION" --poisson --busy "$BUSY_MS,$service" --timeout 60000 --with-ack
  all_answered
  # shellcheck disable=SC2086 # options
  read -ra known < <(simulated $options --workers "$WORKERS" --load "$load" --service "$service" \
    --connections "$(figure connections)" --overhead "$(awk "BEGIN { print $IDLE_US / 1000 / $BUSY_MS }")"; echo)
  MADE+="| $name | $WORKERS | $service, $load |$(compared "$(figure mean_us)" "${known[@]:0:3}")"
  MADE+="$(compared "$(figure p99_us)" "${known[@]:3:3}") $(awk "BEGIN { printf \"%.1f\", $(figure lag_max_us) / 1000 }") |"$'\n'
  stop_server
}

make_waits() {
  local line
  measure_idle
  MADE='| mode | workers | requests, load | mean wait: measured | simulated | off by | p99: measured | simulated | off by | late by up to |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
'
  while read -r line; do
    waits_of exp 0.8 "$line" </dev/null
  done < <(settings)
  while read -r line; do
    waits_of heavy 0.5 "$line" </dev/null
  done < <(settings | grep '|8|')
}

# --- what thieves cost ---

rate() {
  awk -F '\t' '$1 == "rate" { printf "%.0f\n", $2 }' "$DIRECTORY/load.tsv"
}

# cpu_per_connection LOAD_OPTION...: the workers', in µs.
cpu_per_connection() {
  local before
  before=$(cpu_of_workers)
  drive "$@"
  awk "BEGIN { printf \"%.0f\", ($(cpu_of_workers) - $before) / 1000 / $(figure answered) }"
}

# span NUMBER...: the least and the most of them.
span() {
  printf '%s\n' "$@" | sort -n | sed -n '1p;$p' | paste -sd - | sed 's/-/ to /'
}

# saturated: two cells, the workers' CPU time for a connection and the rate, when all have work and requests are nothing.
saturated() {
  local _ cpu=() rates=()
  for _ in 1 2 3 4 5; do
    cpu+=("$(cpu_per_connection --count 20000 --parallel 128 --with-ack)")
    rates+=("$(rate)")
  done
  echo " $(span "${cpu[@]}") | $(span "${rates[@]}") |"
}

# After requests of 20 ms some owners may have been taken for stuck, whose shards everybody watches for a while: so what comes last
# may be another thing than what comes first.
make_costs() {
  local steal row
  WORKERS=64
  MADE='| thieves | one at a time: CPU | all have work: CPU | connections/s | each works 80 % of the time: CPU | all have work, after that: CPU | connections/s |
| --- | --- | --- | --- | --- | --- | --- |
'
  for steal in 0 1 2 4 8 15 31 63; do
    start_exact reuseport "UNHERD_STEAL=$steal" "UNHERD_SHARDS=$WORKERS"
    drive --count 5000 --parallel 64
    row="| $steal | $(cpu_per_connection --count 5000 --with-ack) |$(saturated)"
    row+=" $(cpu_per_connection --rate 2560 --duration 5 --poisson --busy "$BUSY_MS" --with-ack) |$(saturated)"
    MADE+="$row"$'\n'
    stop_server
  done
}

trap finish EXIT
prefer self
for what in $WHAT; do
  "make_$what"
  if [[ -n $PAGE ]]; then put_into "$PAGE" "sim-measure ($what)" "$MADE"; else printf '%s\n' "$MADE"; fi
done
