# shellcheck shell=bash
# How each daemon is configured: four workers, a directory of its own, nothing from the system but its programs.
#
# configure_KIND DIRECTORY PORT writes the files and sets
#   COMMAND   what to run in the foreground
#   STOP      the signal that ends it in order
#   RELOAD    the signal that replaces its workers
#   BUSY      what it says when the address is in use
#   COUNTED   where the tests read which worker answered: header, log or io
#   WAITS     epoll when every idle worker watches the listener with epoll, mutex when one at a time does, else other
#   WORKERS   how many there are
#   PROCESSES how many processes of the master's they are, when they are threads; self: the master's own
#   THREADS   the names of those threads that wait for connections
#   CLIENT    http, or the protocol of visit.py
# shellcheck disable=SC2034 # they are read by servers.bash

WORKERS=4
WORKER_WORDS= # what the command lines of the workers have in common, where the master has other children too
UNPRIVILEGED=www-data

as_root() {
  [[ $(id -u) -eq 0 ]]
}

# The same three lines of setting for both kinds of nginx: $3 goes into events { }.
write_nginx() {
  local directory=$1 port=$2 events=$3
  cat >"$directory/nginx.conf" <<CONF
$(as_root && echo "user $UNPRIVILEGED;")
worker_processes $WORKERS;
pid $directory/pid;
error_log $directory/error.log notice;
events { worker_connections 512; $events }
http {
  access_log off;
  client_body_temp_path $directory/body;
  proxy_temp_path $directory/proxy;
  fastcgi_temp_path $directory/fastcgi;
  uwsgi_temp_path $directory/uwsgi;
  scgi_temp_path $directory/scgi;
  server {
    listen 127.0.0.1:$port;
    root $directory/www;
    add_header X-Worker \$pid;
  }
}
CONF
  COMMAND=("$(type -P nginx)" -p "$directory" -e "$directory/error.log" -c "$directory/nginx.conf" -g 'daemon off;')
  STOP=QUIT RELOAD=HUP BUSY='Address already in use' COUNTED=header
}

configure_nginx() {
  write_nginx "$1" "$2" ''
  WAITS=epoll
}

configure_nginx_mutex() {
  write_nginx "$1" "$2" 'accept_mutex on;'
  WAITS=mutex
}

# write_apache DIRECTORY MPM LISTENS SIZES: as many to spare as there may be, so that a reload brings all workers back.
write_apache() {
  local directory=$1 mpm=$2 listens=$3 sizes=$4
  cat >"$directory/apache.conf" <<CONF
ServerRoot $directory
ServerName localhost
DefaultRuntimeDir $directory
PidFile $directory/pid
LoadModule mpm_${mpm}_module /usr/lib/apache2/modules/mod_mpm_$mpm.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
$listens
$(as_root && printf 'User %s\nGroup %s' "$UNPRIVILEGED" "$UNPRIVILEGED")
$sizes
KeepAlive Off
DocumentRoot $directory/www
ErrorLog $directory/error.log
LogFormat "%P" worker
CustomLog $directory/access.log worker
CONF
  COMMAND=(apache2 -f "$directory/apache.conf" -DFOREGROUND)
  STOP=TERM RELOAD=USR1 BUSY='Address already in use' COUNTED=log
}

configure_apache_event() {
  write_apache "$1" event "Listen 127.0.0.1:$2" "StartServers $WORKERS
ServerLimit $WORKERS
ThreadsPerChild 8
MaxRequestWorkers $((8 * WORKERS))
MinSpareThreads $((8 * WORKERS))
MaxSpareThreads $((16 * WORKERS))"
  WAITS=epoll
}

# Two listeners: the children take turns with an accept mutex. The second port is the first plus one.
configure_apache_prefork() {
  write_apache "$1" prefork "Listen 127.0.0.1:$2
Listen 127.0.0.1:$(($2 + 1))" "StartServers $WORKERS
ServerLimit $WORKERS
MaxRequestWorkers $WORKERS
MinSpareServers $WORKERS
MaxSpareServers $((2 * WORKERS))"
  WAITS=mutex
}

configure_gunicorn() {
  cp "$TESTS/servers/app.py" "$1/"
  COMMAND=(/usr/bin/gunicorn --workers "$WORKERS" --bind "127.0.0.1:$2" --chdir "$1" --worker-tmp-dir "$1"
    --pid "$1/pid" --worker-class gthread --threads 2 app:application)
  STOP=TERM RELOAD=HUP BUSY='Connection in use' COUNTED=header WAITS=epoll
}

configure_uwsgi() {
  cp "$TESTS/servers/app.py" "$1/"
  COMMAND=(uwsgi --master --processes "$WORKERS" --http-socket "127.0.0.1:$2" --die-on-term --disable-logging
    --plugin python3 --chdir "$1" --wsgi-file "$1/app.py" --pidfile "$1/pid")
  if as_root; then
    COMMAND+=(--uid "$UNPRIVILEGED" --gid "$UNPRIVILEGED")
  fi
  STOP=TERM RELOAD=HUP BUSY='Address already in use' COUNTED=header WAITS=epoll
}

configure_uwsgi_thunder() {
  configure_uwsgi "$@"
  COMMAND+=(--thunder-lock)
  WAITS=mutex
}

configure_lighttpd() {
  cat >"$1/lighttpd.conf" <<CONF
server.bind = "127.0.0.1"
server.port = $2
server.document-root = "$1/www"
server.errorlog = "$1/error.log"
server.pid-file = "$1/pid"
server.max-worker = $WORKERS
server.event-handler = "linux-sysepoll"
server.max-keep-alive-requests = 0
index-file.names = ( "index.html" )
mimetype.assign = ( ".html" => "text/html" )
$(as_root && printf 'server.username = "%s"\nserver.groupname = "%s"' "$UNPRIVILEGED" "$UNPRIVILEGED")
CONF
  COMMAND=(lighttpd -D -f "$1/lighttpd.conf")
  STOP=TERM RELOAD=USR1 BUSY='Address already in use' COUNTED=io WAITS=epoll
}

configure_gunicorn_sync() {
  configure_gunicorn "$@"
  COMMAND=("${COMMAND[@]:0:11}" app:application)
  WAITS=other
}

configure_uvicorn() {
  cp "$TESTS/servers/asgi.py" "$1/"
  COMMAND=(/usr/bin/uvicorn --workers "$WORKERS" --host 127.0.0.1 --port "$2" --no-access-log --app-dir "$1"
    asgi:application)
  STOP=TERM COUNTED=header WAITS=epoll WORKER_WORDS=spawn_main
}

configure_puma() {
  cp "$TESTS/servers/config.ru" "$1/"
  COMMAND=(/usr/bin/puma --quiet --workers "$WORKERS" --threads 1:2 --bind "tcp://127.0.0.1:$2" --dir "$1" "$1/config.ru")
  STOP=TERM COUNTED=header WAITS=other
}

# Node gets POLICY from the environment that the test gives to start_server.
configure_node() {
  cp "$TESTS/servers/cluster.js" "$1/"
  COMMAND=(/usr/bin/node "$1/cluster.js" "$2")
  STOP=TERM COUNTED=header WAITS=other
}

configure_shared() {
  COMMAND=(/usr/bin/python3 "$TESTS/servers/shared.py" "$2")
  STOP=TERM COUNTED=header WAITS=other
}

for more in threads handed; do
  # shellcheck source=/dev/null
  source "$TESTS/lib/daemons_$more.bash"
done
