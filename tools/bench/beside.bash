# shellcheck shell=bash
# Servers side by side: all of them run at once, and have the same connections in turns of half a second. In the rounds of `servers`
# minutes lie between two that are compared, and the machine is another one by then.

BESIDE_TURNS=6

list_beside() {
  # shellcheck disable=SC2016 # Markdown's
  list_servers | grep -E '^(nginx|nginx, (its own `reuseport`|ours, `(exclusive|reuseport)`)|gunicorn sync.*|uwsgi.*)[|]'
}

# start_beside NUMBER LINE: not a server's first seconds count here either.
start_beside() {
  begin "$2"
  drive --rate 500 --duration 1
  lay_aside "$1"
}

# The first third is not counted: the caches are another's before.
drive_beside_others() {
  local count
  take_up "$1"
  count=$(part_of 6000)
  drive --count "$((count / 3 + 1))" --parallel 64
  drive_kept --count "$count" --parallel 64
  SECONDS_OF[$1]=$(awk "BEGIN { print ${SECONDS_OF[$1]:-0} + $count / $(decimal rate) }")
  lay_aside "$1"
}

# Of all turns together.
note_rate() {
  take_up "$1"
  note rate "$(awk "BEGIN { print $BESIDE_TURNS * $(part_of 6000) / ${SECONDS_OF[$1]} }")"
  lay_aside "$1"
}

measure_beside() {
  local lines turn i
  mapfile -t lines < <(list_beside)
  SECONDS_OF=()
  for i in "${!lines[@]}"; do start_beside "$i" "${lines[i]}"; done
  for ((turn = 0; turn < BESIDE_TURNS; turn++)); do each_aside drive_beside_others $(((ROUND + turn) * 3)); done
  each_aside note_rate
  stop_all
}

experiment_beside() {
  local rounds=${ROUNDS:-7} ours theirs
  for ((ROUND = 1; ROUND <= rounds; ROUND++)); do
    measure_beside
    printf 'beside %d/%d\n' "$ROUND" "$rounds" >&2
  done
  say "All of them run at once, and $BESIDE_TURNS times in each round every one has its turn. By what it is compared with:"
  head_row ours theirs "ours, connections/s" "theirs" "ours by theirs"
  while IFS='|' read -r ours theirs; do
    row "$ours" "$theirs" "$(cell "$ours" rate)" "$(cell "$theirs" rate)" "$(ratio "$ours" "$theirs" rate)"
  done < <(list_ratios | grep -v -e HAProxy -e mutex -e auto)
}
