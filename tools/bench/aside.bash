# shellcheck shell=bash
# Several servers, one of which is the present one: start_server() and its kin know of that alone.

ASIDE=()

# lay_aside NUMBER: the present one goes on without us.
lay_aside() {
  ASIDE[$1]="$MASTER|$PORT|$WORKERS|$VARIANT|$DIRECTORY"
  MASTER='' DIRECTORY='' LEADERS=()
}

# take_up NUMBER: that is the present one again.
take_up() {
  # shellcheck disable=SC2034 # servers.bash and figures.bash read them
  IFS='|' read -r MASTER PORT WORKERS VARIANT DIRECTORY <<<"${ASIDE[$1]}" && PROCESSES=$WORKERS LEADERS=("$MASTER")
  unset "ASIDE[$1]"
}

# each_aside COMMAND [FIRST]: with the number of each, from FIRST on.
each_aside() {
  local i count=${#ASIDE[@]}
  for ((i = 0; i < count; i++)); do
    "$1" $(((i + ${2:-0}) % count))
  done
}

# In good order, and it is seen that nothing of them is left.
stop_all() {
  local number
  for number in "${!ASIDE[@]}"; do
    take_up "$number"
    stop_server
  done
}

# Whatever happened: what finish() does for the present one.
finish_aside() {
  local entry master directory pid
  for entry in "${ASIDE[@]}"; do
    IFS='|' read -r master _ _ _ directory <<<"$entry"
    for pid in $(session_of "$master"); do
      kill -KILL "$pid" 2>/dev/null || true
    done
    rm -rf "$directory" || true
  done
}
