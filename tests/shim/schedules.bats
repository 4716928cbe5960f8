#!/usr/bin/env bats
# Random schedules of workers that come, wait, hang, leave and die: nobody waits while a connection does, every queue has
# somebody registered, nothing leaks. SCHEDULES=N for many more, from FIRST=N on (make schedules).

# bats file_tags=patient

source "$BATS_TEST_DIRNAME/lab.bash"

: "${SCHEDULES:=60}" "${FIRST:=1}"

# schedules QUEUES MODE ARGUMENTS...: without the library if MODE is none. QUEUES: one or many; else the library was not there.
schedules() {
  local wanted=$1 mode=$2 seen queues
  local program=("$PROGRAMS/schedule" schedules="$SCHEDULES" seed="$FIRST" "${@:3}")
  [[ $mode == none ]] || program=(env LD_PRELOAD="$TESTED_PRELOAD" UNHERD_MODE="$mode" "${program[@]}")
  seen=$(timeout -k 5 $((60 + SCHEDULES)) "${program[@]}" 2>&1 3>&- 4>&-) || fail "$mode: ended with $?, after: $seen"
  queues=$(sed -n 's/^at most \([0-9]*\) queues$/\1/p' <<<"$seen")
  is_number "$queues"
  [[ $seen == *"$SCHEDULES schedules, "* ]] || fail "$seen"
  [[ $SCHEDULES -eq 60 ]] || printf '# %s %s: %s\n' "$mode" "${*:3}" "$(grep ' schedules, ' <<<"$seen")" >&3
  if [[ $wanted == one ]]; then [[ $queues -eq 1 ]]; else [[ $queues -gt 1 ]]; fi || fail "$queues queues"
}

@test "without the library" {
  schedules one none
}

@test "exclusive" {
  schedules one exclusive
}

@test "auto" {
  schedules one auto
}

@test "reuseport" {
  schedules many reuseport
}

@test "reuseport, four shards, one thief for each" {
  UNHERD_SHARDS=4 UNHERD_STEAL=1 schedules many reuseport stuck=1
}

# In about one of thirty of these, beside one another, a thread that ran on told the others that all queues had owners.
@test "a process ends while its other threads wait: what it owned is seen to be left, two hundred times" {
  local seen
  seen=$(seq 200 | xargs -P 6 -I {} env LD_PRELOAD="$TESTED_PRELOAD" UNHERD_MODE=reuseport UNHERD_SHARDS=4 UNHERD_STEAL=1 \
    timeout 20 "$PROGRAMS/schedule" schedules=1 seed=12 stuck=1 2>&1 3>&- 4>&-) || fail "${seen##*violation:}"
}

@test "reuseport, and the policy is set now and then" {
  schedules many reuseport policy=1
}

@test "four shards, one thief for each, and the policy is set now and then" {
  UNHERD_SHARDS=4 UNHERD_STEAL=1 schedules many reuseport stuck=1 policy=1
}

@test "a seed stands for its steps, whatever the mode" {
  local plain
  plain=$("$PROGRAMS/schedule" seed=7 trace=1 2>/dev/null)
  [[ $plain == *$'\n7 '* || $plain == *$'\n0 '* ]] || fail "$plain"
  expect "$plain" exclusive schedule seed=7 trace=1
}
