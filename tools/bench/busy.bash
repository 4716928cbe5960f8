# shellcheck shell=bash
# Some requests take a hundred times longer than the others: who waits behind them?

BUSY_WORKERS=8
BUSY_LOAD=0.6
BUSY_MS=10

list_busy() {
  cat <<LIST
one queue, \`EPOLLEXCLUSIVE\`|waiters exclusive|stock|$BUSY_WORKERS
ours, \`exclusive\`|waiters epoll|exclusive|$BUSY_WORKERS
a socket for each|waiters reuseport|stock|$BUSY_WORKERS
ours, \`reuseport\`, no thief|waiters epoll|reuseport|$BUSY_WORKERS|UNHERD_STEAL=0
ours, \`reuseport\`|waiters epoll|reuseport|$BUSY_WORKERS
LIST
}

measure_busy() {
  begin "$1"
  drive_kept --rate "$(awk "BEGIN { print $BUSY_LOAD * $BUSY_WORKERS * 1000 / $BUSY_MS }")" --duration "$(part_of_time 8)" --poisson \
    --busy "$BUSY_MS,heavy" --seed "$ROUND" --timeout 60000
  note_load mean_us stddev_us p99_us max_us lag_max_us
  stop_server
}

# For the plot: a block for each figure; place and name of each variant, median, least, most, in ms.
bars() {
  local figure name place
  for figure in mean stddev p99; do
    place=0
    while read -r name; do
      place=$((place + 1))
      values "$name" "${figure}_us" | sort -g | awk -v place="$place" -v name="${name//\`/}" '
        { value[NR] = $1 / 1000 }
        END { printf "%d \"%s\" %s %s %s\n", place, name, value[int((NR + 1) / 2)], value[1], value[NR] }'
    done < <(names list_busy)
    printf '\n\n'
  done
}

experiment_busy() {
  local name figure cells one="one queue, \`EPOLLEXCLUSIVE\`"
  in_turn 5 list_busy measure_busy
  head_row 'ms beyond what was asked for' average 'standard deviation' p99 slowest 'the generator was late by up to'
  while read -r name; do
    cells=()
    for figure in mean stddev p99 max lag_max; do cells+=("$(cell "$name" "${figure}_us" %.2f 0.001)"); done
    row "$name" "${cells[@]}"
  done < <(names list_busy)
  say 'The same connections by turns: each round'"'"'s figure by that of one queue, the kernel'"'"'s order, in the same round.'
  head_row 'by one queue' average 'standard deviation' p99
  while read -r name; do
    [[ $name == "$one" ]] || row "$name" "$(ratio "$name" "$one" mean_us)" "$(ratio "$name" "$one" stddev_us)" "$(ratio "$name" "$one" p99_us)"
  done < <(names list_busy)
  bars >"$REPORT/busy.series"
}
