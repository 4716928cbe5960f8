#!/usr/bin/env bats
# Descriptor numbers: the server's stay dense, the library's stay out of sight and out of reach.

source "$BATS_TEST_DIRNAME/lab.bash"

@test "a server gets the same descriptor numbers as without the library" {
  same numbers dense
}

@test "hidden descriptors are high, close-on-exec, and answer EBADF to every hooked call" {
  local mode
  for mode in exclusive reuseport; do
    expect $'low 0, inherited by exec 0, calls that reach one 0\nall still there: yes' "$mode" numbers hidden
  done
}

@test "exclusive hides one descriptor for a listener, reuseport a shard set's, off none" {
  local seen
  seen=$(UNHERD_SHARDS=4 with reuseport numbers hidden 2>&1 >/dev/null)
  [[ $seen == "hidden 5" ]] || fail "reuseport, four shards: $seen" # three spares, the memory, the kick
  seen=$(with exclusive numbers hidden 2>&1 >/dev/null)
  [[ $seen == "hidden 1" ]] || fail "exclusive: $seen"
  seen=$(with off numbers hidden 2>&1 >/dev/null)
  [[ $seen == "hidden 0" ]] || fail "off: $seen"
}

@test "close() on every number up to the limit" {
  same numbers close-all loop
}

@test "close_range() over everything" {
  same numbers close-all range
}

@test "close_range() with CLOSE_RANGE_CLOEXEC over everything" {
  same numbers close-all on-exec
}

@test "closefrom()" {
  same numbers close-all closefrom
}

@test "a close loop over /proc/self/fd" {
  same numbers close-all proc
}

@test "a listener that goes with all the rest leaves nothing behind" {
  same numbers close-listener-too
}

@test "all of that again under a limit of 64 descriptors" {
  ulimit -n 64
  same numbers dense
  same numbers close-all loop
  same numbers close-all closefrom
  same numbers close-listener-too
  expect $'low 0, inherited by exec 0, calls that reach one 0\nall still there: yes' reuseport numbers hidden
}
