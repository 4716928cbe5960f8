#!/usr/bin/env bash
# Prints the README's table of losses: what happens to a server under load, and how many connections are then refused, reset,
# left without an answer for five seconds, or answered with an error. Ends with 1 when the library loses one, but for the
# rows in which nobody listens for a while.
# usage: losses.sh BUILD [README]
#   README  the table replaces what stands there between its two marks
set -euo pipefail

[[ $# -ge 1 && $# -le 2 ]] || { echo "usage: losses.sh BUILD [README]" >&2; exit 2; }
TESTED_BUILD=$(cd "$1" && pwd)
export TESTED_BUILD
tests=$(dirname "$0")
for part in bodies nginx readme losses; do
  # shellcheck source=/dev/null
  source "$tests/lib/$part.bash"
done

# what happens | server | in the words of losses.bash | kind | the kind that shards by itself | rate | seconds
happenings() {
  cat <<'LIST'
three workers killed|nginx|killing|nginx|nginx_own|2000|12
three workers killed|Apache event|killing|apache_roomy|apache_roomy_own|2000|12
three workers killed|uwsgi|killing|uwsgi||1000|12
three workers killed|gunicorn gthread|killing|gunicorn||500|12
a worker hung for good|nginx|hanging|nginx|nginx_own|2000|5
a worker hung for good|Apache event|hanging|apache_roomy|apache_roomy_own|2000|5
a worker hung for good|uwsgi|hanging|uwsgi||1000|5
ten reloads in 4 s, 4 ↔ 2 workers|nginx|resizing|nginx|nginx_own|2000|6
every worker ends after 50 requests|gunicorn sync|recycling|gunicorn_recycled||200|8
every worker ends after 400 requests|uwsgi|recycling|uwsgi_recycled||500|8
every worker ends after 1,000 connections|Apache event|recycling|apache_recycled|apache_recycled_own|1000|10
two reloads|nginx|reloading|nginx|nginx_own|2000|10
two graceful restarts|Apache event|reloading|apache_roomy|apache_roomy_own|2000|12
two graceful restarts|gunicorn gthread|reloading|gunicorn||500|14
two phased restarts|puma|reloading|puma_phased||200|24
two graceful restarts|php-fpm|reloading|php_fpm||500|14
upgrade|nginx|upgrading|nginx|nginx_own|2000|10
the master killed, its workers go on|nginx|beheading|nginx|nginx_own|2000|3
all killed, and started again|nginx|restarting|nginx|nginx_own|2000|3
all killed, and started again|gunicorn sync|restarting|gunicorn_sync||500|6
LIST
}

# cell KIND MODE WHAT RATE SECONDS: in CELL; NOTHING where the server has no sockets of its own to shard by.
cell() {
  if [[ -z $1 ]]; then
    CELL=' '
    return
  fi
  loses "$@"
  CELL=$LOST
  printf '%s: %s of %s\n' "$*" "$LOST" "$CONNECTIONS" >&2
  if [[ $2 != stock && $3 != restarting ]]; then TOTAL=$((TOTAL + LOST)); fi
}

row() {
  local happening server what kind own rate seconds mode cells=''
  IFS='|' read -r happening server what kind own rate seconds <<<"$1"
  for mode in stock exclusive reuseport; do
    cell "$kind" "$mode" "$what" "$rate" "$seconds"
    cells+=" $CELL |"
  done
  for mode in stock auto; do
    cell "$own" "$mode" "$what" "$rate" "$seconds"
    cells+=" $CELL |"
  done
  MADE+="| $happening | $server | $((rate * seconds)), $rate/s |$cells"$'\n'
}

TOTAL=0
# shellcheck disable=SC2016 # Markdown's
MADE='| what happens | server | connections | without | `exclusive` | `reuseport` | its own reuseport, without | the same, `auto` |
| --- | --- | --- | --- | --- | --- | --- | --- |
'
trap finish EXIT
while read -r line; do
  row "$line" </dev/null
done < <(happenings)

show_table losses "$MADE" "${2:-}"
printf '%d lost with the library\n' "$TOTAL"
[[ $TOTAL -eq 0 ]]
