#!/usr/bin/env bats
# unherd check: what it says of real servers, which run without the library, or with it in some of their processes.

load ../lib/servers
load ../lib/daemons_more

teardown() {
  finish
}

# says STATUS WORDS: what the tool says of the server's port.
says() {
  local status=0 said
  said=$("$TESTED_BUILD/unherd" check ":$PORT" 2>&1) || status=$?
  [[ $status -eq $1 && $said == *"$2"* ]] || fail "status $status, not $1, or not '$2': $said"
}

# judged KIND STATUS WORDS
judged() {
  start_server "$1" stock
  says "$2" "$3"
  stop_server
}

@test "nginx helps; with its accept mutex it would not, and is told how to; with sockets of its own it does" {
  judged nginx 0 'helps, exclusive: its 4 workers are woken one at a time already'
  judged nginx_mutex 1 'set first: accept_mutex off;'
  judged nginx_own 0 'helps, auto: it has 4 sockets of its own'
}

@test "four workers in select are helped, in accept they would not be" {
  judged gunicorn_sync 0 'helps, exclusive: its 4 workers wait with select'
  judged php_fpm 1 'its 4 workers block in accept()'
}

@test "who is no worker is not counted: an instance beside accept(), a master that starts others, one instance for all" {
  judged apache_prefork_one 1 'its 4 workers block in accept()'
  judged php_fpm_ondemand 1 'a single worker waits for it'
  judged one_epoll 1 'have one epoll instance in common'
}

@test "uwsgi's lock is seen, and Node's one acceptor" {
  judged uwsgi_thunder 1 'set first: no --thunder-lock'
  judged node 1 'a single worker waits for it'
}

# A worker that has accepted nothing yet is registered as it asked.
all_are_exclusive() {
  drive --count 40 --parallel 4
  "$TESTED_BUILD/unherd" check ":$PORT" | grep -qx '  4 wait with epoll, EPOLLEXCLUSIVE'
}

@test "with the library it says so, by port, by process and in JSON" {
  start_server lighttpd exclusive
  eventually 10 all_are_exclusive
  says 0 'the library is at work, for 4 workers: exclusive (as asked)'
  "$TESTED_BUILD/unherd" check --json "pid:$MASTER" >"$DIRECTORY/check.json"
  /usr/bin/python3 - "$DIRECTORY/check.json" "$PORT" <<'PYTHON'
import json, sys
found = json.load(open(sys.argv[1]))
[listener] = [one for one in found["listeners"] if one["address"].endswith(":" + sys.argv[2])]
assert found["verdict"] == listener["verdict"] == "helps", found
assert listener["workers"] == 4 and all(one["exclusive"] for one in listener["waiters"]), found
assert all(one["library"] for one in listener["processes"]), found
PYTHON
}
