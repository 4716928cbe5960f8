#!/usr/bin/env bats
# unherd run on a server that goes into the background: who watches follows it there, and ends.

load ../lib/common

teardown() {
  [[ ! -s $BATS_TEST_TMPDIR/pid ]] || kill "$(<"$BATS_TEST_TMPDIR/pid")" || true
}

watchers() {
  # shellcheck disable=SC2009 # by name and by arguments
  ps -eo comm=,args= | grep '^unherd-watch' | grep -cF "$BATS_TEST_TMPDIR" || true
}

nobody_watches() {
  [[ $(watchers) -eq 0 ]]
}

@test "nginx in the background: the listener that cannot be sharded is named, with the reason, and nothing else" {
  local port
  port=$(free_port 20000 30000)
  chmod 755 "$BATS_TEST_TMPDIR"
  cat >"$BATS_TEST_TMPDIR/nginx.conf" <<CONF
worker_processes 4;
pid $BATS_TEST_TMPDIR/pid;
error_log $BATS_TEST_TMPDIR/error.log;
events {}
http {
  access_log off;
  server {
    listen 127.0.0.1:$port;
    listen unix:$BATS_TEST_TMPDIR/socket;
    return 200;
  }
}
CONF
  UNHERD_LOG_FILE=$BATS_TEST_TMPDIR/log "$TESTED_BUILD/unherd" run --mode reuseport -- \
    /usr/sbin/nginx -c "$BATS_TEST_TMPDIR/nginx.conf" 2>"$BATS_TEST_TMPDIR/said" 3>&-
  eventually 10 test -s "$BATS_TEST_TMPDIR/said" || fail "nothing is said"
  eventually 10 nobody_watches || fail "somebody watches for ever"
  [[ $(cat "$BATS_TEST_TMPDIR/said") == \
    "unherd run: unix:$BATS_TEST_TMPDIR/socket: exclusive, not reuseport: AF_UNIX has no SO_REUSEPORT" ]] ||
    fail "$(cat "$BATS_TEST_TMPDIR/said" "$BATS_TEST_TMPDIR/error.log")"
}
