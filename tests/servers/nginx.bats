#!/usr/bin/env bats
# nginx: stock configuration, accept_mutex, a port below 1024, workers that are killed, replaced, stopped, and traced.

load ../lib/bodies

teardown() { finish; }

# A worker that holds no connection is killed, so that nothing of a client's is in it: what is queued for it is not its.
kill_idle_worker() {
  local victim
  victim=$(workers | head -n 1)
  eventually 10 stopped_while_idle "$victim" || fail "worker $victim was never idle"
  kill -KILL "$victim"
  eventually 10 replaced "$victim" || fail "worker $victim was not replaced"
}

stopped_while_idle() {
  kill -STOP "$1"
  eventually 2 is_stopped "$1" || return 1
  holds_a_connection "$1" "$PORT" || return 0
  kill -CONT "$1"
  return 1
}

is_stopped() {
  [[ $(process_state "$1") == T ]]
}

loses_nobody() {
  start_server nginx "$1"
  drive_in_background --rate 2000 --duration 6
  kill_idle_worker
  reload
  reload
  kill -0 "$DRIVER" || fail "the load ended before the last reload"
  reload
  end_of_drive
  all_answered 12000
  [[ $1 == reuseport ]] || has_queues 1
  [[ $1 != reuseport ]] || still_has_own_queues
}

has_daemon() {
  MASTER=$(cat "$DIRECTORY/pid" 2>/dev/null) && [[ -n $MASTER ]] && server_is_ready
}

# start_daemon MODE: as a daemon leads a session of its own, and only a daemon lets itself be upgraded.
start_daemon() {
  KIND=nginx
  PORT=$(free_port "$LOWEST_PORT" "$HIGHEST_PORT")
  DIRECTORY=$(new_directory)
  server_environment "$DIRECTORY" "$1"
  configure_nginx "$DIRECTORY" "$PORT"
  unset "COMMAND[-1]" "COMMAND[-1]"
  launch "$DIRECTORY"
  eventually 20 has_daemon || fail "nginx is not ready: $(cat "$DIRECTORY/error.log")"
  LEADERS+=("$MASTER")
}

has_successor() {
  local pid
  pid=$(cat "$DIRECTORY/pid" 2>/dev/null) || return 1
  [[ -n $pid && $pid -ne $1 ]] || return 1
  MASTER=$pid
  server_is_ready
}

# USR2 executes nginx anew beside the old one, WINCH and QUIT end that: all under load.
survives_upgrade() {
  local old
  start_daemon "$1"
  old=$MASTER
  drive_in_background --rate 2000 --duration 5
  answers 20
  kill -USR2 "$old"
  eventually 20 has_successor "$old" || fail "no new master: $(cat "$DIRECTORY/error.log")"
  [[ $1 == stock ]] || grep -q libunherd "/proc/$MASTER/maps" || fail "the library is not in the new master"
  kill -WINCH "$old"
  kill -QUIT "$old"
  eventually 20 is_gone "$old" || fail "the old master is still there"
  kill -0 "$DRIVER" || fail "the load ended before the upgrade"
  end_of_drive
  all_answered 10000
  [[ $1 == reuseport ]] || has_queues 1
  [[ $1 != reuseport ]] || still_has_own_queues
  kill -QUIT "$MASTER"
  eventually 15 session_is_empty "$old" || fail "left behind: $(ps -o pid=,stat=,args= -s "$old")"
  MASTER=''
  can_listen "$PORT" || fail "port $PORT is not free after the end"
}

# slow_answers MODE [NAME=VALUE...]: sets SLOW to the number of answers that took longer than 250 ms while one worker
# of four is stopped for 500 ms of 2 s.
slow_answers() {
  start_server nginx "$@"
  drive --rate 2000 --duration 2 --slower-than 250 --stop "$(workers | head -n 1)@750+500"
  all_answered 4000
  SLOW=$(figure slower)
  stop_server
}

# stands_alone MODE [NAME=VALUE...]: three of four workers stop, and the last one takes all.
stands_alone() {
  local pid stopped
  start_server nginx "$@"
  stopped=$(workers | head -n 3)
  for pid in $stopped; do
    eventually 10 stopped_while_idle "$pid" || fail "worker $pid was never idle"
  done
  drive --rate 200 --duration 3
  # shellcheck disable=SC2086 # one word per worker
  kill -CONT $stopped
  all_answered 600
}

# calls_per_connection MODE: sets CALLS, of all workers, without those that only tell how often they were woken.
calls_per_connection() {
  local tracer pid attach=() count=400
  start_server nginx "$1"
  for pid in $(workers); do attach+=(-p "$pid"); done
  strace -qq -c -o "$DIRECTORY/calls" "${attach[@]}" 3>&- &
  tracer=$!
  for pid in $(workers); do
    eventually 5 is_traced "$pid" || fail "strace did not attach"
  done
  drive --rate 200 --duration 2
  all_answered "$count"
  kill -INT "$tracer"
  wait "$tracer" || true
  cat "$DIRECTORY/calls"
  CALLS=$(per_connection "$(awk '$NF != "epoll_wait" && $NF != "total" && $4 ~ /^[0-9]+$/ {
    sum += $4 - ($NF == "accept4" && NF == 6 ? $5 : 0) } END { print sum + 0 }' "$DIRECTORY/calls")" "$count")
  stop_server
}

is_traced() {
  ! grep -qx $'TracerPid:\t0' "/proc/$1/status"
}

# --- the tests that every server has ---

@test "nginx answers, stock" { serves nginx stock; }
@test "nginx answers, exclusive" { serves nginx exclusive; }
@test "nginx answers, reuseport" { serves nginx reuseport; }

# nginx by itself changes the turn at every 16th connection: over the long run it is fair, over forty it is not.
@test "nginx takes fair turns in exclusive, in the long run" { takes_turns nginx 2000 1.05; }
@test "nginx takes fair turns in exclusive, in the short run" { takes_turns nginx 40 1.25; }
@test "nginx has a queue for each worker in reuseport" { has_own_queues nginx 8000; }

@test "a second nginx is refused, stock" { refuses_second_copy nginx stock; }
@test "a second nginx is refused, exclusive" { refuses_second_copy nginx exclusive; }
@test "a second nginx is refused, reuseport" { refuses_second_copy nginx reuseport; }

@test "nginx accept_mutex answers, exclusive" { serves nginx_mutex exclusive; }
@test "nginx accept_mutex starves nobody in reuseport" { starves_nobody nginx_mutex; }
@test "nginx accept_mutex starves nobody without stealing" { starves_nobody nginx_mutex UNHERD_STEAL=0; }
@test "nginx accept_mutex starves nobody with one thief" { starves_nobody nginx_mutex UNHERD_STEAL=1; }

# --- what only nginx shows ---

@test "nginx as root, workers as www-data, below port 1024: a queue for each worker" {
  as_root || skip "needs root"
  # shellcheck disable=SC2034 # start_server chooses between them
  LOWEST_PORT=81 HIGHEST_PORT=1000
  start_server nginx reuseport
  [[ $(ps -o user= -p "$(workers | head -n 1)") == "$UNPRIVILEGED" ]]
  has_queues "$WORKERS"
  drive --count 1000 --parallel 8
  all_answered 1000
  everyone_answered
}

@test "nginx loses nobody to a killed worker and three reloads, stock" { loses_nobody stock; }
@test "nginx loses nobody to a killed worker and three reloads, exclusive" { loses_nobody exclusive; }
@test "nginx loses nobody to a killed worker and three reloads, reuseport" { loses_nobody reuseport; }

# makes_at_most CALLS more_than CALLS: the system calls of a connection.
makes_at_most() {
  check_number "$CALLS" '<=' "$1 + $3" "system calls per connection"
}

few_are_slow() {
  check_number "$SLOW" '<=' 3 "slow answers"
}

@test "nginx with a stopped worker: the others go on, stock" {
  in_five_attempts "slow_answers stock" few_are_slow
}

@test "nginx with a stopped worker: the others go on, exclusive" {
  in_five_attempts "slow_answers exclusive" few_are_slow
}

@test "nginx with a stopped worker: its queue is stolen from, reuseport" {
  in_five_attempts "slow_answers reuseport" few_are_slow
}

@test "nginx with a stopped worker: without stealing the stall is back" {
  slow_answers reuseport UNHERD_STEAL=0
  check_number "$SLOW" '>=' 50 "slow answers"
}

@test "nginx makes no more system calls in reuseport, and two a turn in exclusive" {
  local stock
  calls_per_connection stock
  stock=$CALLS
  in_five_attempts "calls_per_connection reuseport" "makes_at_most 0.1 more_than $stock"
  in_five_attempts "calls_per_connection exclusive" "makes_at_most 2.1 more_than $stock"
}

# With one thief for each queue there are queues whose owner and thief are both stopped.
@test "nginx with three stopped workers: the last one takes all, stock" { stands_alone stock; }
@test "nginx with three stopped workers: the last one takes all, reuseport" { stands_alone reuseport; }
@test "nginx with three stopped workers: the last one takes all, one thief" { stands_alone reuseport UNHERD_STEAL=1; }

@test "nginx loses nobody to an upgrade, stock" { survives_upgrade stock; }
@test "nginx loses nobody to an upgrade, exclusive" { survives_upgrade exclusive; }
@test "nginx loses nobody to an upgrade, reuseport" { survives_upgrade reuseport; }
