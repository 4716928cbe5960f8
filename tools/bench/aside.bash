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

# each_aside COMMAND [FIRST]: each is the present one meanwhile, and COMMAND has its number; from FIRST on.
each_aside() {
  local i number
  for ((i = 0; i < ASIDE_COUNT; i++)); do
    number=$(((i + ${2:-0}) % ASIDE_COUNT))
    take_up "$number"
    "$1" "$number"
    lay_aside "$number"
  done
}

# In good order, and it is seen that nothing of them is left.
stop_all() {
  each_aside stop_server
  ASIDE_COUNT=0
}

# side_by_side ROUNDS TURNS LIST START TURN NOTE: in each round every line of LIST is started, by START NUMBER LINE; so many times each
# of them has its turn, by TURN NUMBER, from another one on each time; and in the end there is NOTE NUMBER.
side_by_side() {
  local rounds=${ROUNDS:-$1} turn i lines
  mapfile -t lines < <("$3")
  for ((ROUND = 1; ROUND <= rounds; ROUND++)); do
    for i in "${!lines[@]}"; do
      "$4" "$i" "${lines[i]}"
      lay_aside "$i"
    done
    for ((turn = 0; turn < $2; turn++)); do each_aside "$5" $(((ROUND * $2 + turn) * 3)); done
    each_aside "$6"
    stop_all
    printf '%s %d/%d\n' "$5" "$ROUND" "$rounds" >&2
  done
}

# Whatever happened: what finish() does for the present one.
finish_aside() {
  local i master
  for ((i = 0; i < ASIDE_COUNT; i++)); do
    master=${ASIDE["$i MASTER"]}
    [[ -n $master ]] || continue
    kill_session "$master"
    rm -rf "${ASIDE["$i DIRECTORY"]}" || true
  done
}
