# shellcheck shell=bash
# Servers as they are, with what they can do themselves, and with the library: all have work, and at a rate.

list_servers() {
  cat <<'LIST'
nginx|nginx|stock|4
nginx, `accept_mutex on`|nginx_mutex|stock|4
nginx, its own `reuseport`|nginx_own|stock|4
nginx, ours, `exclusive`|nginx|exclusive|4
nginx, ours, `reuseport`|nginx|reuseport|4
nginx, its own `reuseport`, ours, `auto`|nginx_own|auto|4
HAProxy|haproxy|stock|4
HAProxy, `multi-queue off`|haproxy_taker|stock|4
HAProxy, `shards by-thread`|haproxy_own|stock|4
HAProxy, ours, `exclusive`|haproxy|exclusive|4
HAProxy, ours, `reuseport`|haproxy|reuseport|4
HAProxy, `shards by-thread`, ours, `auto`|haproxy_own|auto|4
LIST
  # shellcheck disable=SC2016 # Markdown's
  ! haproxy_is_fair || echo 'HAProxy, `multi-queue fair`|haproxy_fair|stock|4'
  cat <<'LIST'
gunicorn sync|gunicorn_sync|stock|16
gunicorn sync, ours, `exclusive`|gunicorn_sync|exclusive|16
gunicorn sync, ours, `reuseport`|gunicorn_sync|reuseport|16
uwsgi|uwsgi|stock|16
uwsgi, ours, `exclusive`|uwsgi|exclusive|16
uwsgi, ours, `reuseport`|uwsgi|reuseport|16
LIST
}

# ours | theirs
list_ratios() {
  cat <<'LIST'
nginx, ours, `exclusive`|nginx
nginx, ours, `reuseport`|nginx
nginx, ours, `reuseport`|nginx, its own `reuseport`
nginx, ours, `exclusive`|nginx, `accept_mutex on`
nginx, its own `reuseport`, ours, `auto`|nginx, its own `reuseport`
HAProxy, ours, `exclusive`|HAProxy
HAProxy, ours, `reuseport`|HAProxy
HAProxy, ours, `reuseport`|HAProxy, `shards by-thread`
HAProxy, `shards by-thread`, ours, `auto`|HAProxy, `shards by-thread`
gunicorn sync, ours, `exclusive`|gunicorn sync
gunicorn sync, ours, `reuseport`|gunicorn sync
uwsgi, ours, `exclusive`|uwsgi
uwsgi, ours, `reuseport`|uwsgi
LIST
}

configure_haproxy_fair() {
  configure_haproxy_taker "$@"
  sed -i 's/multi-queue off/multi-queue fair/' "$1/haproxy.cfg"
}

# Newer versions know it: 2.6 has on and off.
haproxy_is_fair() {
  printf 'global\n  tune.listener.multi-queue fair\ndefaults\n  mode http\nlisten all\n  bind 127.0.0.1:1\n  timeout client 1s\n  timeout server 1s\n  timeout connect 1s\n' |
    haproxy -c -f /dev/stdin >/dev/null 2>&1
}

# of_server: of the one that runs, connections that it does with all the machine, and a rate that leaves it time.
of_server() {
  case $KIND in
    gunicorn_sync) echo 2000 500 ;;
    uwsgi) echo 8000 1000 ;;
    *) echo 15000 2000 ;;
  esac
}

# The other variants' differ by what they are called after.
keep_configuration() {
  local file
  for file in nginx.conf haproxy.cfg; do
    [[ ! -e $DIRECTORY/$file ]] || keep_file "$file" 'in which the variants change what they are called after'
  done
}

measure_servers() {
  local count rate
  begin "$1"
  case $VARIANT in
    nginx | HAProxy) keep_configuration ;;
  esac
  read -r count rate < <(of_server)
  count=$(part_of "$count")
  # Not a server's first seconds: what it loads, claims and finds out about its load is done once.
  drive --rate 500 --duration 1
  drive --count "$((count / 2))" --parallel 64
  drive_kept --count "$count" --parallel 64
  note rate "$(decimal rate)"
  drive_kept --rate "$rate" --duration "$(part_of_time 1.5)" --poisson --seed "$ROUND"
  note_load p50_us p99_us
  stop_server
}

experiment_servers() {
  local name ours theirs
  in_turn 7 list_servers measure_servers
  head_row server 'connections/s, 64 at once' 'at a fixed rate: p50, µs' 'p99, µs'
  while read -r name; do
    row "$name" "$(cell "$name" rate)" "$(cell "$name" p50_us)" "$(cell "$name" p99_us)"
  done < <(names list_servers)
  say 'By what it is compared with, in the same round; above 1 is more connections, or a longer wait:'
  head_row ours by 'connections/s' p50 p99
  while IFS='|' read -r ours theirs; do
    row "$ours" "$theirs" "$(ratio "$ours" "$theirs" rate)" "$(ratio "$ours" "$theirs" p50_us)" "$(ratio "$ours" "$theirs" p99_us)"
  done < <(list_ratios)
}
