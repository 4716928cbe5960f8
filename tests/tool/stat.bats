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

@test "a local socket's queue, and a name that is no text" {
  cat >server.py <<'PYTHON'
import select, socket, sys
listener, visitors = socket.socket(socket.AF_UNIX), []
listener.bind(b"local\xff\"\xc3\xa9")
listener.listen(7)
poll = select.epoll()
poll.register(listener)
for _ in range(3):
    visitors.append(socket.socket(socket.AF_UNIX))
    visitors[-1].connect(listener.getsockname())
poll.poll()
print("waits", flush=True)
sys.stdin.read()
PYTHON
  mkfifo hold
  LD_PRELOAD=$TESTED_PRELOAD UNHERD_MODE=reuseport /usr/bin/python3 server.py <hold >said 2>server.log 3>&- 4>&- &
  SERVER=$!
  exec 7>hold
  eventually 10 grep -q waits said || fail "$(cat server.log)"
  stat_of "pid:$SERVER"
  expect 0 'unix:local?"é: exclusive, steal 15, rotate 1 (AF_UNIX has no SO_REUSEPORT)*3 queued of 7,*fell back: not sharded as asked (1)'
  "$UNHERD" stat --prometheus "pid:$SERVER" >metrics
  /usr/bin/python3 - metrics <<'PYTHON'
import sys
from prometheus_client.parser import text_fd_to_metric_families
samples = [s for f in text_fd_to_metric_families(open(sys.argv[1])) for s in f.samples]
assert {s.labels["listener"] for s in samples} == {'unix:local?"\u00e9'}, samples
assert [s.value for s in samples if s.name == "unherd_queue_limit_connections"] == [7]
assert not any({"instance", "job"} & set(s.labels) for s in samples), samples
PYTHON
  exec 7>&-
}

# There the queues are read in /proc, which does not say how long they may be.
@test "a server in another network namespace" {
  [[ $(id -u) -eq 0 ]] || skip "needs root, to make one"
  PORT=$(free_port 21000 31000)
  LD_PRELOAD=$TESTED_PRELOAD UNHERD_MODE=reuseport unshare --net -- sh -c 'ip link set lo up && exec "$@"' \
    sh "$TESTED_BUILD/prefork" -p "$PORT" -w 2 >server.log 2>&1 3>&- 4>&- &
  SERVER=$!
  eventually 10 two_wait || fail "$(cat server.log)"
  stat_of "pid:$SERVER"
  expect 0 "127.0.0.1:$PORT: reuseport*  queue  1        0 queued, *"
  status=0
  output=$("$UNHERD" check "pid:$SERVER" 2>&1) || status=$?
  expect 0 '*the library is at work, for 2 workers: reuseport (as asked)'
}

two_wait() {
  [[ $("$UNHERD" stat "pid:$SERVER" 2>/dev/null | grep -c 'queue .*s$') -eq 2 ]]
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
