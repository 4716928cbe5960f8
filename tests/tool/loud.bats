#!/usr/bin/env bats
# unherd run says where the library is not at work, and --require ends the server then.

load tool

teardown() {
  [[ -z ${SERVER:-} ]] || kill "$SERVER" 2>/dev/null || true
}

# started ARG... -- KIND...: the server of apart.py under unherd run, ended by a line on its standard input; said: its stderr.
started() {
  local options=()
  while [[ $1 != -- ]]; do options+=("$1") && shift; done
  shift
  mkfifo end
  UNHERD_EXEC=0 "$UNHERD" run "${options[@]}" -- /usr/bin/python3 "$TESTS/tool/apart.py" "$@" <>end >pids 2>said 3>&- &
  SERVER=$!
  eventually 10 has_lines pids 1 || fail "it does not start: $(cat said)"
}

has_lines() {
  [[ $(wc -l <"$1") -ge $2 ]]
}

ended() {
  echo >end
  status=0
  wait "$SERVER" || status=$?
  SERVER=''
}

watchers_of() {
  # shellcheck disable=SC2009 # by name and by arguments
  ps -eo comm=,args= | grep '^unherd-watch' | grep -cF "$TESTS/tool/apart.py $*" || true
}

has_a_watcher() {
  [[ $(watchers_of "$@") -eq 1 ]]
}

has_no_watcher() {
  [[ $(watchers_of "$@") -eq 0 ]]
}

@test "a process that waits without the library is named, once, with the reason; the server goes on" {
  started -- with without
  eventually 10 has_lines said 1 || fail "nothing is said"
  ended
  [[ $status -eq 0 ]]
  eventually 10 has_no_watcher with without || fail "the watcher goes on"
  [[ $(wc -l <said) -eq 1 ]] || fail "$(cat said)"
  grep -qE "^unherd run: 127\.0\.0\.1:[0-9]+: python3\[$(cut -d ' ' -f 2 pids)\] waits for it without the library: its parent has it" \
    said || fail "$(cat said)"
}

@test "a worker that a server in the background starts only after it listens is named too" {
  started -- background later without
  eventually 10 has_no_watcher background later without || fail "the watcher goes on"
  ended
  grep -qF "[$(cat pids)] waits for it without the library: " said || fail "nothing is said"
}

@test "--require ends the server then, and its status is its own" {
  started --require -- without
  status=0
  wait "$SERVER" || status=$?
  SERVER=''
  kill -KILL "$(cat pids)"
  [[ $status -eq 143 ]] || fail "status $status: $(cat said)"
  [[ $(tail -n 1 said) == 'unherd run: --require: the server is ended' ]] || fail "$(cat said)"
}

@test "with the library in all of them nothing is said, nor ended" {
  started --require -- with with
  eventually 5 has_a_watcher with with || fail "nobody watches"
  eventually 2 has_lines said 1 && fail "$(cat said)"
  ended
  [[ $status -eq 0 && ! -s said ]] || fail "status $status: $(cat said)"
  eventually 10 has_no_watcher with with || fail "the watcher goes on"
}

@test "no word with --log off, nor where no listener is asked for" {
  started --log off -- without
  has_no_watcher without || fail "somebody watches"
  ended
  [[ ! -s said ]] || fail "$(cat said)"
}

@test "the command has no child that it has not started, and nobody holds its standard output" {
  run timeout 10 "$UNHERD" run -- /usr/bin/python3 -c '
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [])
try:
    print(os.waitpid(-1, 0))
except ChildProcessError:
    print("none", signal.sigpending())'
  [[ $status -eq 0 && $output == 'none set()' ]] || fail "$status: $output"
}
