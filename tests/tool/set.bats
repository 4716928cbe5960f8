#!/usr/bin/env bats
# unherd set: what it is asked, what it refuses, and who may. That the kernel does what it says is tested on real servers.

load tool

teardown() { end_of_serving; }

set_of() {
  answer set "$@"
}

# is_set WORDS: what stat says of the listener.
is_set() {
  [[ $("$UNHERD" stat ":$PORT" | head -n 1) == "127.0.0.1:$PORT: $1" ]] || fail "$("$UNHERD" stat ":$PORT" | head -n 1)"
}

# refuses STATUS LINE ARGUMENTS...
refuses() {
  set_of "${@:3}"
  expect "$1" "unherd set: $2"
  one_line
}

@test "bad questions are status 2, in one line, and no server is status 127" {
  refuses 2 'a process, a port or an address is needed'
  refuses 2 'a process, a port or an address is needed' --steal 1
  refuses 2 'nothing to set: --mode, --steal or --rotate' :80
  refuses 2 'one process, port or address at a time' :80 :81 --steal 1
  refuses 2 'nginx: neither a process nor a port nor an address' nginx --steal 1
  refuses 2 '--mode auto: not one of exclusive, reuseport, off' :80 --mode auto
  refuses 2 '--mode many: not one of exclusive, reuseport, off' :80 --mode many
  refuses 2 '--steal 256: not a number from 0 to 255' :80 --steal 256
  refuses 2 '--steal -1: not a number from 0 to 255' :80 --steal -1
  refuses 2 '--rotate often: not a number from 0 to 1000000' :80 --rotate often
  refuses 2 '--rotate : not a number from 0 to 1000000' :80 --rotate ''
  refuses 2 '--mode needs a value' :80 --mode
  refuses 2 '--stel: there is no such option' :80 --stel
  refuses 127 'no listener*' "pid:$$" --steal 1
}

@test "what is named is set, and nothing else" {
  serve reuseport
  set_of "pid:$SERVER" --steal 3
  expect 0 "127.0.0.1:$PORT: reuseport, steal 3, rotate 1; was reuseport, steal 15, rotate 1"
  set_of --rotate 0 "127.0.0.1:$PORT"
  expect 0 "127.0.0.1:$PORT: reuseport, steal 3, rotate 0; was reuseport, steal 3, rotate 1"
  set_of ":$PORT" --mode=off
  expect 0 "127.0.0.1:$PORT: off, steal 3, rotate 0; was reuseport, steal 3, rotate 0"
  is_set 'off, steal 3, rotate 0 (set; it began as reuseport: as asked)'
  "$UNHERD" stat --json ":$PORT" | /usr/bin/python3 -c '
import json, sys
[listener] = json.load(sys.stdin)["listeners"]
assert (listener["mode"], listener["began_as"], listener["steal"], listener["rotate"]) == ("off", "reuseport", 3, 0)'
  set_of ":$PORT" --mode reuseport --steal 15 --rotate 1
  is_set 'reuseport, steal 15, rotate 1 (as asked)'
}

@test "more than one queue cannot be had later, and nothing is changed" {
  serve exclusive
  refuses 1 "127.0.0.1:$PORT: it has one queue, *start it with --mode reuseport" ":$PORT" --mode reuseport --rotate 7
  refuses 1 "127.0.0.1:$PORT: it has one queue: there is nothing to steal from" ":$PORT" --steal 7 --rotate 7
  is_set 'exclusive, steal 15, rotate 1 (as asked)'
  set_of ":$PORT" --mode off
  expect 0 "127.0.0.1:$PORT: off, *; each worker follows when it next wakes"
  set_of ":$PORT" --mode exclusive
  expect 0 "127.0.0.1:$PORT: exclusive, *"
  visit 4
}

# Each changes its own part, however they interleave.
@test "two at once undo nothing of each other" {
  local i
  serve reuseport
  for i in {1..15}; do "$UNHERD" set ":$PORT" --steal "$i" >/dev/null; done &
  for i in {1..15}; do "$UNHERD" set ":$PORT" --rotate "$i" >/dev/null; done
  wait $!
  is_set 'reuseport, steal 15, rotate 15 (as asked)'
}

@test "somebody else may not" {
  [[ $(id -u) -eq 0 ]] || skip "needs root"
  serve reuseport
  status=0
  output=$(setpriv --reuid 65534 --regid 65534 --clear-groups "$UNHERD" set ":$PORT" --steal 0 2>&1) || status=$?
  expect 127 "unherd set: no listener found; * processes are other people's: ask as root"
  is_set 'reuseport, steal 15, rotate 1 (as asked)'
}

# It names a descriptor that is no eventfd, and one that is not the same in all its processes.
@test "what the memory says of the eventfd is not believed" {
  local number
  serve reuseport
  for number in '\001\000\000\000' '\377\377\377\377' '\377\377\377\177' '\000\000\000\000'; do
    write_kick_number "$number"
    set_of ":$PORT" --steal 7
    expect 0 "*; each worker follows when it next wakes"
  done
  visit 4
}

# Behind the magic, the version, the size, the count, the policy, that which is followed, and whose the shards are.
write_kick_number() {
  local fd
  for fd in /proc/"$SERVER"/fd/*; do
    [[ $(readlink "$fd") == *memfd:unherd* ]] || continue
    # shellcheck disable=SC2059 # escapes
    printf "$1" | dd of="$fd" bs=1 seek=28 conv=notrunc status=none
    return
  done
  fail "no memory found"
}
