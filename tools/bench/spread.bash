# shellcheck shell=bash
# Nothing else to do, one connection at a time: who gets it?

list_spread() {
  cat <<'LIST'
`accept`|waiters accept|stock|8
`epoll`, a herd|waiters epoll|stock|8
`epoll` with `EPOLLEXCLUSIVE`|waiters exclusive|stock|8
a socket for each|waiters reuseport|stock|8
ours, `exclusive`|waiters epoll|exclusive|8
ours, `reuseport`|waiters epoll|reuseport|8
LIST
}

measure_spread() {
  local counts share rank
  begin "$1"
  one_at_a_time 4000
  counts=$(per_worker | sort -n | awk -v of="$(figure answered)" '{ printf "%.3f\n", 100 * $1 / of }')
  note least "$(head -n 1 <<<"$counts")"
  note most "$(tail -n 1 <<<"$counts")"
  note deviation "$(awk -v workers="$WORKERS" '{ squares += ($1 - 100 / workers) ^ 2 } END { print sqrt(squares / NR) }' <<<"$counts")"
  rank=0
  while read -r share; do
    note "rank $((++rank))" "$share"
  done <<<"$counts"
  stop_server
}

# For the plot: a block for each variant, rank and median share.
ranks() {
  local name rank
  while read -r name; do
    printf '"%s"\n' "${name//\`/}"
    for rank in {1..8}; do
      printf '%s %s\n' "$rank" "$(cell "$name" "rank $rank" %.2f)"
    done
    printf '\n\n'
  done < <(names list_spread)
}

experiment_spread() {
  local name
  in_turn 7 list_spread measure_spread
  head_row 'how 8 workers wait' 'least share, %' 'most, %' 'standard deviation of the shares, points' 'wake-ups per connection'
  while read -r name; do
    row "$name" "$(cell "$name" least %.1f)" "$(cell "$name" most %.1f)" "$(cell "$name" deviation %.2f)" "$(cell "$name" wakeups %.2f)"
  done < <(names list_spread)
  ranks >"$REPORT/spread.series"
}
