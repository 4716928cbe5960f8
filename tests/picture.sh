#!/usr/bin/env bash
# Prints what unherd top shows, in a terminal of 80 by 24, of a server of which one worker has been stopped for two seconds, while
# connections come on schedule.
# usage: picture.sh BUILD [README]
#   README  the picture replaces what stands there between its two marks
set -euo pipefail

[[ $# -ge 1 && $# -le 2 ]] || { echo "usage: picture.sh BUILD [README]" >&2; exit 2; }
TESTED_BUILD=$(cd "$1" && pwd)
export TESTED_BUILD
for part in servers readme; do
  # shellcheck source=/dev/null
  source "$(dirname "$0")/lib/$part.bash"
done

on_terminal() {
  tmux -S "$DIRECTORY/tmux" "$@"
}

shows() {
  on_terminal capture-pane -p | grep -q "$1"
}

end() {
  pgrep -P "$MASTER" | xargs -r kill -CONT
  on_terminal kill-server 2>/dev/null || true
  finish >/dev/null # the server's logs
}

start_server nginx reuseport
trap end EXIT
drive_in_background --rate 800 --duration 10 --timeout 8000
on_terminal -f /dev/null new-session -d -x 80 -y 24 "$TESTED_BUILD/unherd top :$PORT"
eventually 5 shows '4 workers: [1-9][0-9][0-9]/s' || fail "$(on_terminal capture-pane -p)"
kill -STOP "$(workers | head -n 1)"
eventually 8 shows 'STUCK 2 s' || fail "$(on_terminal capture-pane -p)"
# Without what is empty, and indented, for Markdown.
show_table picture "$(on_terminal capture-pane -p | sed -n '/./s/^/    /p')"$'\n' "${2:-}"
