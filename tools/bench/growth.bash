# shellcheck shell=bash
# What many workers more cost, side by side: servers with few and with many run at the same time, and have their connections in turns
# of about a second, so that what else the machine does falls on all alike.

GROWTH_TURNS=4

# Each server with many comes after its like with few, and each with few after one with many: whose the caches were is the same for all.
list_growth() {
  local name style mode queues size
  while IFS='|' read -r name style mode queues; do
    for size in "$FEW" "$MANY"; do
      echo "$name $size|waiters $style|$mode|$size|${queues:+UNHERD_SHARDS=$size}"
    done
  done <<'LIST'
`accept`|accept|stock
a socket for each|reuseport|stock
`epoll` with `EPOLLEXCLUSIVE`|exclusive|stock
ours, `exclusive`|epoll|exclusive
ours, `reuseport`, a queue for each|epoll|reuseport|each
ours, `reuseport`, 16 queues|epoll|reuseport
LIST
}

# --- what is measured ---

declare -A TOTAL=()

# so_far: the time that the workers had a CPU, in ns, and their wake-ups. Of a thousand processes pgrep() would take longer to find
# them than they take for their turn.
so_far() {
  local files
  mapfile -t files <"$DIRECTORY/workers.txt"
  awk '
    FILENAME ~ /schedstat/ { cpu += $1 }
    $1 == "voluntary_ctxt_switches:" { woken += $2 }
    END { printf "%.0f %d\n", cpu, woken }' "${files[@]}"
}

# add_to_total FIGURE VALUE: of the present one.
add_to_total() {
  TOTAL["$VARIANT|$1"]=$((${TOTAL["$VARIANT|$1"]} + $2))
}

# take_turn FIGURE OPTION...: the load, and what it takes is added to what the turns before took.
take_turn() {
  local before after
  before=$(so_far)
  drive_kept "${@:2}" --with-ack
  after=$(so_far)
  add_to_total "$1_cpu" $((${after% *} - ${before% *}))
  add_to_total "$1_woken" $((${after#* } - ${before#* }))
  add_to_total "$1_count" "$(figure connections)"
}

# A server's first seconds are not what its connections cost: workers claim, and look around. Some eight connections for each of
# them; with few workers, those seconds are over when the others have started.
start_growth() {
  local figure
  begin "$2"
  workers | sed 's|.*|/proc/&/schedstat\n/proc/&/status|' >"$DIRECTORY/workers.txt"
  drive --rate 1000 --duration "$(awk "BEGIN { print $WORKERS / 128 }")" --with-ack
  for figure in {one,all}_{cpu,woken,count}; do
    TOTAL["$VARIANT|$figure"]=0
  done
}

# The caches are another's before that.
turn_of_growth() {
  drive --count "$((3 * WORKERS))" --with-ack
  take_turn one --count "$(part_of 4000)"
  take_turn all --count "$(part_of 8000)" --parallel 128
}

note_growth() {
  local figure count
  for figure in one all; do
    count=${TOTAL["$VARIANT|${figure}_count"]}
    note "${figure}_cpu" "$(per_connection "$((${TOTAL["$VARIANT|${figure}_cpu"]} / 1000))" "$count")"
    note "${figure}_wakeups" "$(per_connection "${TOTAL["$VARIANT|${figure}_woken"]}" "$count")"
  done
}

# --- the tables ---

# growth_of FIGURE WORDS: what it is at both sizes, and how it grows, of the same round.
growth_of() {
  local name
  head_row "CPU, µs, $2" "$FEW workers" "$MANY workers" "$MANY by $FEW" "wake-ups of $MANY"
  while read -r name; do
    row "$name" "$(cell "$name $FEW" "$1_cpu" %.1f)" "$(cell "$name $MANY" "$1_cpu" %.1f)" "$(ratio "$name $MANY" "$name $FEW" "$1_cpu")" \
      "$(cell "$name $MANY" "$1_wakeups" %.2f)"
  done < <(names list_growth | sed 's/ [0-9]*$//' | awk '!seen[$0]++')
}

# by_kernel OURS OTHER: with many workers, by what the kernel does by itself, of the same round.
by_kernel() {
  row "$1" "$2" "$(ratio "$1 $MANY" "$2 $MANY" one_cpu)" "$(ratio "$1 $MANY" "$2 $MANY" all_cpu)"
}

experiment_growth() {
  # shellcheck disable=SC2034 # commands.bash reads it
  VARYING=workers
  side_by_side 7 "$GROWTH_TURNS" list_growth start_growth turn_of_growth note_growth
  say "All of them run at once, and $GROWTH_TURNS times in each round every one has its turn."
  growth_of one 'one at a time'
  say 'All have work, 128 connections at once:'
  growth_of all 'all have work'
  say "$MANY workers, by what takes turns or has a socket for each without the library:"
  head_row 'CPU of ours' 'by' 'one at a time' 'all have work'
  by_kernel "ours, \`exclusive\`" "\`accept\`"
  by_kernel "ours, \`reuseport\`, a queue for each" 'a socket for each'
  by_kernel "ours, \`reuseport\`, 16 queues" 'a socket for each'
}
