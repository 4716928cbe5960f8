#!/usr/bin/env bats
# unherd bench: what it refuses, what it finds of the bundled server, and that nothing outlives it.

load tool

setup() {
  UNHERD=$TESTED_BUILD/unherd
  unset LD_PRELOAD "${!UNHERD_@}"
  cd "$BATS_TEST_TMPDIR" || return
  PORT=$(free_port 21000 31000)
}

teardown() {
  [[ -z ${BENCH:-} ]] || kill -KILL "$BENCH" 2>/dev/null || true
  marked | xargs -r kill -KILL
}

# bench ARG...: unherd bench, and everything that it starts has a mark in its environment.
bench() {
  env "BENCH_MARK=$BATS_TEST_TMPDIR" "$UNHERD" bench "$@"
}

marked() {
  grep -lzxF "BENCH_MARK=$BATS_TEST_TMPDIR" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3
}

nobody_is_left() {
  [[ -z $(marked) ]]
}

# refused STATUS PATTERN ARG...: in one line.
refused() {
  status=0
  output=$(bench "${@:3}" 2>&1) || status=$? # `run` has words of its own on status 127
  mapfile -t lines <<<"$output"
  expect "$1" "unherd bench: $2"
  one_line
}

# says EXPECTED EXPRESSION: of what was written to out.json; `mode` has the modes' rounds by name.
says() {
  local seen
  seen=$(/usr/bin/python3 -c "import json; all = json.load(open('out.json')); mode = {one['mode']: one['rounds'] for one in all['modes']}; print($2)")
  [[ $seen == "$1" ]] || fail "$2 is not $1 but $seen: $(cat out.json)"
}

@test "bad options are status 2, in one line that names them" {
  refused 2 'no command given; *'
  refused 2 '--frob: not understood; *' --frob -- true
  refused 2 '--rate x: not a number *' --rate x -- true
  refused 2 '--rounds 0: not a whole number *' --rounds 0 -- true
  refused 2 '--duration needs a value' --duration
  refused 2 '--modes stock,wild: not of stock, *' --modes stock,wild -- true
  refused 2 '--modes : not of stock, *' --modes '' -- true
  refused 2 '--native own=: no command' --native own= -- true
  refused 2 '--native stock=x: another has that name; *' --native stock=x -- true
  refused 2 '--native Y=1 y: another has that name; *' --native X=1 --native 'Y=1 y' -- true
  refused 2 '--native a-name-that-is-long=x: the name has more *' --native a-name-that-is-long=x -- true
  refused 2 '--native i=x: there are eight already' --native={a,b,c,d,e,f,g,h,i}=x -- true
  refused 2 '--no-answer goes with --url tcp: *' --no-answer -- true
  refused 2 '--url ftp://x: not http://*' --url ftp://x -- true
  refused 2 '--url: 10.0.0.1:80: not a loopback address; *' --url http://10.0.0.1/ -- true
  refused 2 '--url: 127.0.0.1:0: no port *' --url http://127.0.0.1:0/ -- true
  refused 2 '--send: behind a backslash *' --url tcp: --send 'x\q' -- true
  refused 2 '--keep-alive goes with HTTP, *' --keep-alive --url tcp: -- true
  refused 2 '--stall is longer *' --stall 5000 -- true
  refused 2 '--reload FOO: not one of *' --reload FOO -- true
  refused 2 '--plot /nowhere/x.svg: No such file *' --plot /nowhere/x.svg -- true
  refused 127 'no-such-server: command not found' -- no-such-server
  refused 126 '*static is statically linked: *' -- "$FIXTURES/static"
}

@test "a plot without gnuplot is refused before anything is started" {
  PATH=/nowhere run "$UNHERD" bench --plot x.svg -- "$TESTED_BUILD/prefork" -p "$PORT"
  expect 2 'unherd bench: --plot needs gnuplot, which is not installed'
  [[ ! -e x.svg ]]
}

@test "a server that ends at once is named with what it said last" {
  run bench -- "$TESTED_BUILD/prefork" -p "$PORT" -w none
  expect 125 "unherd bench: stock: the server ended with status 2 before it listened*prefork: *usage: prefork*"
}

@test "a server that never listens is given up, and ended" {
  run bench --wait 1 -- /bin/sh -c 'while :; do sleep 1; done'
  expect 125 'unherd bench: stock: the server does not listen within 1 s (--wait)'
  nobody_is_left
}

@test "a port that others have is said to be taken" {
  "$TESTED_BUILD/prefork" -p "$PORT" -w 1 >/dev/null 3>&- 4>&- &
  eventually 5 listens_exactly "$PORT" 1
  run bench --wait 1 --url "http://127.0.0.1:$PORT/" -- "$TESTED_BUILD/prefork" -p "$PORT"
  kill %1
  expect 125 "unherd bench: 127.0.0.1:$PORT is taken already, by process $!"
}

@test "the bundled server: a table, shares, losses and a recommendation" {
  run bench --duration 0.1 --rounds 2 --modes stock,exclusive -- "$TESTED_BUILD/prefork" -p "$PORT" -w 3
  expect 0 "127.0.0.1:$PORT/: 16 at once in a closed loop, *recommended: *"
  [[ $output =~ listener\ +-\ +one\ queue ]] || fail "$output"
  [[ $output =~ lost\ +'0 (0)'\ +'0 (0)' ]] || fail "$output"
  nobody_is_left
}

@test "as JSON: every mode, each worker's share, what was stolen from one that was stopped, and no bar" {
  bench --json --duration 0.6 --rounds 1 --rate 500 --stall 300 --modes reuseport,no-stealing --plot x.svg \
    --native "two=exec $TESTED_BUILD/prefork -p $PORT -w 2" -- "$TESTED_BUILD/prefork" -p "$PORT" -w 3 >out.json 2>errors ||
    fail "$(cat errors)"
  [[ ! -s errors ]] || fail "$(cat errors)"
  says "['reuseport', 'no-stealing', 'two']" '[one["mode"] for one in all["modes"]]'
  says '[3, 3, 2]' '[len(one["rounds"][0]["shares"]) for one in all["modes"]]'
  says "['3 queues', '3 queues', None]" '[one["listener"] for one in all["modes"]]'
  says '0.0' 'sum(one["rounds"][0]["lost"] for one in all["modes"])'
  says 'True' 'mode["reuseport"][0]["stolen"] > 0'
  says '0.0' 'mode["no-stealing"][0]["stolen"]'
  says 'True' 'mode["no-stealing"][0]["max_ms"] > 200' # whoever is queued for the stopped one waits for it
  grep -q 'not known' x.svg && fail 'the plot knows the shares no more'
  [[ $(grep -oE '>(reuseport|no-stealing|two)<' x.svg | sort | uniq -c | tr -s ' \n' ' ') == ' 2 >no-stealing< 2 >reuseport< 2 >two< ' ]]
  grep -q '</svg>' x.svg
  nobody_is_left
}

@test "connections that are kept, and plain TCP" {
  local load
  for load in '--keep-alive' '--url tcp: --send GET\x20/\r\n\r\n'; do
    read -ra words <<<"$load"
    bench --json --duration 0.1 --rounds 1 --modes stock "${words[@]//\\x20/ }" -- "$TESTED_BUILD/prefork" -p "$PORT" >out.json
    says '(True, 0.0)' '(mode["stock"][0]["per_second"] > 50, mode["stock"][0]["lost"])'
  done
}

# answering ANSWER: a server that says so to each request, without an end of the connection.
answering() {
  script answering '#!/usr/bin/python3' 'import socket, sys, threading' \
    'def serve(one):' '    while one.recv(9999):' "        one.sendall($1)" \
    "server = socket.create_server(('127.0.0.1', $PORT), backlog=100)" \
    'while True: threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()'
}

@test "an answer that is kept ends where it says, behind a large head, in words of any case" {
  answering 'b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 20000 + b"\r\ntransfer-ENCODING: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"'
  bench --json --duration 0.1 --rounds 1 --modes stock --keep-alive --connections 2 -- ./answering >out.json
  says '(True, 0.0)' '(mode["stock"][0]["per_second"] > 50, mode["stock"][0]["lost"])'
}

@test "who closes without a byte has not answered, if it was not said" {
  script silent '#!/usr/bin/python3' 'import socket' "server = socket.create_server(('127.0.0.1', $PORT), backlog=100)" \
    'while True: server.accept()[0].close()'
  run bench --wait 1 --url tcp: --rounds 1 --modes stock -- ./silent
  expect 125 'unherd bench: stock: the server does not answer within 1 s (--wait)'
  bench --json --duration 0.1 --rounds 1 --modes stock --url tcp: --no-answer -- ./silent >out.json
  says '(True, 0.0)' '(mode["stock"][0]["per_second"] > 50, mode["stock"][0]["lost"])'
}

@test "interrupted or killed it leaves no process, not even of a server that became a daemon" {
  local signal
  script daemon '#!/bin/sh' "setsid $TESTED_BUILD/prefork -p $PORT -w 2 >/dev/null 2>&1 &" 'exit 0'
  for signal in INT TERM HUP KILL; do
    env "BENCH_MARK=$BATS_TEST_TMPDIR" setsid "$UNHERD" bench --duration 60 -- ./daemon >output 2>&1 3>&- 4>&- &
    BENCH=$!
    eventually 10 listens_exactly "$PORT" 1 || fail "$(cat output)"
    kill "-$signal" "$BENCH"
    status=0
    wait "$BENCH" || status=$?
    [[ $status -eq $((128 + $(kill -l "$signal"))) ]] || fail "status $status: $(cat output)"
    eventually 5 nobody_is_left || fail "left: $(ps -o pid=,args= -p "$(marked | paste -sd ,)")"
  done
}

# interrupted FILE ARG...: it gets SIGINT once FILE has 100 bytes, and ends by it with all that it started.
interrupted() {
  env "BENCH_MARK=$BATS_TEST_TMPDIR" setsid "$UNHERD" bench --modes stock "${@:2}" >output 2>&1 3>&- 4>&- &
  BENCH=$!
  eventually 10 has_100_bytes "$1" || fail "$(cat output)"
  kill -INT "$BENCH"
  status=0
  wait "$BENCH" || status=$?
  [[ $status -eq 130 ]] || fail "status $status: $(cat output)"
  nobody_is_left || fail "left: $(ps -o pid=,args= -p "$(marked | paste -sd ,)")"
}

has_100_bytes() {
  [[ -e $1 && $(stat -c %s "$1") -ge 100 ]]
}

@test "interrupted in the middle of the load, and while the server is being ended" {
  script counting '#!/usr/bin/python3' 'import socket' "server = socket.create_server(('127.0.0.1', $PORT), backlog=100)" \
    'while True:' '    one = server.accept()[0]' '    one.sendall(b"x")' '    one.close()' '    open("taken", "a").write("1")'
  interrupted taken --duration 60 --url tcp: -- ./counting
  script stubborn '#!/bin/sh' 'trap "seq 100 >told" TERM' "$TESTED_BUILD/prefork -p $PORT -w 2 &" 'while :; do sleep 0.1; done'
  interrupted told --duration 0.1 --rounds 9 -- ./stubborn
}
