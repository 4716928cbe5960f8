# shellcheck shell=bash
# Servers that are started for unherd check to judge, and for nothing else: single acceptors, servers whose loader drops the
# preload, or that make their workers' environment anew, and some more with a herd.
# shellcheck disable=SC2034 # as in daemons.bash

# Whom a server that is started by root becomes; empty for everybody else.
other_user() {
  ! as_root || echo "$UNPRIVILEGED"
}

write_certificate() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$1/key.pem" -out "$1/certificate.pem" 2>/dev/null
  cat "$1/key.pem" "$1/certificate.pem" >"$1/both.pem"
}

# Whatever waits for connections in one place alone.
is_single() {
  STOP=TERM COUNTED=header WAITS=other PROCESSES=self CLIENT=$1
}

configure_redis() {
  COMMAND=(redis-server --bind 127.0.0.1 --port "$2" --save '' --appendonly no --dir "$1")
  is_single ping
}

configure_memcached() {
  COMMAND=(memcached -l 127.0.0.1 -p "$2" -U 0 -t "$WORKERS" -u "$UNPRIVILEGED")
  is_single ping
}

configure_dnsmasq() {
  COMMAND=(dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --bind-interfaces
    --listen-address=127.0.0.1 --port="$2" --pid-file="$1/pid" --address=/served.test/127.0.0.9)
  is_single dns
}

configure_tinyproxy() {
  printf 'Listen 127.0.0.1\nPort %s\nMaxClients 20\nLogFile "%s/error.log"\n' "$2" "$1" >"$1/tinyproxy.conf"
  COMMAND=(tinyproxy -d -c "$1/tinyproxy.conf")
  is_single connect
}

configure_stunnel() {
  write_certificate "$1"
  printf 'foreground = yes\npid =\n[all]\naccept = 127.0.0.1:%s\nconnect = 127.0.0.1:1\ncert = %s/both.pem\n' "$2" "$1" >"$1/stunnel.conf"
  COMMAND=(stunnel4 "$1/stunnel.conf")
  is_single connect
}

configure_pgbouncer() {
  printf '[databases]\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %s\nunix_socket_dir =\nauth_type = any\n' "$2" >"$1/pgbouncer.ini"
  COMMAND=(pgbouncer "$1/pgbouncer.ini")
  if as_root; then COMMAND+=(-u "$UNPRIVILEGED"); fi
  is_single connect
}

configure_vsftpd() {
  mkdir "$1/empty"
  printf 'listen=YES\nlisten_address=127.0.0.1\nlisten_port=%s\nbackground=NO\nanonymous_enable=YES\nsecure_chroot_dir=%s\n' "$2" "$1/empty" >"$1/vsftpd.conf"
  COMMAND=(vsftpd "$1/vsftpd.conf")
  is_single greeting
}

configure_caddy() {
  ENVIRONMENT+=("HOME=$1")
  COMMAND=(caddy file-server --root "$1/www" --listen "127.0.0.1:$2")
  is_single http
}

write_squid() {
  cat >"$1/squid.conf" <<CONF
http_port 127.0.0.1:$2
pid_filename $1/pid
cache_log $1/error.log
access_log none
coredump_dir $1
pinger_enable off
shutdown_lifetime 0
$3
CONF
  COMMAND=(squid -n "unherd$2" "${@:4}" -f "$1/squid.conf")
  is_single connect
}

configure_squid() {
  write_squid "$1" "$2" '' -N
}

configure_squid_smp() {
  write_squid "$1" "$2" "workers $WORKERS" --foreground
  PROCESSES=any
}

# --- several workers ---

configure_apache_prefork_one() {
  configure_apache_prefork "$@"
  sed -i "/^Listen 127.0.0.1:$(($2 + 1))$/d" "$1/apache.conf"
}

configure_lighttpd_poll() {
  configure_lighttpd "$@"
  sed -i 's/"linux-sysepoll"/"poll"/' "$1/lighttpd.conf"
  WAITS=other
}

configure_nsd() {
  write_zone "$1"
  cat >"$1/nsd.conf" <<CONF
server:
  ip-address: 127.0.0.1@$2
  server-count: $WORKERS
  username: "$(other_user)"
  zonesdir: "$1"
  pidfile: "$1/pid"
  xfrdfile: ""
  zonelistfile: ""
  xfrdir: "$1"
  database: ""
remote-control:
  control-enable: no
zone:
  name: test
  zonefile: zone
CONF
  COMMAND=(nsd -d -c "$1/nsd.conf")
  is_single dns
  PROCESSES=any
}

configure_hitch() {
  write_certificate "$1"
  cat >"$1/hitch.conf" <<CONF
frontend = "[127.0.0.1]:$2"
backend = "[127.0.0.1]:1"
workers = $WORKERS
pem-file = "$1/both.pem"
daemon = off
user = "$(other_user)"
ocsp-dir = ""
CONF
  COMMAND=(hitch --config="$1/hitch.conf")
  is_single connect
  PROCESSES=any
}

configure_starman() {
  # shellcheck disable=SC2016 # Perl's
  printf '%s' 'sub { [200, ["X-Worker", $$], ["served\n"]] }' >"$1/app.psgi"
  COMMAND=(starman --workers "$WORKERS" --listen "127.0.0.1:$2" "$1/app.psgi")
  STOP=TERM COUNTED=header WAITS=other
}

configure_unicorn() {
  cp "$TESTS/servers/config.ru" "$1/"
  echo "worker_processes $WORKERS" >"$1/unicorn.rb"
  COMMAND=(unicorn --config-file "$1/unicorn.rb" --listen "127.0.0.1:$2" --no-default-middleware "$1/config.ru")
  STOP=TERM COUNTED=header WAITS=other
}

configure_one_epoll() {
  COMMAND=(/usr/bin/python3 "$TESTS/servers/shared.py" "$2" epoll)
  STOP=TERM COUNTED=header WAITS=epoll
}

configure_dovecot() {
  mkdir "$1/run"
  cat >"$1/dovecot.conf" <<CONF
base_dir = $1/run
state_dir = $1/run
log_path = $1/error.log
protocols = imap
listen = 127.0.0.1
ssl = no
service imap-login {
  inet_listener imap {
    port = $2
  }
  inet_listener imaps {
    port = 0
  }
  process_min_avail = $WORKERS
  service_count = 0
}
CONF
  COMMAND=(dovecot -F -c "$1/dovecot.conf")
  is_single greeting
  PROCESSES=any
}

# Its workers are started as they are needed, and stay.
configure_postfix() {
  local queue=$1/queue
  mkdir -p "$queue"/{pid,public,private} "$1/data"
  chown postfix "$1/data" "$queue"/{public,private}
  cat >"$1/main.cf" <<CONF
compatibility_level = 3.6
queue_directory = $queue
data_directory = $1/data
local_recipient_maps =
alias_maps =
myhostname = localhost.localdomain
mynetworks_style = host
CONF
  cat >"$1/master.cf" <<CONF
127.0.0.1:$2 inet n - n - $WORKERS smtpd
anvil unix - - n - 1 anvil
rewrite unix - - n - - trivial-rewrite
CONF
  COMMAND=(/usr/lib/postfix/sbin/master -c "$1" -d)
  is_single greeting
  PROCESSES=any
}
