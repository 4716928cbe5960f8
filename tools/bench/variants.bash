# shellcheck shell=bash
# What is compared: a line for each variant,
#   its name | the kind of server, and of waiters the style | mode | workers | variables
# and how all of them are measured in turn, so that what else the machine does falls on all alike.
# shellcheck disable=SC2034 # they are read by servers.bash

STYLE='' KEPT=''

configure_waiters() {
  # shellcheck disable=SC2206 # nothing, or an option
  COMMAND=("$TESTED_BUILD/waiters" "$STYLE" -p "$2" -w "$WORKERS" $KEPT)
  STOP=TERM COUNTED=header WAITS=other
}

# begin LINE: starts the variant's server; all its workers wait when this returns.
begin() {
  local kind mode variables
  IFS='|' read -r VARIANT kind mode WORKERS variables <<<"$1"
  read -r kind STYLE <<<"$kind"
  # shellcheck disable=SC2086 # a word for each variable
  start_server "$kind" "$mode" $variables
  [[ $kind != waiters ]] || eventually 20 grep -qx 'all wait' "$DIRECTORY/output.log" || fail "$VARIANT: not all wait"
  keep_server
}

# in_turn ROUNDS LIST MEASURE: each line of LIST, which is a function's output, by MEASURE LINE, and all that so many times, each time
# from another line on: whom one comes after must not matter.
in_turn() {
  local lines i first rounds=${ROUNDS:-$1}
  mapfile -t lines < <("$2")
  for ((ROUND = 1; ROUND <= rounds; ROUND++)); do
    first=$(((ROUND - 1) * ${#lines[@]} / rounds))
    for i in "${!lines[@]}"; do
      "$3" "${lines[(first + i) % ${#lines[@]}]}"
    done
    printf '%s %d/%d\n' "$3" "$ROUND" "$rounds" >&2
  done
}

# names LIST: of its variants.
names() {
  "$1" | cut -d '|' -f 1
}

# wakeups: of all workers so far, each of which is one thread.
wakeups() {
  of_workers status | awk '$1 == "voluntary_ctxt_switches:" { sum += $2 } END { print sum + 0 }'
}

# one_at_a_time COUNT: connections one after another; notes wake-ups, CPU time and the rate.
one_at_a_time() {
  local woken cpu count
  count=$(part_of "$1")
  drive --count "$((3 * WORKERS))" --with-ack
  woken=$(wakeups)
  cpu=$(cpu_of_workers)
  drive_kept --count "$count" --with-ack
  note cpu "$(per_connection "$((($(cpu_of_workers) - cpu) / 1000))" "$count")"
  note wakeups "$(per_connection "$(($(wakeups) - woken))" "$count")"
  note rate "$(decimal rate)"
}

# decimal NAME: a figure of the load that is no whole number.
decimal() {
  awk -F '\t' -v key="$1" '$1 == key { print $2 }' "$DIRECTORY/load.tsv"
}
