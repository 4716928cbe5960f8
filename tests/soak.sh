#!/usr/bin/env bash
# nginx and gunicorn, for as long as is asked, while connections come, workers are killed and replaced: nothing is lost, and
# neither descriptors nor memory nor queues grow. Prints a line for each sample; ends with 1 when something grew or was lost.
# usage: soak.sh BUILD [SECONDS]
#   SECONDS  for each server and mode (600)
set -euo pipefail

[[ $# -ge 1 && $# -le 2 ]] || { echo "usage: soak.sh BUILD [SECONDS]" >&2; exit 2; }
TESTED_BUILD=$(cd "$1" && pwd)
export TESTED_BUILD
SECONDS_EACH=${2:-600}
tests=$(dirname "$0")
for part in bodies nginx; do
  # shellcheck source=/dev/null
  source "$tests/lib/$part.bash"
done

# One round: ten seconds of connections, and meanwhile a worker is killed and all of them replaced, twice.
churn() {
  local rate=$1
  drive_in_background --rate "$rate" --duration 10
  kill_idle_worker
  reload
  kill_idle_worker
  reload
  end_of_drive
  LOST=$((LOST + $(figure connections) - $(figure answered) + $(figure not_2xx)))
  ASKED=$((ASKED + $(figure connections)))
}

descriptors() {
  find "/proc/$1/fd" -type l | wc -l
}

status() {
  awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"
}

# The master's, which lives from the first to the last moment, and one worker's; kB.
sample() {
  local worker
  worker=$(workers | head -n 1)
  SAMPLE=("$(descriptors "$MASTER")" "$(descriptors "$worker")" "$(status "$MASTER" RssAnon)"
    "$(status "$MASTER" RssShmem)" "$(listening_count "$PORT")")
  printf '%s %s %ds: descriptors %s and %s, memory %s kB, shared %s kB, queues %s; lost %d of %d\n' \
    "$@" "$((SECONDS - BEGUN))" "${SAMPLE[@]}" "$LOST" "$ASKED"
}

# grew WORDS BEFORE AFTER ALLOWED
grew() {
  [[ $3 -gt $(($2 + $4)) ]] || return 1
  echo "$1 grew from $2 to $3"
  FAILED=1
}

compare() {
  local before after
  read -ra before <<<"$1"
  read -ra after <<<"$2"
  grew "the master's descriptors" "${before[0]}" "${after[0]}" 2 || true
  grew "a worker's descriptors" "${before[1]}" "${after[1]}" 8 || true
  grew "the master's memory" "${before[2]}" "${after[2]}" 1024 || true
  grew "the master's shared memory" "${before[3]}" "${after[3]}" 64 || true
  grew "the number of queues" "$((2 * WORKERS))" "${after[4]}" 0 || true
}

# The first fifth warms up: every record that is ever used has been used then.
soak() {
  local kind=$1 mode=$2 rate=$3 first='' samples=0
  LOST=0 ASKED=0
  # gunicorn's master logs from its signal handlers, which ends it when one interrupts another's line.
  start_server "$kind" "$mode" GUNICORN_CMD_ARGS=--log-level=critical
  BEGUN=$SECONDS
  while ((SECONDS - BEGUN < SECONDS_EACH)); do
    churn "$rate"
    sample "$kind" "$mode"
    if [[ -n $first ]] || ((SECONDS - BEGUN >= SECONDS_EACH / 5)); then samples=$((samples + 1)); fi
    if [[ -z $first && $samples -gt 0 ]]; then first="${SAMPLE[*]}"; fi
  done
  if ((samples < 2)); then
    echo "$SECONDS_EACH seconds are too few to see anything grow"
    FAILED=1
  fi
  compare "${first:-${SAMPLE[*]}}" "${SAMPLE[*]}"
  [[ $LOST -eq 0 ]] || FAILED=1
  stop_server
}

FAILED=0
trap finish EXIT
soak nginx reuseport 1000
soak gunicorn exclusive 200
[[ $FAILED -eq 0 ]]
