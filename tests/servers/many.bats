#!/usr/bin/env bats
# Many workers, each with a queue of its own: what it costs the others that one of them is replaced. 32 workers of nginx.

load ../lib/bodies

setup() { WORKERS=32; }
teardown() { finish; }

registered_so_far() { grep -c epoll_ctl "$DIRECTORY/registrations" || true; }

# Looked at ten times in a row it is the same.
is_settled() {
  local now
  now=$(registered_so_far)
  [[ $now == "$LAST" ]] && SAME=$((SAME + 1)) || SAME=0
  LAST=$now
  [[ $SAME -ge 10 ]]
}

# count_registrations VICTIM: adds to COUNTS what the first worker registers while that one is killed and replaced.
count_registrations() {
  local observed
  observed=$(workers | head -n 1)
  strace -qq -e trace=epoll_ctl -o "$DIRECTORY/registrations" -p "$observed" 3>&- &
  TRACER=$!
  eventually 5 is_traced "$observed" || fail "strace did not attach"
  kill -KILL "$1"
  eventually 10 replaced "$1" || fail "worker $1 was not replaced"
  SAME=0 LAST=
  eventually 10 is_settled || fail "registrations go on"
  kill "$TRACER"
  wait "$TRACER" || true
  COUNTS+=("$(registered_so_far)")
}

# replaced_cheaply TIMES MODE [VARIABLE...]: sets COSTS to the registrations of one worker for a replaced one, the median of so many.
replaced_cheaply() {
  local i
  COUNTS=()
  start_server nginx "${@:2}"
  drive --count 1000 --parallel 32
  all_answered 1000
  for ((i = 2; i < $1 + 2; i++)); do
    count_registrations "$(workers | sed -n "${i}p")"
  done
  drive --count 500 --parallel 32
  all_answered 500
  stop_server
  COSTS=$(printf '%s\n' "${COUNTS[@]}" | sort -n | sed -n "$((($1 + 1) / 2))p")
}

registers_some() {
  check_number "$COSTS" '<=' 8 "registrations, reuseport (${COUNTS[*]})"
}

# Registered are its home, four neighbours, and the orphan until it has an owner again. One of the killed may be a witness of it
# that there is no accept mutex; then all shards are watched for a moment.
@test "a worker is replaced: the others register some shards anew, and not all" {
  replaced_cheaply 1 stock
  check_number "$COSTS" '==' 0 "registrations, stock (${COUNTS[*]})"
  in_five_attempts "replaced_cheaply 5 reuseport UNHERD_SHARDS=32 UNHERD_STEAL=4" registers_some
}
