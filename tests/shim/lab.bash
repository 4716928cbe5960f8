# shellcheck shell=bash
# What the bats files of this directory need: the small servers of tests/programs, run without the library and with it.

# shellcheck source=/dev/null
source "$BATS_TEST_DIRNAME/../lib/common.bash"

PROGRAMS=$TESTED_BUILD/programs
MODES=(off auto exclusive reuseport)

# The tests set what they mean, whatever the caller's environment says.
clear_variables() {
  local name
  for name in ${!UNHERD_@}; do
    unset "$name"
  done
}
clear_variables

# plain PROGRAM ARGUMENTS...: without the library. with MODE PROGRAM ARGUMENTS...: with it.
plain() {
  local program=$1
  shift
  timeout -k 5 90 "$PROGRAMS/$program" "$@" 3>&- 4>&-
}

with() {
  local mode=$1 program=$2
  shift 2
  timeout -k 5 90 env LD_PRELOAD="$TESTED_PRELOAD" UNHERD_MODE="$mode" "$PROGRAMS/$program" "$@" 3>&- 4>&-
}

# expect TEXT MODE PROGRAM ARGUMENTS...: with the library it prints exactly that.
expect() {
  local wanted=$1 mode=$2 seen
  shift 2
  seen=$(with "$mode" "$@" 2>/dev/null) || fail "$mode, $*: ended with $?, after: $seen"
  [[ $seen == "$wanted" ]] || fail "$mode, $*:"$'\n'"expected: $wanted"$'\n'"seen:     $seen"
}

# same PROGRAM ARGUMENTS...: it prints the same without the library and with it, in every mode, and ends well.
same() {
  same_in "${MODES[*]}" "$@"
}

# same_in "MODE..." PROGRAM ARGUMENTS...: the same in those modes.
same_in() {
  local modes mode wanted
  read -ra modes <<<"$1"
  shift
  wanted=$(plain "$@" 2>/dev/null) || fail "without the library, $*: ended with $?, after: $wanted"
  [[ -n $wanted ]] || fail "$*: prints nothing"
  [[ $wanted != *'gave up'* ]] || fail "$wanted"
  for mode in "${modes[@]}"; do
    expect "$wanted" "$mode" "$@"
  done
}

# in_every_mode TEXT PROGRAM ARGUMENTS...: without the library too it prints exactly that.
in_every_mode() {
  local wanted=$1 mode seen
  shift
  seen=$(plain "$@" 2>/dev/null) || fail "without the library, $*: ended with $?, after: $seen"
  [[ $seen == "$wanted" ]] || fail "without the library, $*:"$'\n'"expected: $wanted"$'\n'"seen:     $seen"
  for mode in "${MODES[@]}"; do
    expect "$wanted" "$mode" "$@"
  done
}
