#!/usr/bin/env bats
# The load generator's random traffic: what it asks the server for, as that sees it.

load ../lib/common

teardown() {
  [[ -z ${SERVER:-} ]] || kill "$SERVER" 2>/dev/null || true
}

# A server that writes down what it is asked for, and answers at once.
start_server() {
  PORT=$(free_port 20000 32000)
  cd "$BATS_TEST_TMPDIR" || return
  /usr/bin/python3 - "$PORT" >>asked 2>server.log 3>&- <<'PYTHON' &
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *words):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
PYTHON
  SERVER=$!
  eventually 10 listens_exactly "$PORT" 1
}

# asked OPTION...: what the server was asked for, a line for each connection, one after another.
asked() {
  : >asked
  "$TESTED_BUILD/load" --connect "127.0.0.1:$PORT" "$@" >/dev/null
  cat asked
}

@test "each connection asks for a time of its own, the same ones with the same seed" {
  start_server
  asked --count 50 --busy 10 --seed 7 >first
  asked --count 50 --busy 10 --seed 7 >again
  asked --count 50 --busy 10 --seed 8 >other
  [[ $(sort -u first | wc -l) -gt 45 ]]
  ! grep -vE '^/busy\?ms=[0-9]+\.[0-9]{3}$' first
  cmp first again
  ! cmp -s first other
}

@test "the times are as the kind says" {
  start_server
  [[ $(asked --count 20 --busy 2.5,det | sort -u) == '/busy?ms=2.500' ]]
  # Two of them, in a ratio of 100 to 1, and 10 on average.
  [[ $(asked --count 500 --busy 10,heavy | sort -u | tr '\n' ' ') == '/busy?ms=5.025 /busy?ms=502.513 ' ]]
}

@test "connections at random times are as many as were asked for" {
  start_server
  [[ $(asked --rate 200 --duration 0.5 --poisson --path /p | grep -cx /p) -eq 100 ]]
}

# Of two answers, each is as far from their mean as the other.
@test "the standard deviation is how far the latencies are from their mean" {
  start_server
  "$TESTED_BUILD/load" --connect "127.0.0.1:$PORT" --count 2 --tsv >figures
  awk -F '\t' '{ figure[$1] = $2 }
    END {
      off = figure["stddev_us"] - (figure["max_us"] - figure["p50_us"]) / 2
      exit !("stddev_us" in figure && off >= -1 && off <= 1)
    }' figures || fail "$(cat figures)"
}

# refused WORDS OPTION...
refused() {
  run "$TESTED_BUILD/load" --connect 127.0.0.1:1 "${@:2}"
  [[ $status -eq 2 && ${#lines[@]} -eq 1 && $output == "load: $1"* ]] || fail "status $status: $output"
}

@test "a wrong argument is named in one line" {
  refused "--busy: 'x' is not a number" --count 1 --busy x
  refused "--busy: '' is not a number" --count 1 --busy ,exp
  refused "--busy: behind the comma" --count 1 --busy 1,often
  refused "--busy: has a path of its own" --count 1 --busy 1 --path /
  refused "--poisson: goes with --rate" --count 1 --poisson
  refused "--count: '0' is not a number from 1" --count 0
}
