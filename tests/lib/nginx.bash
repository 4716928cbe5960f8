# shellcheck shell=bash
# What is done to nginx under load: workers killed, replaced, stopped, the program upgraded. Loaded after bodies.
# shellcheck disable=SC2034 # they are read by servers.bash

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

# queues_are_right KIND MODE: after workers were replaced.
queues_are_right() {
  case $1-$2 in
    *_own-*) has_queues "$WORKERS" ;;
    *-reuseport) still_has_own_queues ;;
    *) has_queues 1 ;;
  esac
}

loses_nobody() {
  start_server "$1" "$2"
  drive_in_background --rate 2000 --duration 6
  kill_idle_worker
  reload
  reload
  kill -0 "$DRIVER" || fail "the load ended before the last reload"
  reload
  end_of_drive
  all_answered 12000
  queues_are_right "$1" "$2"
}

has_daemon() {
  MASTER=$(cat "$DIRECTORY/pid" 2>/dev/null) && [[ -n $MASTER ]] && server_is_ready
}

# start_daemon KIND MODE: as a daemon leads a session of its own, and only a daemon lets itself be upgraded.
start_daemon() {
  KIND=$1
  WORKER_WORDS='' PROCESSES=$WORKERS CLIENT=http
  PORT=$(free_port "$LOWEST_PORT" "$HIGHEST_PORT")
  DIRECTORY=$(new_directory)
  server_environment "$DIRECTORY" "$2"
  "configure_$1" "$DIRECTORY" "$PORT"
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
  start_daemon "$1" "$2"
  old=$MASTER
  drive_in_background --rate 2000 --duration 5
  answers 20
  kill -USR2 "$old"
  eventually 20 has_successor "$old" || fail "no new master: $(cat "$DIRECTORY/error.log")"
  [[ $2 == stock ]] || grep -q libunherd "/proc/$MASTER/maps" || fail "the library is not in the new master"
  kill -WINCH "$old"
  kill -QUIT "$old"
  eventually 20 is_gone "$old" || fail "the old master is still there"
  kill -0 "$DRIVER" || fail "the load ended before the upgrade"
  end_of_drive
  all_answered 10000
  queues_are_right "$1" "$2"
  kill -QUIT "$MASTER"
  eventually 15 session_is_empty "$old" || fail "left behind: $(ps -o pid=,stat=,args= -s "$old")"
  MASTER=''
  can_listen "$PORT" || fail "port $PORT is not free after the end"
}

# slow_answers KIND MODE [NAME=VALUE...]: sets SLOW to the number of answers that took longer than 250 ms while one worker
# of four is stopped for 500 ms of 2 s.
slow_answers() {
  start_server "$@"
  drive --rate 2000 --duration 2 --slower-than 250 --stop "$(workers | head -n 1)@750+500"
  all_answered 4000
  SLOW=$(figure slower)
  stop_server
}

few_are_slow() {
  check_number "$SLOW" '<=' 3 "slow answers"
}
