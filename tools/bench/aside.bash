# shellcheck shell=bash
# Several servers, one of which is the present one: start_server() and its kin know of that alone, by these variables.

PRESENT=(VARIANT KIND MASTER PORT DIRECTORY WORKERS PROCESSES WORKER_WORDS CLIENT COUNTED WAITS STOP)
declare -A ASIDE=()
ASIDE_COUNT=0

# lay_aside NUMBER: the present one, which goes on without us. Numbers are 0, 1, 2 ...
lay_aside() {
  local name
  for name in "${PRESENT[@]}"; do
    ASIDE["$1 $name"]=${!name-}
  done
  MASTER='' DIRECTORY='' LEADERS=() ASIDE_COUNT=$((ASIDE_COUNT > $1 ? ASIDE_COUNT : $1 + 1))
}

# take_up NUMBER: that is the present one again.
take_up() {
  local name
  for name in "${PRESENT[@]}"; do
    printf -v "$name" %s "${ASIDE["$1 $name"]}"
  done
  # shellcheck disable=SC2034 # servers.bash reads it
  ASIDE["$1 MASTER"]='' LEADERS=("$MASTER")
}

# each_aside COMMAND [FIRST]: with the number of each, from FIRST on.
each_aside() {
  local i count=$ASIDE_COUNT
  for ((i = 0; i < count; i++)); do
    "$1" $(((i + ${2:-0}) % count))
  done
}

stop_one() {
  take_up "$1"
  stop_server
}

# In good order, and it is seen that nothing of them is left.
stop_all() {
  each_aside stop_one
  ASIDE_COUNT=0
}

# Whatever happened: what finish() does for the present one.
finish_aside() {
  local i master pid
  for ((i = 0; i < ASIDE_COUNT; i++)); do
    master=${ASIDE["$i MASTER"]}
    [[ -n $master ]] || continue
    for pid in $(session_of "$master"); do
      kill -KILL "$pid" 2>/dev/null || true
    done
    rm -rf "${ASIDE["$i DIRECTORY"]}" || true
  done
}
