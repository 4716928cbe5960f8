#!/usr/bin/env bash
# Lets spin look at every order of events that the model of the claims has, and at mutations of it, which must fail.
# usage: run.sh [LARGE]
#   LARGE  three workers and three shards as well, some minutes and several GB
set -euo pipefail
cd "$(dirname "$0")"
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
model=$PWD/claim.pml
failed=0

# search OPTION...: ERRORS and STATES of that model.
search() {
  (
    cd "$place"
    spin -a "$@" "$model" >spin.log && gcc -O2 -w -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m500000 -w26 >pan.log
  ) || { cat "$place"/*.log >&2; exit 1; }
  ! grep -q 'max search depth too small\|out of memory' "$place/pan.log" || { cat "$place/pan.log" >&2; exit 1; }
  ERRORS=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' "$place/pan.log")
  STATES=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$place/pan.log")
}

# judge HOLDS|FAILS TITLE OPTION...: a model that fails does so by what it asserts; one that stops where nothing should is wrong itself.
judge() {
  local wanted=$1 title=$2 seen=HOLDS
  shift 2
  search "$@"
  if [[ $ERRORS -ne 0 ]]; then seen=$(grep -q '^pan:1: assertion violated' "$place/pan.log" && echo FAILS || echo STUCK); fi
  printf '%-5s %-66s %s states\n' "$seen" "$title" "$STATES"
  [[ $seen == "$wanted" ]] || { echo "^ but it should be: $wanted" >&2; failed=1; }
}

two=(-DWORKERS=2 -DSHARDS=2)
plain=("${two[@]}" -DSTEAL=0 -DHANGING=0)
judge HOLDS "two workers, two shards; one killed, one hangs, one leaves" "${two[@]}"
judge HOLDS "the same behind an accept mutex" "${two[@]}" -DMUTEX
judge HOLDS "without stealing; one killed, one leaves" "${plain[@]}"
judge HOLDS "the same behind an accept mutex" "${plain[@]}" -DMUTEX
judge HOLDS "two workers, three shards" -DWORKERS=2 -DSHARDS=3
judge FAILS "mutation: a new owner kicks nobody" "${two[@]}" -DNO_KICK
judge FAILS "mutation: the claims are called seen after they were looked at" "${two[@]}" -DSEEN_LATE
judge FAILS "mutation: behind a mutex, nobody looks before it waits" "${two[@]}" -DMUTEX -DNO_LOOK
judge FAILS "mutation: views shrink before two were seen waiting at once" "${plain[@]}" -DMUTEX -DNO_PROOF
reloaded=(-DWORKERS=3 -DSHARDS=3 -DSTEAL=0 -DMUTEX -DFREE=1 -DKILLED=0 -DHANGING=0 -DCONNECTIONS=1)
judge FAILS "mutation: what was seen is known for ever" "${reloaded[@]}" -DALWAYS_KNOWN
judge FAILS "mutation: two were seen before one of them left" "${reloaded[@]}" -DSTALE_PROOF
judge FAILS "mutation: a worker leaves and says nothing" "${plain[@]}" -DSILENT_LEAVING
if [[ ${1:-} == LARGE ]]; then
  judge HOLDS "three workers, three shards, behind a mutex; one leaves" \
    -DWORKERS=3 -DSHARDS=3 -DMUTEX -DKILLED=0 -DHANGING=0 -DCONNECTIONS=1
  judge HOLDS "one without the mutex leaves, two with it stay" "${reloaded[@]}"
fi
exit "$failed"
