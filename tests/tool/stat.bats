#!/usr/bin/env bats
# unherd stat: what it is asked, and in which forms it answers. That its counts are true is tested on real servers.

load tool

teardown() { end_of_serving; }

stat_of() {
  answer stat "$@"
}

@test "bad questions are status 2, in one line, and no server is status 127" {
  stat_of --jsn
  expect 2 'unherd stat: --jsn: there is no such option'
  stat_of --watch soon
  expect 2 'unherd stat: --watch soon: not a number of seconds from 1 to 86400'
  stat_of one two
  expect 2 'unherd stat: one process, port or address at a time'
  stat_of nginx
  expect 2 'unherd stat: nginx: neither a process nor a port nor an address'
  stat_of "pid:$$"
  expect 127 'unherd stat: no listener*'
  one_line
}

@test "workers, queues and spares, by port, process and address" {
  serve reuseport
  stat_of ":$PORT"
  expect 0 "127.0.0.1:$PORT: reuseport, steal 15, rotate 1 (as asked)*  queue  0 *0 queued of *  spares *"
  stat_of "pid:$SERVER"
  expect 0 "127.0.0.1:$PORT: reuseport*"
  stat_of "127.0.0.1:$PORT"
  expect 0 "127.0.0.1:$PORT: reuseport*"
  stat_of ":$((PORT + 1))"
  expect 127 'unherd stat: no listener*'
}

@test "accepts of killed workers stay in the totals" {
  local before after
  serve exclusive
  before=$(total)
  kill -KILL "$(pgrep -P "$SERVER" | head -n 1)"
  eventually 10 all_four_answer
  after=$(total)
  [[ $after -ge $((before + 20)) ]] || fail "$before, and later $after"
}

total() {
  "$UNHERD" stat --prometheus ":$PORT" | awk '/^unherd_(home|stolen|unattended)_accepts_total/ { sum += $2 } END { print sum }'
}

@test "Prometheus can read it" {
  serve reuseport
  "$UNHERD" stat --prometheus ":$PORT" >metrics
  /usr/bin/python3 - metrics <<'PYTHON'
import sys
from prometheus_client.parser import text_fd_to_metric_families
families = {family.name: family for family in text_fd_to_metric_families(open(sys.argv[1]))}
assert families["unherd_worker_accepts"].type == "counter", families
assert len({sample.labels["pid"] for sample in families["unherd_worker_accepts"].samples}) == 4
assert families["unherd_queued_connections"].type == "gauge"
assert all(family.documentation.endswith(".") for family in families.values())
PYTHON
}

@test "it goes on as often as it is asked to" {
  serve reuseport
  "$UNHERD" stat --watch 1 ":$PORT" >watched 3>&- 4>&- &
  eventually 10 seen_twice || fail "$(cat watched)"
  kill $!
}

seen_twice() {
  [[ $(grep -c "^127.0.0.1:$PORT: " watched) -ge 2 ]]
}

# A worker that was broken into can write anything there.
@test "memory that was scribbled on is read within its bounds" {
  local byte
  serve reuseport
  for byte in '\377' '\001' '\177'; do
    scribble "$byte"
    stat_of --json ":$PORT"
    [[ $status -eq 0 || $status -eq 127 ]] || fail "status $status: $output"
    stat_of
    [[ $status -eq 0 || $status -eq 127 ]] || fail "status $status: $output"
  done
}

# The magic and the version stay: else it is not looked at.
scribble() {
  local fd
  for fd in /proc/"$SERVER"/fd/*; do
    [[ $(readlink "$fd") == *memfd:unherd* ]] || continue
    head -c 60000 /dev/zero | tr '\0' "$1" | dd of="$fd" bs=1 seek=16 conv=notrunc status=none
    return
  done
  fail "no memory found"
}
