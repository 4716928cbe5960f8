# shellcheck shell=bash
# Connections that stay: how many of 16 does each of 8 workers have?

# Who waits in accept() keeps nothing.
list_kept() {
  list_spread | grep -v 'waiters accept'
}

measure_kept() {
  local counts repetition
  begin "$1"
  keep LOADS 'tools/bench/keep.py 8080 16'
  for ((repetition = 0; repetition < 4; repetition++)); do
    # shellcheck disable=SC2154 # bench.sh sets it
    counts=$("$here/keep.py" "$PORT" 16) || fail "$VARIANT: $counts"
    note most "$(tail -n 1 <<<"$counts")"
    note idle "$((WORKERS - $(wc -l <<<"$counts")))"
  done
  stop_server
}

# mean VARIANT FIGURE
mean() {
  values "$1" "$2" | awk '{ sum += $1 } END { printf "%.1f", sum / NR }'
}

experiment_kept() {
  local name
  KEPT=-k
  in_turn 5 list_kept measure_kept
  # shellcheck disable=SC2034 # variants.bash reads it
  KEPT=''
  head_row 'how 8 workers wait' 'connections of the worker with the most, on average' 'at the most' 'workers with none' 'times in which some worker has none'
  while read -r name; do
    row "$name" "$(mean "$name" most)" "$(values "$name" most | sort -n | tail -n 1)" "$(cell "$name" idle %.0f)" \
      "$(values "$name" idle | awk '{ some += $1 > 0 } END { print some " of " NR }')"
  done < <(names list_kept)
}
