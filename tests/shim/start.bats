#!/usr/bin/env bats
# Loading: what is exported, what it costs, what is read from the environment and what is said.

source "$BATS_TEST_DIRNAME/lab.bash"

library=$TESTED_BUILD/libunherd.so

not_under_a_sanitizer() {
  [[ $TESTED_PRELOAD != *asan* ]] || skip "the sanitizer brings its own"
}

@test "the exported symbols are the rows of the table of calls, and nothing else" {
  local wanted
  not_under_a_sanitizer
  wanted=$(printf '%s\n' '#include "shim/calls.h"' '#define CALL(result, name, parameters, arguments) @@name@' \
    '#define NIL(name, parameters, arguments) @@name@' '#define VAR(result, name, selector) @@name@' \
    'UNHERD_CALLS(CALL, NIL, VAR)' | gcc -E -P -I"$TESTS/.." - | grep -o '@@[a-z0-9_]*@' | tr -d @ | sort)
  [[ $(wc -w <<<"$wanted") -gt 20 ]]
  diff <(nm -D --defined-only "$library" | awk '{ print $3 }' | sort) <(echo "$wanted")
}

# segment NAME: its flags, in the program headers that are read from stdin.
segment() {
  awk -v name="$1" '$1 == name { print $(NF - 1) }'
}

# is_hardened FILE: as its headers say.
is_hardened() {
  local headers dynamic
  headers=$(readelf -lW "$1")
  dynamic=$(readelf -dW "$1")
  [[ $(segment GNU_RELRO <<<"$headers") == R ]] || fail "$1: no RELRO"
  [[ $dynamic == *BIND_NOW* && $dynamic == *FLAGS_1*NOW* ]] || fail "$1: not bound at once"
  [[ $(segment GNU_STACK <<<"$headers") == RW ]] || fail "$1: the stack: $(segment GNU_STACK <<<"$headers")"
  [[ $dynamic != *TEXTREL* ]] || fail "$1: text relocations"
  [[ $dynamic != *RPATH* && $dynamic != *RUNPATH* ]] || fail "$1: a path to look for libraries in"
  ! awk '$1 == "LOAD"' <<<"$headers" | grep 'RWE' || fail "$1: memory that is written and executed"
}

@test "the library and the tool are hardened: RELRO, NOW, no executable stack, no text relocations, no RPATH" {
  is_hardened "$library"
  is_hardened "$TESTED_BUILD/unherd"
  [[ $(readelf -hW "$TESTED_BUILD/unherd") == *"Type:"*DYN* ]] || fail "the tool is loaded at a fixed address"
}

# undefined FILE: the symbols that it takes from elsewhere, without their versions.
undefined() {
  nm -D --undefined-only "$1" | awk '{ sub(/@.*/, "", $2); print $2 }'
}

@test "stacks are protected, and calls of libc that can check a size do" {
  local file
  not_under_a_sanitizer
  for file in "$library" "$TESTED_BUILD/unherd"; do
    undefined "$file" | grep -qx __stack_chk_fail || fail "$file: no stack protector"
    # No size is known to these at all, or the checked ones would be there instead.
    ! undefined "$file" | grep -xE 'v?sprintf|v?printf|v?fprintf|vsnprintf|v?asprintf|st[rp]cpy|strcat|strncat|gets' ||
      fail "$file: unchecked"
  done
  undefined "$TESTED_BUILD/unherd" | grep -qx __snprintf_chk || fail "the tool is not fortified"
}

# calls FILE COMMAND...: the system calls that it makes, one a line, without what differs from run to run.
calls() {
  local trace=$1
  shift
  strace -o "$trace" "$@" >/dev/null 2>&1 3>&- 4>&- || fail "$*: $(tail -1 "$trace")"
  sed -i -E 's/0x[0-9a-f]+/P/g; s/htons\([0-9]+\)/PORT/g; s/=+ .*//; s/\{st_mode.*//' "$trace"
}

# once_loaded FILE: what comes after ld.so has given back the cache file that it looked in.
once_loaded() {
  sed '1,/^munmap/d' "$1"
}

@test "a program that is no server makes three more system calls, and loading is all the rest" {
  local here=$BATS_TEST_TMPDIR more
  not_under_a_sanitizer
  calls "$here/plain" cat /dev/null
  calls "$here/with" -E LD_PRELOAD="$library" cat /dev/null
  sed -i '/SO_ACCEPTCONN/d' "$here/with" # one for each descriptor that bats left open for it
  more=$(($(once_loaded "$here/with" | wc -l) - $(once_loaded "$here/plain" | wc -l)))
  [[ $(once_loaded "$here/plain" | wc -l) -gt 5 ]]
  [[ $more -le 3 ]] || diff "$here/plain" "$here/with"
}

# between_marks FILE: the calls of the server's own life.
between_marks() {
  sed -n '/^getppid/,/^getppid/p' "$1"
}

@test "UNHERD_MODE=off: the same system calls as without the library" {
  local here=$BATS_TEST_TMPDIR
  not_under_a_sanitizer
  calls "$here/plain" "$PROGRAMS/quiet" counted
  calls "$here/off" -E LD_PRELOAD="$library" -E UNHERD_MODE=off "$PROGRAMS/quiet" counted
  [[ $(between_marks "$here/plain" | wc -l) -gt 60 ]]
  diff <(between_marks "$here/plain") <(between_marks "$here/off")
}

@test "listeners that UNHERD_LISTEN excludes: no more system calls once they listen" {
  local here=$BATS_TEST_TMPDIR
  not_under_a_sanitizer
  calls "$here/plain" "$PROGRAMS/quiet" counted
  calls "$here/other" -E LD_PRELOAD="$library" -E UNHERD_LISTEN=unix:/none \
    "$PROGRAMS/quiet" counted
  diff <(between_marks "$here/plain" | sed -n '/^epoll_create1/,$p') \
    <(between_marks "$here/other" | sed -n '/^epoll_create1/,$p')
}

@test "descriptors that are not a listener's: no more system calls, while a listener is waited for" {
  local here=$BATS_TEST_TMPDIR mode
  not_under_a_sanitizer
  calls "$here/plain" "$PROGRAMS/quiet" foreign
  [[ $(between_marks "$here/plain" | wc -l) -gt 28 ]]
  for mode in auto exclusive reuseport; do
    calls "$here/with" -E LD_PRELOAD="$library" -E UNHERD_MODE=$mode "$PROGRAMS/quiet" foreign
    diff <(between_marks "$here/plain") <(between_marks "$here/with")
  done
}

@test "another library's constructor uses the hooked calls, whichever of the two is first" {
  local here=$BATS_TEST_TMPDIR order seen
  not_under_a_sanitizer
  gcc -D_GNU_SOURCE -shared -fPIC -o "$here/early.so" "$BATS_TEST_DIRNAME/early.c"
  for order in "$here/early.so:$library" "$library:$here/early.so"; do
    seen=$(env LD_PRELOAD="$order" UNHERD_MODE=reuseport EARLY_SAYS=1 \
      "$PROGRAMS/numbers" dense 3>&- 4>&- 2>&1)
    [[ $seen == $'early: ok\n'"$(plain numbers dense)" ]] || fail "$seen"
  done
}

@test "a mode that cannot be read is named in one line, and the server starts" {
  local said
  said=$(with bogus herd level visits=20 2>&1)
  [[ $(grep -c '^unherd:' <<<"$said") -eq 1 && $said == *"bogus"*"answered 20 of 20" ]] || fail "$said"
}

@test "an unknown variable is named in one line" {
  local said
  said=$(UNHERD_SHARD=4 with exclusive herd level visits=20 2>&1)
  [[ $(grep -c '^unherd: .*UNHERD_SHARD ' <<<"$said") -eq 1 && $said == *"answered 20 of 20" ]] || fail "$said"
}

@test "complaints are written when there is a listener, even with UNHERD_MODE=off, and only then" {
  local said
  said=$(UNHERD_SHARD=4 with off herd level visits=20 2>&1)
  [[ $said == *UNHERD_SHARD* ]] || fail "$said"
  said=$(env UNHERD_SHARD=4 LD_PRELOAD="$TESTED_PRELOAD" cat /dev/null 2>&1)
  [[ -z $said ]] || fail "$said"
}

@test "UNHERD_LOG_FILE takes the lines, and keeps what it had" {
  local file=$BATS_TEST_TMPDIR/log said
  echo before >"$file"
  said=$(UNHERD_LOG=info UNHERD_LOG_FILE=$file UNHERD_SHARDS=3 with reuseport herd level visits=20 2>&1)
  [[ $said != *unherd:* ]] || fail "$said"
  [[ $(head -1 "$file") == before ]] || fail "$(cat "$file")"
  grep -Eqx 'unherd: 127\.0\.0\.1:[0-9]+: reuseport, 3 shards, stealing from 2 \(as asked\)' "$file" || fail "$(cat "$file")"
}

@test "a log file that cannot be opened is named on stderr, and the server starts" {
  local said
  said=$(UNHERD_LOG_FILE=/nowhere/log with exclusive herd level visits=20 2>&1)
  [[ $said == *"/nowhere/log"*ENOENT*"answered 20 of 20" ]] || fail "$said"
}

@test "nothing is written to a connection that got stderr's number" {
  UNHERD_LOG=debug same quiet reused
}

@test "nothing is read when the program runs with rights of its own (AT_SECURE)" {
  local here said
  not_under_a_sanitizer
  [[ $EUID -eq 0 ]] || skip "has to be root"
  here=$(mktemp -d)
  chmod 755 "$here"
  cp "$library" "$here/"
  gcc -o "$here/program" "$TESTED_BUILD/obj/tests/programs/quiet.o" -Wl,--no-as-needed "$here/libunherd.so" \
    -Wl,-rpath,"$here"
  said=$(UNHERD_MODE=bogus setpriv --reuid 65534 --regid 65534 --clear-groups "$here/program" secure 2>&1 3>&- 4>&-)
  [[ $said == *bogus*"secure: 0"* || $said == "secure: 0"*bogus* ]] || fail "without the bit: $said"
  chmod 4755 "$here/program"
  said=$(UNHERD_MODE=bogus UNHERD_LOG=debug UNHERD_LOG_FILE=$here/log setpriv --reuid 65534 --regid 65534 --clear-groups \
    "$here/program" secure 2>&1 3>&- 4>&-)
  [[ $said != "secure: 0"* ]] || skip "set-uid means nothing here"
  [[ $said == $'secure: 1\nwaited: 0' && ! -e $here/log ]] || fail "$said"
  rm -r "$here"
}
