#!/usr/bin/env bats
# Listeners of each family, the options of what they accept, their queues, and the end of their lives.

source "$BATS_TEST_DIRNAME/lab.bash"

# bats test_tags=patient
@test "IPv4, IPv6, dual-stack, IPV6_V6ONLY: each is reached over what it was bound to, and nothing else" {
  in_every_mode $'over IPv4: 20 of 20\nover IPv6: 0 of 20' listeners families ip4
  in_every_mode $'over IPv4: 0 of 20\nover IPv6: 20 of 20' listeners families ip6
  in_every_mode $'over IPv4: 20 of 20\nover IPv6: 20 of 20' listeners families dual
  in_every_mode $'over IPv4: 0 of 20\nover IPv6: 20 of 20' listeners families v6only
}

# bats test_tags=patient
@test "AF_UNIX streams, by path and abstract" {
  in_every_mode "over a local socket: 60 of 60" listeners unix "$BATS_TEST_TMPDIR/s"
  in_every_mode "over a local socket: 60 of 60" listeners unix "@unherd-lab-$$"
}

# bats test_tags=patient
@test "AF_UNIX asked to be sharded becomes exclusive, and one line says why" {
  local said
  said=$(UNHERD_LOG=info with reuseport listeners unix "$BATS_TEST_TMPDIR/s" 2>&1 >/dev/null)
  [[ $said == "unherd: unix:$BATS_TEST_TMPDIR/s: exclusive, rotated every 1 (AF_UNIX has no SO_REUSEPORT)" ]] ||
    fail "$said"
}

# bats test_tags=patient
@test "the connections of every shard have the options that were set before listen()" {
  same listeners inherited before
}

# bats test_tags=patient
@test "the connections of every shard have the options that were set after listen()" {
  same listeners inherited after
}

# bats test_tags=patient
@test "the connections of every shard have the options that were set while the workers waited" {
  same listeners inherited late
}

# bats test_tags=patient
@test "TCP_DEFER_ACCEPT holds on every shard" {
  in_every_mode "answered before they spoke: 0, afterwards: 20" listeners deferred
}

# bats test_tags=patient
@test "SO_REUSEPORT and O_NONBLOCK read back as the server set them" {
  same listeners read-back
}

# backlogs_of PORT COUNT BACKLOG: that many sockets listen there, each with that backlog.
backlogs_are() {
  local seen
  seen=$(ss -Hltn "sport = :$1" | awk '{ print $3 }' | sort | uniq -c | awk '{ print $1 "x" $2 }')
  [[ $seen == "$2x$3" ]]
}

# Started here and ended here: a server that does its next step at each line that it reads.
start_stepwise() {
  mkfifo "$BATS_TEST_TMPDIR/steps"
  with "$1" "${@:2}" <"$BATS_TEST_TMPDIR/steps" >"$BATS_TEST_TMPDIR/said" 2>/dev/null &
  exec 9>"$BATS_TEST_TMPDIR/steps"
  stepwise=$!
}

has_said() {
  grep -qx "$1" "$BATS_TEST_TMPDIR/said"
}

end_stepwise() {
  exec 9>&-
  wait "$stepwise"
}

# bats test_tags=patient
@test "listen() again gives every shard the new backlog, spares included when their time comes" {
  local port
  start_stepwise reuseport lifetime backlog
  eventually 10 has_said listening
  port=$(sed -n 's/^port //p' "$BATS_TEST_TMPDIR/said")
  backlogs_are "$port" 3 17 || fail "$(ss -Hltn "sport = :$port")"
  echo >&9
  eventually 10 has_said 'listening again'
  backlogs_are "$port" 3 33 || fail "$(ss -Hltn "sport = :$port")"
  end_stepwise
}

@test "a second start fails with EADDRINUSE, with the library and without" {
  local mode port
  for mode in exclusive reuseport; do
    rm -f "$BATS_TEST_TMPDIR"/*
    start_stepwise "$mode" lifetime backlog
    eventually 10 has_said listening
    port=$(sed -n 's/^port //p' "$BATS_TEST_TMPDIR/said")
    in_every_mode "bind: EADDRINUSE" lifetime second-start "$port"
    end_stepwise
    in_every_mode "bind: ok" lifetime second-start "$port"
  done
}

# bats test_tags=patient
@test "TCP_INFO on the listener shows what is queued on all shards" {
  in_every_mode $'queued: 50\nanswered: 50, queued then: 0' lifetime queues
}

# bats test_tags=patient
@test "shutdown() ends every shard, listen() brings them back" {
  same lifetime ends shutdown
}

@test "connect() to AF_UNSPEC ends every shard, listen() brings them back" {
  same lifetime ends disconnect
}

# bats test_tags=patient
@test "a listener is copied by dup, dup2, dup3 and fcntl, and the original closed" {
  local how
  for how in dup dup2 dup3 F_DUPFD F_DUPFD_CLOEXEC over; do
    same lifetime copies "$how"
  done
}

# bats test_tags=patient
@test "an epoll instance is copied and the original closed" {
  same lifetime instances
}

# bats test_tags=patient
@test "a registration outlives the number that it was made with" {
  same lifetime outlives
}

@test "the address is free as soon as all processes have closed the listener" {
  same lifetime address-again
  same lifetime closed-by-workers
}

# bats test_tags=patient
@test "a list of messages ends in memory that is not there: what comes before is sent" {
  same sent list
}

# bats test_tags=patient
@test "a listener is sent to another process, in whichever way: all its workers go on" {
  same sent workers
  local steal
  for steal in 0 1; do
    UNHERD_STEAL=$steal expect "$(plain sent workers)" reuseport sent workers
  done
}

# bats test_tags=patient
@test "a number that was a listener's is a connection's, and in no epoll instance" {
  same shared_instance replaced
}

# bats test_tags=patient
@test "a child goes on with its parent's epoll instance, and the parent closes it, or the listener" {
  same shared_instance closed
}
