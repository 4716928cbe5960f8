# shellcheck shell=bash
# The thundering herd: what a connection costs by the number of workers that wait for it.

HERD_SIZES=(4 16 64 256)

list_herd() {
  local size style
  for size in "${HERD_SIZES[@]}"; do
    for style in accept poll select epoll; do
      cat <<LIST
\`$style\` $size|waiters $style|stock|$size
\`$style\`, ours, \`exclusive\` $size|waiters $style|exclusive|$size
\`$style\`, ours, \`reuseport\` $size|waiters $style|reuseport|$size|UNHERD_SHARDS=$size
LIST
    done
  done
}

measure_herd() {
  begin "$1"
  one_at_a_time 1000
  stop_server
}

# by_size LIST SIZES TITLE FIGURE FORMAT: a table, a row for each variant, whose name ends with the size, and a column for each size.
by_size() {
  local size name cells
  read -ra cells <<<"$2"
  head_row "$3" "${cells[@]}"
  while read -r name; do
    cells=()
    for size in $2; do cells+=("$(cell "$name $size" "$4" "$5")"); done
    row "$name" "${cells[@]}"
  done < <(names "$1" | sed 's/ [0-9]*$//' | awk '!seen[$0]++')
}

# series LIST SIZES FIGURE: for plots, a block of size, median, least, most for each variant, in the order of the list.
series() {
  local size name
  while read -r name; do
    printf '"%s"\n' "${name//\`/}"
    for size in $2; do
      values "$name $size" "$3" | sort -g | awk -v size="$size" '{ value[NR] = $1 } END { if (NR) print size, value[int((NR + 1) / 2)], value[1], value[NR] }'
    done
    printf '\n\n'
  done < <(names "$1" | sed 's/ [0-9]*$//' | awk '!seen[$0]++')
}

experiment_herd() {
  local sizes="${HERD_SIZES[*]}"
  # shellcheck disable=SC2034 # commands.bash reads it
  VARYING=workers
  in_turn 3 list_herd measure_herd
  by_size list_herd "$sizes" 'wake-ups per connection, by workers' wakeups %.2f
  say 'The workers'"'"' CPU time for a connection, in µs:'
  by_size list_herd "$sizes" 'CPU, by workers' cpu %.0f
  say 'Connections a second, one at a time:'
  by_size list_herd "$sizes" 'connections/s, by workers' rate %.0f
  series list_herd "$sizes" cpu >"$REPORT/herd.series"
}
