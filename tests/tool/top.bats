#!/usr/bin/env bats
# unherd top, in a terminal of tmux.

load tool

setup() {
  UNHERD=$TESTED_BUILD/unherd
  unset LD_PRELOAD "${!UNHERD_@}" NO_COLOR
  cd "$BATS_TEST_TMPDIR" || return
  PORT=$(free_port 21000 31000)
  env LD_PRELOAD="$TESTED_PRELOAD" UNHERD_MODE=reuseport "$TESTED_BUILD/prefork" -p "$PORT" -w 4 >server.log 2>&1 3>&- 4>&- &
  SERVER=$!
  eventually 10 four_wait || fail "$(cat server.log)"
}

teardown() {
  on_terminal kill-server 2>/dev/null || true
  pgrep -P "$SERVER" | xargs -r kill -CONT
  kill "$SERVER" 2>/dev/null || true
}

four_wait() {
  curl -sf --max-time 2 -o /dev/null "http://127.0.0.1:$PORT/" && [[ $("$UNHERD" stat ":$PORT" | grep -c '  worker ') -eq 4 ]]
}

TERMINALS=0

on_terminal() {
  tmux -S "tmux.$TERMINALS" "$@"
}

# top_in WIDTH HEIGHT COMMAND...: in a new terminal of that size; a shell stays when it ends.
top_in() {
  on_terminal kill-server 2>/dev/null || true
  ((++TERMINALS))
  on_terminal -f /dev/null new-session -d -x "$1" -y "$2" "${*:3} $UNHERD top :$PORT; echo left with \$?; stty -a | grep -o ' echo '; cat" 3>&- 4>&-
}

screen() {
  on_terminal capture-pane -p "$@"
}

shows() {
  screen | grep -qE "$1"
}

sees() {
  eventually 10 shows "$1" || fail "not '$1' but: $(screen)"
}

press() {
  on_terminal send-keys "$@"
}

@test "80 by 24: listeners, workers, and it leaves the terminal as it was" {
  top_in 80 24 env
  sees "127.0.0.1:$PORT  reuseport, steal 15, rotate 1, 4 workers"
  sees 'waits'
  [[ $(screen | awk 'length > 80' | wc -l) -eq 0 ]] || fail "$(screen)"
  press q
  sees 'left with 0'
  sees '^ echo'
}

@test "a worker that is stuck is red, and said to be so without colour" {
  kill -STOP "$(pgrep -P "$SERVER" | head -n 1)"
  top_in 80 24 env
  sees 'STUCK [1-9]'
  screen -e | grep -q $'\e\\[31m.*STUCK' || fail "$(screen -e)"
  press q
  sees 'left with 0'
  top_in 80 24 env NO_COLOR=1
  sees 'STUCK [1-9]'
  screen -e | grep -q $'\e\\[0;7m.*STUCK' || fail "$(screen -e)"
}

@test "keys: help, pause, sort, filter" {
  top_in 100 30 env
  sees 'sorted by accepts'
  press h
  sees 'it has not waited for connections'
  press h s
  sees 'sorted by stolen'
  press p
  sees 'PAUSED'
  press p / nowhere Enter
  sees 'filter: nowhere'
  sees 'no listener of a server'
  press / Escape
  sees '4 workers'
}

@test "it follows a change of the terminal's size" {
  top_in 100 30 env
  sees '4 workers'
  on_terminal resize-window -x 60 -y 10
  sees '4 workers'
  [[ $(screen | awk 'length > 60' | wc -l) -eq 0 ]] || fail "$(screen)"
}

pid_of_top() {
  pgrep -P "$(on_terminal display-message -p '#{pane_pid}')"
}

@test "told to end by a signal it leaves the terminal as it was" {
  local signal
  for signal in TERM HUP INT; do
    top_in 80 24 env
    sees '4 workers'
    kill -"$signal" "$(pid_of_top)"
    sees 'left with 0'
    sees '^ echo'
  done
}

# The kernel tells the shell, which here does not pass it on.
@test "when the terminal is taken away it ends" {
  local top
  top_in 80 24 trap "''" HUP \;
  sees '4 workers'
  top=$(pid_of_top)
  on_terminal kill-server
  eventually 10 is_gone "$top" || fail "$(ps -o pid,stat,args -p "$top")"
}

@test "without a terminal, or in one that cannot be drawn on, it says so" {
  top_in 80 24 env TERM=dumb
  sees 'unherd top: this needs a terminal; see unherd stat --watch'
  run "$UNHERD" top ":$PORT" </dev/null
  expect 125 'unherd top: this needs a terminal; see unherd stat --watch'
  run "$UNHERD" top --fast
  expect 2 'unherd top: --fast: not understood; see unherd help top'
}
