# shellcheck shell=bash
# Servers with blocking workers, and servers that get their listener from somebody else: php-fpm, Varnish, and whatever
# systemd starts for a connection; and servers of processes that shard by themselves: nginx, Apache.
# shellcheck disable=SC2034 # as in daemons.bash

configure_php_fpm() {
  cat >"$1/www/index.php" <<'CONF'
<?php header("X-Worker: " . getmypid()); echo "served\n";
CONF
  cat >"$1/fpm.conf" <<CONF
[global]
pid = $1/pid
error_log = $1/error.log
daemonize = no
process_control_timeout = 60s
[www]
$(as_root && printf 'user = %s\ngroup = %s' "$UNPRIVILEGED" "$UNPRIVILEGED")
listen = 127.0.0.1:$2
pm = static
pm.max_children = $WORKERS
CONF
  COMMAND=(php-fpm8.2 -n -y "$1/fpm.conf" -F)
  STOP=QUIT RELOAD=USR2 COUNTED=header WAITS=other CLIENT=fcgi
}

# The master waits for connections too, to start children; it never accepts.
configure_php_fpm_ondemand() {
  configure_php_fpm "$@"
  sed -i 's/^pm = static/pm = ondemand/' "$1/fpm.conf"
  PROCESSES=any
}

# Its one worker has two pools, each with a thread that accepts, and listens itself, having given up root.
configure_varnish() {
  cat >"$1/varnish.vcl" <<'CONF'
vcl 4.1;
backend default none;
sub vcl_recv { return (synth(200)); }
sub vcl_synth { set resp.body = {"served
"}; return (deliver); }
CONF
  COMMAND=(varnishd -F -n "$1/varnish" -a "127.0.0.1:$2" -f "$1/varnish.vcl" -s 'malloc,16m' -T none)
  STOP=TERM COUNTED=header WAITS=other PROCESSES=1 WORKER_WORDS=varnishd
}

# Without a jail the child stays what the master is, and its threads come back from accept() after a second.
configure_varnish_unjailed() {
  configure_varnish "$@"
  COMMAND+=(-j none -p timeout_idle=1)
}

# Waits for the first connection and executes the server, with the socket as its number 3. The library is in that alone.
configure_activated() {
  local entry given=()
  for entry in "${ENVIRONMENT[@]}"; do given+=(-E "$entry"); done
  ENVIRONMENT=(PATH=/usr/bin)
  COMMAND=(systemd-socket-activate -l "127.0.0.1:$2" "${given[@]}" /usr/bin/python3 "$TESTS/servers/activated.py")
  STOP=TERM COUNTED=header WAITS=epoll
}

configure_nginx_own() {
  configure_nginx "$@"
  sed -i 's/\(listen [^;]*\);/\1 reuseport;/' "$1/nginx.conf"
}

configure_apache_own() {
  configure_apache_event "$@"
  echo 'ListenCoresBucketsRatio 1' >>"$1/apache.conf"
}
