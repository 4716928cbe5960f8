#!/usr/bin/env bats
# The manual pages, the completion, and what make install lays down.

# bats file_tags=patient

load tool

@test "the manual names every variable and every option of unherd run, and every subcommand" {
  local word
  for word in $("$UNHERD" help run | grep -oE 'UNHERD_[A-Z_]+'); do
    grep -qx "\.B $word" "$TESTED_BUILD/unherd.7" || fail "$word is not in unherd(7)"
  done
  for word in $("$UNHERD" help run | grep -oE '^  --[a-z-]+ .*UNHERD' | grep -oE '^  --[a-z-]+'); do
    sed 's/\\//g' "$TESTED_BUILD/unherd.7" | grep -qF -- "$word." || fail "$word is not in unherd(7)"
  done
  for word in $("$UNHERD" --help | sed -n '/^SUBCOMMANDS/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    grep -q "^\.B unherd $word" "$TESTS/../tools/manual/unherd.1" || fail "$word is not in unherd(1)"
  done
}

@test "the manual names every metric" {
  local metric
  for metric in $(grep -oE 'unherd_[a-z_]+' "$TESTS/../tools/unherd/stat_prometheus.c" | sort -u); do
    grep -qw "$metric" "$TESTS/../tools/manual/unherd.1" || fail "$metric is not in unherd(1)"
  done
}

# completed WORD...: what the last of the words is completed to.
completed() {
  bash -c 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _unherd; echo "${COMPREPLY[*]}"' \
    - "$TESTS/../tools/manual/unherd.bash" "$@"
}

@test "subcommands, options and modes are completed" {
  PATH=$TESTED_BUILD:$PATH
  [[ $(completed unherd ch) == check ]]
  [[ $(completed unherd help st) == stat ]]
  [[ $(completed unherd run --dr) == --dry-run ]]
  [[ $(completed unherd run --mode reu) == reuseport ]]
  [[ $(completed unherd stat --pro) == --prometheus ]]
  [[ $(completed unherd set :80 --st) == --steal ]]
  [[ $(completed unherd set :80 --mode '') == 'exclusive reuseport off' ]]
  [[ $(completed unherd bench --st) == --stall ]]
  [[ $(completed unherd bench --modes no) == no-stealing ]]
}

@test "everything is installed, and uninstalled" {
  local prefix=$BATS_TEST_TMPDIR/root/usr build
  build=$(realpath --relative-to="$TESTS/.." "$TESTED_BUILD") # else the flags would be others, and all be built anew
  make -s -C "$TESTS/.." BUILD="$build" install DESTDIR="$BATS_TEST_TMPDIR/root" PREFIX=/usr
  [[ -x $prefix/bin/unherd && -r $prefix/lib/libunherd.so && -r $prefix/share/man/man1/unherd.1 ]]
  [[ -r $prefix/share/man/man7/unherd.7 && -r $prefix/share/bash-completion/completions/unherd ]]
  make -s -C "$TESTS/.." BUILD="$build" uninstall DESTDIR="$BATS_TEST_TMPDIR/root" PREFIX=/usr
  [[ -z $(find "$BATS_TEST_TMPDIR/root" -type f) ]] || fail "left: $(find "$BATS_TEST_TMPDIR/root" -type f)"
}
