# shellcheck shell=bash
# Workers that stand still, are killed, become fewer, or are recycled, while connections come on schedule.

list_nginx() {
  cat <<'LIST'
one queue|nginx|stock
its own `reuseport`|nginx_own|stock
ours, `exclusive`|nginx|exclusive
ours, `reuseport`|nginx|reuseport
its own `reuseport`, with ours, `auto`|nginx_own|auto
LIST
}

list_recycled() {
  cat <<LIST
one queue|$1|stock
ours, \`exclusive\`|$1|exclusive
ours, \`reuseport\`|$1|reuseport
LIST
}

list_gunicorn() { list_recycled gunicorn_recycled; }
list_uwsgi() { list_recycled uwsgi_recycled; }

happens_stalling() {
  local stopped
  stopped=$(workers | head -n 1)
  pause 0.75
  kill -STOP "$stopped"
  pause 0.5
  kill -CONT "$stopped"
}

# What tests/lib does with each of these, in words that can be repeated.
declare -A WHAT_HAPPENS=(
  [stalling]='sleep 0.75; kill -STOP WORKER; sleep 0.5; kill -CONT WORKER'
  [killing]='three times: a worker that holds no connection; kill -KILL WORKER; until there is another'
  [resizing]='ten times, 0.4 s apart: worker_processes 2 or 4; nginx -s reload'
  [recycling]='every worker ends by itself'
)

# loses stops the server by what is called so.
note_trouble() {
  note lost "$LOST"
  note connections "$CONNECTIONS"
  note_load p50_us p99_us max_us
  keep_server
  keep_load "${WHAT_HAPPENS[$TROUBLE]}" --rate "$TROUBLE_RATE" --duration "$TROUBLE_TIME" --timeout 5000
  # shellcheck disable=SC2016,SC2153 # Markdown's; servers.bash sets it
  [[ $KIND != nginx || -n $FILES ]] || keep_file nginx.conf 'and `listen 127.0.0.1:8080 reuseport;` for its own'
  stop_server
}

end_of_stalling() { note_trouble; }
end_of_killing() { note_trouble; }
end_of_resizing() { note_trouble; }
end_of_recycling() { note_trouble; }

# meets LINE: what happens next, to that server.
meets() {
  local name kind mode
  IFS='|' read -r name kind mode <<<"$1"
  # shellcheck disable=SC2034 # figures.bash and servers.bash read them
  VARIANT="$TITLE|$name" WORKERS=4
  loses "$kind" "$mode" "$TROUBLE" "$TROUBLE_RATE" "$TROUBLE_TIME"
}

# troubled TITLE LIST WHAT RATE SECONDS ROUNDS: rows of the table.
troubled() {
  local TITLE=$1 TROUBLE=$3 TROUBLE_RATE=$4 TROUBLE_TIME=$5 name all
  in_turn "$6" "$2" meets
  while read -r name; do
    all="$TITLE|$name"
    row "$TITLE" "$name" "$(cell "$all" connections)" "$(cell "$all" lost)" "$(cell "$all" p50_us %.2f 0.001)" \
      "$(cell "$all" p99_us %.2f 0.001)" "$(cell "$all" max_us %.0f 0.001)"
  done < <(names "$2")
}

experiment_trouble() {
  head_row 'what happens' server connections lost 'p50, ms' 'p99, ms' 'slowest, ms'
  troubled 'nginx, one of 4 workers stands still for 500 ms' list_nginx stalling 2000 2 5
  troubled 'nginx, three workers killed' list_nginx killing 2000 6 2
  troubled 'nginx, ten reloads, 4 ↔ 2 workers' list_nginx resizing 2000 6 2
  troubled 'gunicorn sync, workers end after 50 requests' list_gunicorn recycling 200 8 2
  troubled 'uwsgi, workers end after 400 requests' list_uwsgi recycling 500 8 2
}
