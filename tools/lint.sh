#!/usr/bin/env bash
# Static checks over the whole tree; every finding is an error.
# usage: tools/lint.sh
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t sources < <(git ls-files '*.c')
mapfile -t c_files < <(git ls-files '*.[ch]')
mapfile -t scripts < <(git ls-files '*.sh' '*.bash' .ci/run)
flags=(-std=gnu17 -D_GNU_SOURCE -Ishim -I.)

status=0
step() {
  echo "lint: $1"
  shift
  "$@" || status=1
}

step clang-format clang-format --dry-run -Werror "${c_files[@]}"
step shellcheck shellcheck "${scripts[@]}"
step cppcheck cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -D_GNU_SOURCE -Ishim \
  --enable=warning,portability --suppress=missingIncludeSystem \
  --suppress=arrayIndexOutOfBounds:shim/fd_table.h --suppress=negativeIndex:shim/fd_table.h \
  --suppress=CastIntegerToAddressAtReturn:shim/hook_signal.c --suppress=CastIntegerToAddressAtReturn:shim/real.c "${sources[@]}"
# shellcheck disable=SC2317 # called through step
# What it says of warnings in system headers, which it leaves out, is a line for each file and no finding.
tidy() {
  clang-tidy --quiet --warnings-as-errors='*' "$@" -- "${flags[@]}" 2> >(grep -v ' generated\.$' >&2)
}
step clang-tidy tidy "${sources[@]}"
exit "$status"
