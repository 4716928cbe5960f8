# shellcheck shell=bash
# Servers side by side: all of them run at once, and have the same connections in turns of half a second. In the rounds of `servers`
# minutes lie between two that are compared, and the machine is another one by then.

BESIDE_TURNS=6
SECONDS_OF=()

list_beside() {
  # shellcheck disable=SC2016 # Markdown's
  list_servers | grep -E '^(nginx|nginx, (its own `reuseport`|ours, `(exclusive|reuseport)`)|gunicorn sync.*|uwsgi.*)[|]'
}

# start_beside NUMBER LINE: not a server's first seconds count here either.
start_beside() {
  SECONDS_OF[$1]=0
  begin "$2"
  drive --rate 500 --duration 1
}

# The first third is not counted: the caches are another's before.
turn_of_beside() {
  local count
  count=$(part_of 6000)
  drive --count "$((count / 3 + 1))" --parallel 64
  drive_kept --count "$count" --parallel 64
  SECONDS_OF[$1]=$(awk "BEGIN { print ${SECONDS_OF[$1]} + $count / $(decimal rate) }")
}

# Of all turns together.
note_rate() {
  note rate "$(awk "BEGIN { print $BESIDE_TURNS * $(part_of 6000) / ${SECONDS_OF[$1]} }")"
}

experiment_beside() {
  local ours theirs
  side_by_side 7 "$BESIDE_TURNS" list_beside start_beside turn_of_beside note_rate
  say "All of them run at once, and $BESIDE_TURNS times in each round every one has its turn. By what it is compared with:"
  head_row ours theirs "ours, connections/s" "theirs" "ours by theirs"
  while IFS='|' read -r ours theirs; do
    row "$ours" "$theirs" "$(cell "$ours" rate)" "$(cell "$theirs" rate)" "$(ratio "$ours" "$theirs" rate)"
  done < <(list_ratios | grep -v -e HAProxy -e mutex -e auto)
}
