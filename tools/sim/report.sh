#!/usr/bin/env bash
# The whole set of simulations: figures as CSV, tables and plots into BUILD/sim-report, and from there into the page.
# usage: report.sh BUILD PAGE
#   PAGE  its tables are put between their marks, its plots laid beside it
set -euo pipefail

[[ $# -eq 2 ]] || { echo "usage: report.sh BUILD PAGE" >&2; exit 2; }
BUILD=$(cd "$1" && pwd)
PAGE=$2
REPORT=$BUILD/sim-report
export SIM=$BUILD/sim
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
source "$here/../../tests/lib/readme.bash"

# simulate NAME: a simulation for each line of options read; their figures are in NAME.csv, in the same order.
simulate() {
  local parts=$REPORT/parts
  rm -rf "$parts"
  mkdir -p "$parts"
  # shellcheck disable=SC2016 # the inner shell's
  nl -n rz | xargs -P "$(nproc)" -L 1 sh -c 'number=$1; shift; exec "$SIM" --csv "$@" >"$0/$number"' "$parts"
  awk 'FNR > 1 || NR == 1' "$parts"/* >"$REPORT/$1.csv"
  rm -rf "$parts"
}

# pivot NAME ROWS COLUMN FIGURE [FIRST]: a table with a row for each value of the columns ROWS ("service workers"), and a column for
# each of COLUMN. FIRST heads the left cell. What was not simulated stays empty.
pivot() {
  awk -F , -v rows="$2" -v column="$3" -v figure="$4" -v first="${5:-$2}" '
    function shown(x) { return x == 0 ? "0" : sprintf(x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : x >= 1 ? "%.2f" : "%.3f", x) }
    NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; parts = split(rows, part, " "); next }
    {
      row = $at[part[1]]
      for (i = 2; i <= parts; i++) row = row " | " $at[part[i]]
      name = column == "steal" && $at["shards"] == 1 ? "one queue" : $at[column]
      if (!(row in has_row)) { has_row[row]; order[++count] = row }
      if (!(name in has_name)) { has_name[name]; names[++width] = name }
      cell[row, name] = shown($at[figure])
    }
    END {
      gsub(/ /, " | ", first)
      line = "| " first " |"; rule = "|"
      for (i = 1; i <= width; i++) line = line " " names[i] " |"
      for (i = 1; i <= width + parts; i++) rule = rule " --- |"
      print line; print rule
      for (i = 1; i <= count; i++) {
        line = "| " order[i] " |"
        for (j = 1; j <= width; j++) line = line " " cell[order[i], names[j]] " |"
        print line
      }
    }' "$REPORT/$1.csv"
}

# compared_takes: a row for each load, a column for each --take: mean, stddev and p99 as multiples of what one queue has, which
# comes first in each row.
compared_takes() {
  awk -F , '
    function multiples(_, i, text) {
      for (i = 1; i <= 3; i++) text = text (i > 1 ? " / " : "") sprintf("%.2f", $at[figure[i]] / one[i])
      return text
    }
    NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; split("mean stddev p99", figure, " "); next }
    $at["policy"] == "single" {
      for (i = 1; i <= 3; i++) one[i] = $at[figure[i]]
      rows = rows (rows ? "\n" : "") "| " $at["service"] " | " $at["load"] " | " $at["workers"] " |"
      next
    }
    { rows = rows " " multiples() " |" }
    !($at["take"] in has) { has[$at["take"]]; head = head " " $at["take"] " |"; rule = rule " --- |" }
    END { print "| service | load | workers |" head "\n| --- | --- | --- |" rule "\n" rows }' "$REPORT/takes.csv"
}

# A table for the page, and for whoever looks into the report.
put() {
  tee "$REPORT/$1.md" | { made=$(cat); put_into "$PAGE" "sim ($1)" "$made"; }
}

SERVICES=(exp heavy pareto)

# --- what is simulated ---

WORKERS=(4 16 64 256 1024)
RUNS=(--runs 3 --connections 600000)

# With the fewest thieves a queue needs the longest to show what it comes to.
thieves() {
  local service workers steal
  for service in "${SERVICES[@]}"; do
    for workers in "${WORKERS[@]}"; do
      for steal in 0 1 2 3 4 8 15 31 63 255; do
        ((steal < workers && (steal != 3 || workers == 4))) || continue
        echo "--service $service --workers $workers --steal $steal --runs 3 --connections $((steal > 1 ? 600000 : 2000000))"
      done
    done
  done
  for service in "${SERVICES[@]}"; do
    for workers in "${WORKERS[@]}"; do
      echo "--service $service --workers $workers --policy single ${RUNS[*]}"
    done
  done
}

# 1,024 workers have 256 queues at most.
shared_homes() {
  local service steal
  for service in "${SERVICES[@]}"; do
    for steal in 0 1 2 4 8 15 31 63 255; do
      echo "--service $service --workers 1024 --shards 256 --steal $steal ${RUNS[*]}"
    done
  done
}

# The library's 100 ms are so many mean service times of 1, 5 and 20 ms.
patience() {
  local service patience steal
  for service in exp heavy; do
    for patience in 0 100 20 5; do
      for steal in 1 2 4 8 15 63; do
        echo "--service $service --workers 64 --patience $patience --steal $steal --connections 600000"
      done
    done
  done
}

loads() {
  local service load steal
  for service in "${SERVICES[@]}"; do
    for load in 0.3 0.5 0.7 0.9; do
      for steal in 0 1 2 4 8 15 31 63; do
        echo "--service $service --load $load --workers 64 --steal $steal ${RUNS[*]}"
      done
      echo "--service $service --load $load --workers 64 --policy single ${RUNS[*]}"
    done
  done
}

policies() {
  local service policy
  for service in det exp heavy pareto; do
    for policy in reuseport robin two least steal single; do
      echo "--policy $policy --service $service --workers 64 ${RUNS[*]}"
    done
  done
}

few() {
  local workers policy
  for workers in 2 4 8 16; do
    for policy in reuseport two least steal single; do
      echo "--policy $policy --service heavy --workers $workers --runs 3"
    done
  done
}

# Ever the same connections, so that the differences are those of the rules.
takes() {
  local service load workers take runs='--runs 5 --connections 1000000'
  for service in heavy exp pareto; do
    for load in 0.6 0.8; do
      for workers in 8 16; do
        echo "--service $service --load $load --workers $workers --policy single $runs"
        for take in known gather home longest untaken pending; do
          echo "--service $service --load $load --workers $workers --take $take $runs"
        done
      done
    done
  done
}

curves() {
  local policy load
  for policy in reuseport robin two least steal single; do
    for load in 0.3 0.4 0.5 0.6 0.7 0.8 0.85 0.9 0.95; do
      echo "--policy $policy --load $load --service heavy --workers 64 ${RUNS[*]}"
    done
  done
}

# The stuck ones are neighbours, which is the worst that can be.
stuck_together() {
  local together patience
  for patience in 0 10; do
    for together in 1 8 15 16 20 32; do
      echo "--workers 64 --load 0.4 --stall 100 --stall-every 2000 --stall-workers $together --patience $patience"
    done
  done
}

# --- the report ---

label_policies() {
  sed -e 's/| steal |/| stealing (15) |/; s/| single |/| one queue |/'
}

# Stuck for 100 mean service times, a worker at a time, together 1 % of all workers' time.
tails() {
  local name options
  while IFS='|' read -r name options; do
    # shellcheck disable=SC2086 # options
    "$SIM" --tail --workers 16 --load 0.6 --stall 100 --stall-every 625 $options >"$REPORT/tail-$name"
  done <<'LIST'
reuseport|--policy reuseport
least|--policy least
1|--steal 1
2|--steal 2
15|--steal 15
single|--policy single
LIST
}

mkdir -p "$REPORT"
"$SIM" --check --runs 4 >"$REPORT/theory.txt" || { cat "$REPORT/theory.txt"; exit 1; }
awk 'NR == 1 { print "| case | simulated | theory | off by |\n| --- | --- | --- | --- |" }
  NR > 1 { off = $(NF - 1); theory = $(NF - 2); simulated = $(NF - 3); $1 = ""; NF -= 4; print "|" $0 " | " simulated " | " theory " | " off " % |" }' \
  "$REPORT/theory.txt" | put theory
for name in thieves shared_homes patience loads policies few takes curves stuck_together; do
  "$name" | simulate "$name"
done
pivot thieves 'service workers' steal p99 | put thieves
pivot shared_homes service steal p99 | put shared_homes
pivot patience 'service patience' steal p99 | put patience
pivot loads 'service load' steal p99 | put loads
pivot policies service policy p99 | label_policies | put policies
pivot few workers policy p99 | label_policies | put few
compared_takes | put takes
pivot stuck_together patience stall_workers p999 | put stuck_together
tails
(cd "$REPORT" && gnuplot "$here/plots.gp")
cp "$REPORT"/{thieves,policies,stuck}.svg "$(dirname "$PAGE")"
