#!/usr/bin/env bash
# Prints the README's table of verdicts: what unherd check says of servers that run without the library, and of their
# programs. Ends with 1 when one of the verdicts is not the one that is written down here.
# usage: verdicts.sh BUILD [README]
#   README  the table replaces what stands there between its two marks
#   ONLY=PATTERN in the environment: only the servers whose line has it
set -euo pipefail

[[ $# -ge 1 && $# -le 2 ]] || { echo "usage: verdicts.sh BUILD [README]" >&2; exit 2; }
[[ $(id -u) -eq 0 ]] || { echo "verdicts.sh: some of the servers start as root alone" >&2; exit 2; }
TESTED_BUILD=$(cd "$1" && pwd)
export TESTED_BUILD
for part in servers readme daemons_more; do
  # shellcheck source=/dev/null
  source "$(dirname "$0")/lib/$part.bash"
done

# What the servers do was seen under strace, four workers each, with the library nowhere near; the number is how often
# one of them was woken and tried to accept, for each connection. The verdicts follow from it:
#   herd    they wait with epoll, poll or select for one socket, and are woken together: exclusive
#   turns   the same, woken one at a time by their own EPOLLEXCLUSIVE, mostly the same one: exclusive
#   own     each has a socket of its own, which others have in common: auto, for stealing
#   apart   each has a socket of its own that nobody else has
#   lock    its own lock lets one wait at a time
#   accept  they block in accept(), and the kernel wakes one
#   single  one alone accepts
#   shared  all wait in one epoll instance, made before the fork
#   secure  the dynamic loader drops the preload, as the workers have gained privileges
#   go      no libc
# title | kind | variables of its own | what it does | words about it | what its program may be: may, single, go
servers() {
  grep "${ONLY:-}" <<'LIST'
nginx|nginx||turns|epoll, exclusive by itself: 1.41|may
nginx, `accept_mutex on`|nginx_mutex||lock|epoll, for one at a time: 1.00|may
nginx, its own `reuseport`|nginx_own||own|epoll, a socket for each worker: 0.99|may
Apache event|apache_event||herd|epoll: 3.91|may
Apache event, 2 buckets|apache_own||own|epoll, a socket for two workers: 1.86|may
Apache prefork|apache_prefork_one||accept|accept: 0.98|may
Apache prefork, two listeners|apache_prefork||lock|epoll, for one at a time: 1.00|may
lighttpd|lighttpd||herd|epoll: 2.58|may
lighttpd, `poll`|lighttpd_poll||herd|poll: 2.83|may
gunicorn sync|gunicorn_sync||herd|accept, then select: 3.23|may
gunicorn gthread|gunicorn||herd|epoll: 3.44|may
uvicorn|uvicorn||herd|epoll: 3.66|may
uwsgi|uwsgi||herd|epoll: 3.44|may
uwsgi, `--thunder-lock`|uwsgi_thunder||lock|epoll, for one at a time: 1.00|may
php-fpm|php_fpm||accept|accept: 0.98|may
Node cluster, `SCHED_NONE`|node|POLICY=none|herd|epoll: 2.95|may
Node cluster, `SCHED_RR`|node|POLICY=rr|single|epoll, the master alone: 1.00|may
puma|puma||herd|select: 3.44|may
unicorn|unicorn||herd|select: 2.77|may
starman|starman||accept|accept|may
HAProxy, 4 threads|haproxy||herd|epoll for each thread: 3.01|may
HAProxy, `shards by-thread`|haproxy_own||own|epoll, a socket for each thread: 1.00|may
Varnish|varnish||accept|accept, two threads|may
h2o|h2o||herd|epoll for each thread: 3.31|may
hitch|hitch||apart|epoll, a socket that each worker opens|may
named, `reuseport no`|named||herd|epoll for each thread: 3.67|may
named, `reuseport yes`|named_own||own|epoll, a socket for each thread: 1.00|may
unbound, `so-reuseport: no`|unbound||herd|epoll for each thread: 3.03|may
unbound, `so-reuseport: yes`|unbound_own||own|epoll, a socket for each thread: 1.00|may
nsd|nsd||herd|epoll: 3.01|may
dovecot, 4 `imap-login`|dovecot||herd|epoll: 3.10|may
postfix smtpd|postfix||lock|epoll, under its own flock: 1.00|may
squid, 4 workers|squid_smp||secure|epoll: 3.50; no preload gets there|may
squid, one process|squid||single|epoll: 0.99|may
Python, blocking accept|shared||accept|accept|may
Python, one epoll instance|one_epoll||shared|epoll, in one instance for all: 3.79|may
redis|redis||single|epoll: 0.99|single
memcached, 4 threads|memcached||single|epoll, one listening thread: 0.99|single
pgbouncer|pgbouncer||single|epoll|single
stunnel|stunnel||single|poll|single
tinyproxy|tinyproxy||single|poll: 1.00|single
dnsmasq|dnsmasq||single|poll: 0.98|single
vsftpd|vsftpd||single|accept, and a child for each|single
Caddy|caddy||go|epoll, without libc: 0.99|go
LIST
}

# STATUS WORDS: what the tool has to end with, and to say, of a server that does that.
declare -A expected=(
  [herd]='0 helps, exclusive: *each connection wakes all that are idle'
  [turns]='0 helps, exclusive: *woken one at a time already*'
  [own]='0 helps, auto: it has * sockets of its own: *'
  [apart]='1 would not help: its workers opened 4 sockets, each its own: *'
  [lock]='1 would not help: its own accept lock *'
  [accept]='1 would not help: * workers block in accept(), *'
  [single]='1 would not help: a single worker waits for it: *'
  [shared]='1 would not help: * one epoll instance in common*'
  [secure]='2 cannot: *it has gained privileges*'
  [go]='2 cannot: *Go program*'
  [program may]='0 may help: *'
  [program single]='1 would not help: * accepts'
  [program go]='2 cannot: *Go program*'
)

# ask SUBJECT: in SAID, the status and the last line, which is the verdict.
ask() {
  local status=0 said
  said=$("$TESTED_BUILD/unherd" check "$1" 2>&1) || status=$?
  SAID="$status $(sed -n '$s/^ *//p' <<<"$said")"
}

is_right() {
  ask "$1"
  # shellcheck disable=SC2053 # a pattern
  [[ $SAID == ${expected[$2]} ]]
}

# judge SUBJECT EXPECTED: in JUDGED, the words before the reason. With patience, as workers come one by one.
judge() {
  JUDGED=''
  eventually 5 is_right "$1" "$2" || { JUDGED='**wrong**: ' WRONG=$((WRONG + 1)); }
  printf '%-30s %s\n' "$TITLE" "$SAID" >&2
  SAID=${SAID#* }
  JUDGED+=${SAID%%: *}
}

# smtpd is started as it is needed.
# shellcheck disable=SC2153 # start_server sets them
bring_workers() {
  [[ $KIND != postfix ]] || drive --count 8 --parallel 4
}

# shellcheck disable=SC2153
row() {
  local kind variable does seen program port
  IFS='|' read -r TITLE kind variable does seen program <<<"$1"
  start_server "$kind" stock ${variable:+"$variable"}
  bring_workers
  judge ":$PORT" "$does"
  port=$JUDGED
  judge "$(PATH=$PATH:/usr/sbin type -P "${COMMAND[0]}")" "program $program"
  stop_server
  MADE+="| $TITLE | $seen | $port | $JUDGED |"$'\n'
  ROWS=$((ROWS + 1))
}

# shellcheck disable=SC2016 # Markdown's
MADE='| server | how its workers wait, and wake-ups for a connection | `unherd check` of its port | of its program |'
MADE+=$'\n| --- | --- | --- | --- |\n'
ROWS=0 WRONG=0
trap finish EXIT
while read -r line; do
  row "$line" </dev/null
done < <(servers)

show_table verdicts "$MADE" "${2:-}"
printf '%s servers, %s wrong verdicts\n' "$ROWS" "$WRONG" >&2
[[ $WRONG -eq 0 ]]
