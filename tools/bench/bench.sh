#!/usr/bin/env bash
# The experiments of the field, reproduced: each one's table, the commands that made it, and plots, put into the page.
# usage: bench.sh BUILD PAGE [EXPERIMENT...]
#   PAGE        tables replace what stands there between their marks, plots are laid beside it; all figures are in BUILD/bench-report
#   EXPERIMENT  spread, busy, herd, kept, trouble, servers, beside, cost, growth; all of them if none is named
# ROUNDS=N takes so many rounds instead of each experiment's own number; PART=P makes counts and times P % of what they are.
# SIZES="FEW MANY" are the numbers of workers that growth compares. REPORT=DIRECTORY keeps the figures there instead.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
ALL=(spread busy herd kept trouble servers beside cost growth)

refuse() {
  echo "bench.sh: $*" >&2
  exit 2
}

# is_one_of WORD LIST...
is_one_of() {
  local word
  for word in "${@:2}"; do
    [[ $word != "$1" ]] || return 0
  done
  return 1
}

[[ $# -ge 2 ]] || refuse "usage: bench.sh BUILD PAGE [EXPERIMENT...]"
[[ -x $1/waiters && -x $1/load && -r $1/libunherd.so ]] || refuse "$1: not a build, or not all of it"
[[ -w $2 ]] || refuse "$2: not a page that can be written"
TESTED_BUILD=$(cd "$1" && pwd)
PAGE=$2
shift 2
for name in "$@"; do
  is_one_of "$name" "${ALL[@]}" || refuse "$name: not an experiment; there are ${ALL[*]}"
done
[[ ${ROUNDS:-1} =~ ^[1-9][0-9]{0,2}$ ]] || refuse "ROUNDS: '$ROUNDS' is not a number from 1 to 999"
[[ ${PART:=100} =~ ^[1-9][0-9]{0,2}$ ]] || refuse "PART: '$PART' is not a number from 1 to 999"
FEW=0 MANY=0
[[ ${SIZES:=4 256} =~ ^([1-9][0-9]{0,2})\ ([1-9][0-9]{0,2})$ ]] && FEW=${BASH_REMATCH[1]} MANY=${BASH_REMATCH[2]}
((FEW < MANY && MANY <= 256)) || # the library has a queue for each of up to 256
  refuse "SIZES: ${SIZES@Q} is not two numbers from 1 to 256, the smaller one first"
[[ ${TMPDIR:=/tmp} != *[[:space:]:]* ]] || refuse "TMPDIR: '$TMPDIR' cannot stand in LD_PRELOAD"
[[ $# -gt 0 ]] || set -- "${ALL[@]}"
export TESTED_BUILD PART FEW MANY

for part in bodies nginx losses readme; do
  # shellcheck source=/dev/null
  source "$here/../../tests/lib/$part.bash"
done
for part in figures commands variants aside machine "${ALL[@]}"; do
  # shellcheck source=/dev/null
  source "$here/$part.bash"
done

draw() {
  if ! command -v gnuplot >/dev/null; then
    echo "bench.sh: no gnuplot, so no plot of $1" >&2
  elif grep -q "'$1'" "$here/plots.gp"; then
    (cd "$REPORT" && gnuplot -e "experiment = '$1'" "$here/plots.gp")
    cp "$REPORT/$1.svg" "$(dirname "$PAGE")"
  fi
}

REPORT=${REPORT:-$TESTED_BUILD/bench-report}
[[ -d $REPORT ]] || mkdir -p "$REPORT" 2>/dev/null || refuse "REPORT: '$REPORT' is not a directory that can be made"

# The present load is nobody's whose servers are ended.
end_load() {
  local pid
  for pid in $(pgrep -P $$ -x timeout); do
    kill "$pid" || true
  done
}

trap 'exit 130' INT # else one that comes while a load runs is the load's alone
trap 'end_load; finish_aside; finish' EXIT
put_into "$PAGE" "bench (machine)" "$(machine)"
for name in "$@"; do
  begin_experiment "$name"
  "experiment_$name"
  put_into "$PAGE" "bench ($name)" "$(commands)"$'\n\n'"${MADE%$'\n'}"
  draw "$name"
  printf '%s: %d s\n' "$name" "$((SECONDS - BEGUN))" >&2
done
