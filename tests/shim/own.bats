#!/usr/bin/env bats
# Servers that shard by themselves.

source "$BATS_TEST_DIRNAME/lab.bash"

# What is queued for nobody is not answered without the library: only stealing does it.

@test "two of four workers are killed, and nobody takes their sockets: the others empty them" {
  local mode steal wanted=$'all there: 200 of 200\ntwo gone: 200 of 200'
  for mode in auto reuseport; do
    for steal in 1 15; do
      UNHERD_STEAL=$steal expect "$wanted" "$mode" own orphans
    done
  done
}

@test "three of four sockets are closed: the last one's worker empties them, and a new socket takes one up as asked" {
  local mode
  for mode in auto reuseport; do
    expect $'listen: ok\nflags: 0, status: 2, keepalive: 1, reuseport: 1\nanswered: 200 of 200' "$mode" own again
  done
}

@test "one instance for all four sockets; all are closed, and the address is free" {
  same own one-instance
}

@test "sockets are closed and opened again, a hundred times" {
  same own cycles
}

@test "one socket is shut down, and listens again: its neighbours do not notice" {
  same own paused
}

@test "sockets that block are left to their own workers" {
  same own blocking
}

@test "eight threads listen at the same moment, each on a socket of its own" {
  local mode said
  same own racing
  for mode in auto reuseport; do
    said=$(UNHERD_LOG=info with "$mode" own racing 2>&1)
    [[ $said == *"the server's own shard 7"* ]] || fail "$said"
  done
}
