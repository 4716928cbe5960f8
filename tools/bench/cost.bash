# shellcheck shell=bash
# What a worker more costs: the workers' CPU time for a connection, by their number.

COST_SIZES=(2 4 16 64 128 256)

list_cost() {
  local size
  for size in "${COST_SIZES[@]}"; do
    cat <<LIST
\`accept\` $size|waiters accept|stock|$size
a socket for each $size|waiters reuseport|stock|$size
\`epoll\` $size|waiters epoll|stock|$size
\`epoll\` with \`EPOLLEXCLUSIVE\` $size|waiters exclusive|stock|$size
ours, \`exclusive\` $size|waiters epoll|exclusive|$size
ours, \`exclusive\`, no turns $size|waiters epoll|exclusive|$size|UNHERD_ROTATE=0
ours, \`reuseport\`, a queue for each $size|waiters epoll|reuseport|$size|UNHERD_SHARDS=$size
ours, \`reuseport\`, 16 queues $size|waiters epoll|reuseport|$size
LIST
  done
}

measure_cost() {
  local cpu woken
  begin "$1"
  # A server's first seconds are not what its connections cost: workers claim, and look around.
  drive --rate 1000 --duration 2 --with-ack
  one_at_a_time 4000
  woken=$(wakeups)
  cpu=$(cpu_of_workers)
  drive_kept --count "$(part_of 8000)" --parallel 128 --with-ack
  note all_cpu "$(per_connection "$((($(cpu_of_workers) - cpu) / 1000))" "$(figure connections)")"
  note all_wakeups "$(per_connection "$(($(wakeups) - woken))" "$(figure connections)")"
  note all_rate "$(decimal rate)"
  stop_server
}

experiment_cost() {
  local sizes="${COST_SIZES[*]}"
  # shellcheck disable=SC2034 # commands.bash reads it
  VARYING=workers
  in_turn 3 list_cost measure_cost
  say 'One at a time, µs:'
  by_size list_cost "$sizes" 'CPU, by workers' cpu %.1f
  say 'All have work, 128 connections at once, µs:'
  by_size list_cost "$sizes" 'CPU, by workers' all_cpu %.1f
  say 'Wake-ups for a connection then:'
  by_size list_cost "$sizes" 'wake-ups, by workers' all_wakeups %.2f
  say 'Connections a second then:'
  by_size list_cost "$sizes" 'connections/s, by workers' all_rate %.0f
  series list_cost "$sizes" cpu >"$REPORT/cost.series"
  series list_cost "$sizes" all_cpu >"$REPORT/cost_all.series"
}
