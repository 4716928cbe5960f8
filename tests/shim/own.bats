#!/usr/bin/env bats
# Servers that shard by themselves.

source "$BATS_TEST_DIRNAME/lab.bash"

# What is queued for nobody is not answered without the library: only stealing does it.

# bats test_tags=patient
@test "two of four workers are killed, and nobody takes their sockets: the others empty them" {
  local mode steal wanted=$'all there: 200 of 200\ntwo gone: 200 of 200'
  for mode in auto reuseport; do
    for steal in 1 15; do
      UNHERD_STEAL=$steal expect "$wanted" "$mode" own orphans
    done
  done
}

# bats test_tags=patient
@test "three of four sockets are closed: the last one's worker empties them, and a new socket takes one up as asked" {
  local mode
  for mode in auto reuseport; do
    expect $'listen: ok\nflags: 0, status: 2, keepalive: 1, reuseport: 1\nanswered: 200 of 200' "$mode" own again
  done
}

@test "one instance for all four sockets; all are closed, and the address is free" {
  same own one-instance
}

# bats test_tags=patient
@test "sockets are closed and opened again, a hundred times" {
  same own cycles
}

# bats test_tags=patient
@test "one socket is shut down, and listens again: its neighbours do not notice" {
  same own paused
}

# bats test_tags=patient
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

# bats test_tags=patient
@test "a socket that is in an epoll instance, and copied, before it listens: a closed one does not take its place" {
  same own_odd early
}

# bats test_tags=patient
@test "a socket that was in an epoll instance before it listened is closed: nobody is told of it any more" {
  same own_odd early-close
}

# bats test_tags=patient
@test "one of two sockets is closed while a thread waits for both: it sees the other's connections, and the rest of the first's" {
  same own_odd closed-under
}

# bats test_tags=patient
@test "one of several sockets with the same epoll_data is shut down: the server is told, as often as it asks" {
  same own_odd ends
}

# bats test_tags=patient
@test "a child goes on with its parent's instance, and another socket is shut down: its waits end in time, with nothing" {
  same own_odd inherited-end
}

# bats test_tags=patient
@test "sockets are shut down and then closed, three hundred times: nothing is left of them" {
  same own_odd shut-and-closed
}

# bats test_tags=patient
@test "descriptors run out at every step of a second socket's joining" {
  same own_odd few
}

# bats test_tags=patient
@test "one socket blocks, the other does not: whoever is told of a connection finds one" {
  same own_odd one-blocks
}

# bats test_tags=patient
@test "children that each open a socket beside their parent's are not taken for one family" {
  local said
  [[ $(plain own_odd families) == "$(with auto own_odd families)" ]]
  said=$(UNHERD_LOG=info with auto own_odd families 2>&1)
  [[ $said == *'other processes have sockets of their own'* && $said != *'own shard'* ]] || fail "$said"
}

# bats test_tags=patient
@test "one of two sockets is closed: it is kept only if a neighbour may empty it, and sockets that block have none" {
  same own_gone blocks
}

# bats test_tags=patient
@test "a socket was closed, and its only neighbour begins to block, or stops to wait: no connection goes to it any more" {
  same own_gone begins-to-block
  same own_gone stops-to-wait
}

# bats test_tags=patient
@test "a socket is closed that was copied, or that a daemon has from its parent: nobody is told of it any more" {
  same own_gone copied
  same own_gone daemonized
}

# bats test_tags=patient
@test "a new socket that a child has too, or that signals were asked for, is not put in a closed one's place" {
  same own_gone shared
  same own_gone signalled
}

# bats test_tags=patient
@test "a neighbour blocks, or a new one does that took a closed one's place: nobody is told in vain" {
  same own_ends blocks
  same own_ends opened-anew
}

# bats test_tags=patient
@test "a neighbour is shut down: accept ends as if there were none" {
  same own_ends shut
}

# bats test_tags=patient
@test "a neighbour pauses and listens again, five thousand times: nobody is told of an end" {
  same own_ends paused
}

# bats test_tags=patient
@test "a child goes on with its parent's instance, and closes a neighbour that was shut down: it is not told" {
  same own_ends ended-and-closed
}

# bats test_tags=patient
@test "a child that shares an instance sees a pause: the neighbour is emptied from there all the same later" {
  same_in "off auto reuseport" own_ends paused-for-child
}

@test "the number of a socket changes that poll() waits for: it sleeps, and empties its neighbour" {
  local mode
  [[ $(plain own_ends moved) == 'served: its own, asleep between' ]]
  for mode in auto reuseport; do
    expect 'served: all, asleep between' "$mode" own_ends moved
  done
}
