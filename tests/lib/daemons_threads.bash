# shellcheck shell=bash
# Servers whose workers are four threads: HAProxy, h2o, named, unbound; with one socket for all, or one for each ("own").
# shellcheck disable=SC2034 # as in daemons.bash

write_haproxy() {
  local directory=$1 port=$2 options=$3
  cat >"$directory/haproxy.cfg" <<CONF
global
  nbthread $WORKERS
  maxconn 500
  stats socket $directory/socket mode 600 level admin expose-fd listeners
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend all
  bind 127.0.0.1:$port $options
  http-request return status 200 content-type text/plain string "served\n" hdr X-Worker "%[thread]"
CONF
  COMMAND=(haproxy -f "$directory/haproxy.cfg" -db)
  STOP=TERM COUNTED=header WAITS=other PROCESSES=self
}

configure_haproxy() {
  write_haproxy "$1" "$2" ''
}

# By itself HAProxy hands what one thread accepts to another; here the thread that is woken is the one that answers.
configure_haproxy_taker() {
  write_haproxy "$1" "$2" ''
  sed -i 's/^global$/&\n  tune.listener.multi-queue off/' "$1/haproxy.cfg"
}

configure_haproxy_own() {
  write_haproxy "$1" "$2" 'shards by-thread'
}

# A master that executes itself anew at SIGUSR2; the new worker gets the listeners in a message from the old one.
configure_haproxy_master() {
  write_haproxy "$1" "$2" ''
  COMMAND=(haproxy -W -f "$1/haproxy.cfg")
  RELOAD=USR2 PROCESSES=1
}

configure_haproxy_master_own() {
  write_haproxy "$1" "$2" 'shards by-thread'
  COMMAND=(haproxy -W -f "$1/haproxy.cfg")
  RELOAD=USR2 PROCESSES=1
}

# What visit.py asks for.
write_zone() {
  cat >"$1/zone" <<'CONF'
$TTL 60
@ IN SOA served.test. root.served.test. 1 60 60 60 60
  IN NS served.test.
served.test. IN A 127.0.0.9
CONF
}

# Of its eight network threads, the first half listens.
write_named() {
  local directory=$1 port=$2 reuseport=$3
  write_zone "$directory"
  cat >"$directory/named.conf" <<CONF
options {
  directory "$directory";
  pid-file "$directory/pid";
  session-keyfile none;
  listen-on port $port { 127.0.0.1; };
  listen-on-v6 { none; };
  recursion no;
  dnssec-validation no;
  reuseport $reuseport;
};
controls { };
zone "test" { type primary; file "$directory/zone"; };
logging { channel here { stderr; severity warning; }; category default { here; }; };
CONF
  COMMAND=(named -n "$WORKERS" -f -c "$directory/named.conf")
  if as_root; then
    COMMAND+=(-u "$UNPRIVILEGED")
  fi
  STOP=TERM COUNTED=header WAITS=other PROCESSES=self CLIENT=dns THREADS='isc-net-000[0-3]'
}

configure_named() {
  write_named "$1" "$2" no
}

configure_named_own() {
  write_named "$1" "$2" yes
}

write_unbound() {
  local directory=$1 port=$2 reuseport=$3
  cat >"$directory/unbound.conf" <<CONF
server:
  directory: "$directory"
  chroot: ""
  username: "$(as_root && echo "$UNPRIVILEGED")"
  pidfile: "$directory/pid"
  interface: 127.0.0.1
  port: $port
  num-threads: $WORKERS
  so-reuseport: $reuseport
  incoming-num-tcp: 100
  use-syslog: no
  logfile: ""
  do-daemonize: no
  module-config: "iterator"
  local-zone: "test." static
  local-data: "served.test. 60 IN A 127.0.0.9"
remote-control:
  control-enable: no
CONF
  COMMAND=(unbound -d -c "$directory/unbound.conf")
  STOP=TERM COUNTED=header WAITS=other PROCESSES=self CLIENT=dns
}

configure_unbound() {
  write_unbound "$1" "$2" no
}

configure_unbound_own() {
  write_unbound "$1" "$2" yes
}

configure_h2o() {
  cat >"$1/h2o.conf" <<CONF
listen: {host: 127.0.0.1, port: $2}
num-threads: $WORKERS
$(as_root && echo "user: $UNPRIVILEGED")
hosts:
  default:
    paths:
      /: {file.dir: $1/www}
CONF
  COMMAND=(h2o -c "$1/h2o.conf")
  STOP=TERM COUNTED=header WAITS=other PROCESSES=self
}
