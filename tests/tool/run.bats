# unherd run: its options, what it sets, the library that it finds, and that the command takes its place.
# shellcheck disable=SC2016,SC1003,SC2030,SC2031 # words for other shells; a test is a subshell

# bats file_tags=patient

load tool

# --- help and names ---

@test "--help lists the subcommands, every help has examples" {
  run "$UNHERD" --help
  expect 0 '*SUBCOMMANDS*run *EXAMPLES*'
  for words in 'help run' 'run --help' 'run -h'; do
    # shellcheck disable=SC2086 # words
    run "$UNHERD" $words
    expect 0 'usage: unherd run*EXAMPLES*'
  done
}

@test "the help names every variable of the option table" {
  run "$UNHERD" help run
  local variable
  for variable in $(grep -o '"UNHERD_[A-Z_]*"' "$TESTS/../shim/options.h" | tr -d '"'); do
    [[ $output == *"($variable)"* ]] || fail "$variable is missing"
  done
  [[ -n $variable ]]
}

@test "--version" {
  run "$UNHERD" --version
  [[ $status -eq 0 && $output =~ ^unherd\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "an unknown subcommand is one line and status 2" {
  for words in bogus 'help bogus'; do
    # shellcheck disable=SC2086 # words
    run "$UNHERD" $words
    expect 2 'unherd: there is no subcommand "bogus"; see unherd --help'
  done
  run "$UNHERD"
  expect 2 'usage:*'
}

@test "help into a full disk is a failure" {
  run bash -c "'$UNHERD' --help >/dev/full"
  expect 125 'unherd: standard output: No space left on device'
  run bash -c "'$UNHERD' run --help >/dev/full"
  expect 125 'unherd: standard output: No space left on device'
  run bash -c "'$UNHERD' run --dry-run --library '$FIXTURES/standin.so' true >/dev/full"
  expect 125 'unherd: standard output: No space left on device'
}

# --- options ---

@test "an option sets its variable, with = or without" {
  run_with --mode reuseport --steal=3 --listen '80,!22' --shards 9 --rotate=0 --log info --log-file /tmp/x -- env
  [[ $status -eq 0 ]]
  for setting in MODE=reuseport STEAL=3 'LISTEN=80,!22' SHARDS=9 ROTATE=0 LOG=info LOG_FILE=/tmp/x; do
    grep -Fxq "UNHERD_$setting" <<<"$output" || fail "no UNHERD_$setting: $output"
  done
}

@test "an option that is not given sets nothing" {
  run_with -- env
  [[ $status -eq 0 && $output != *UNHERD_* ]] || fail "$output"
  grep -Fxq "LD_PRELOAD=$FIXTURES/standin.so" <<<"$output"
}

@test "the last of two options of one name counts" {
  run_with --mode off --mode exclusive -- env
  grep -Fxq UNHERD_MODE=exclusive <<<"$output"
}

@test "a bad value is one line that names it, and nothing is started" {
  while read -r option value reason; do
    run_with "$option" "$value" -- touch started
    expect 125 "unherd run: $option: \"$value\" $reason"
  done <<'TABLE'
--mode bogus is not one of auto, exclusive, reuseport, off
--log loud is not one of off, warn, info, debug
--shards 0 is not a number from 1 to 256
--steal 256 is not a number from 0 to 255
--rotate x is not a number from 0 to 1000000
--log-file here.log is not an absolute path
--listen http is not PORT, ADDRESS:PORT, unix:PATH or all
TABLE
  [[ ! -e started ]]
}

@test "one bad item of a list is named" {
  run_with --listen '80,443=fast,82' -- touch started
  expect 125 'unherd run: --listen: "443=fast" has a mode that is not *'
  [[ ! -e started ]]
}

@test "wrong options are one line and status 125" {
  run_with --bogus -- true
  expect 125 'unherd run: --bogus: there is no such option; see unherd help run'
  run_with -q true
  expect 125 'unherd run: -q: there is no such option; see unherd help run'
  run_with --dry-run=yes true
  expect 125 'unherd run: --dry-run=yes: this option takes no value; see unherd help run'
  run_with --mode
  expect 125 'unherd run: --mode needs a value'
  run_with
  expect 125 'unherd run: no command given; see unherd help run'
  run_with --
  expect 125 'unherd run: no command given; see unherd help run'
}

@test "what follows the command is the command's" {
  run_with printf '%s,' --mode bogus -- --dry-run
  expect 0 '--mode,bogus,--,--dry-run,'
}

@test "control characters of an argument do not reach the terminal" {
  run_with --mode $'\e[31m' -- true
  expect 125 'unherd run: --mode: "[?][[]31m" is not one of*'
  run_with $'no\e[31mthing'
  expect 127 'unherd run: no[?][[]31mthing: command not found'
}

# --- the user's own environment ---

@test "a variable that is set wins, and one line says so" {
  export UNHERD_MODE=off
  run_with --mode reuseport -- printenv UNHERD_MODE
  [[ $status -eq 0 && ${lines[0]} == 'unherd run: --mode reuseport is not used: UNHERD_MODE=off is set already' ]]
  [[ ${lines[1]} == off && ${#lines[@]} -eq 2 ]]
}

@test "a variable that says the same as the option, or has none, is not worth a line" {
  export UNHERD_MODE=off UNHERD_STEAL=3
  run_with --mode off -- printenv UNHERD_MODE UNHERD_STEAL
  expect 0 $'off\n3'
}

@test "the library goes before what is preloaded already" {
  cp "$FIXTURES/standin.so" other.so
  LD_PRELOAD=$PWD/other.so run_with -- printenv LD_PRELOAD
  expect 0 "$FIXTURES/standin.so:$PWD/other.so"
}

@test "an empty LD_PRELOAD is none" {
  LD_PRELOAD='' run_with -- printenv LD_PRELOAD
  expect 0 "$FIXTURES/standin.so"
}

@test "the library is not preloaded twice" {
  cp "$FIXTURES/standin.so" other.so
  ln -s "$FIXTURES/standin.so" link.so
  for list in "$FIXTURES/standin.so" "$PWD/other.so:$FIXTURES/standin.so" "$PWD/other.so $FIXTURES/standin.so" "$PWD/link.so"; do
    LD_PRELOAD=$list run_with -- printenv LD_PRELOAD
    expect 0 "$list"
  done
}

# --- dry run ---

@test "--dry-run prints the environment and the command, and does nothing" {
  run_with --dry-run --mode reuseport -- touch started
  expect 0 "LD_PRELOAD=$FIXTURES/standin.so UNHERD_MODE=reuseport touch started"
  [[ ! -e started ]]
}

@test "--dry-run leaves out what is not ours to set" {
  UNHERD_MODE=reuseport run_with --dry-run --mode reuseport --steal 2 -- true
  expect 0 "LD_PRELOAD=$FIXTURES/standin.so UNHERD_STEAL=2 true"
}

@test "a shell reads back what --dry-run prints" {
  cp "$(type -P printf)" 'a=b'
  local words=('daemon off;' "it's" '' '$HOME `x` "y" \' '*' $'two\nlines' '~' '#' '--x=y' '!22')
  PATH=$PWD:$PATH run_with --dry-run --listen '80,!22' -- a=b '<%s>' "${words[@]}"
  [[ $status -eq 0 ]]
  # A shell's own line, with the command looked up in PATH, must be the same as running it.
  local said expected
  said=$(PATH=$PWD:$PATH sh -c "$output")
  expected=$(printf '<%s>' "${words[@]}")
  [[ $said == "$expected" ]] || fail "$said"
  [[ $output == *" UNHERD_LISTEN='80,!22' "* ]]
}

@test "--dry-run refuses what would be refused" {
  run_with --dry-run -- "$FIXTURES/static"
  expect 126 'unherd run: *statically linked*'
}

# --- the command takes our place ---

@test "the command has this process's number" {
  "$UNHERD" run --library "$FIXTURES/standin.so" -- sh -c 'echo $$' >number &
  local number=$!
  wait "$number"
  [[ $(<number) == "$number" ]]
}

@test "exit status and signal are the command's own" {
  run_with "$FIXTURES/dynamic"
  expect 3 ''
  run_with sh -c 'exit 125'
  expect 125 ''
  run_with sh -c 'kill -TERM $$'
  expect 143 ''
}

@test "the name that was typed is the command's argv[0]" {
  run_with sh -c 'tr "\0" " " </proc/$$/cmdline; :'
  expect 0 'sh -c *'
}

@test "no descriptor of ours is left open in the command" {
  local without
  without=$(sh -c 'ls /proc/$$/fd' 2>&1)
  run_with sh -c 'ls /proc/$$/fd'
  expect 0 "$without"
}

# --- finding the library ---

@test "the library beside the tool is preloaded, whatever the directory" {
  cd /
  run "$UNHERD" run --dry-run true
  expect 0 "LD_PRELOAD=$(realpath "${UNHERD%/*}")/libunherd.so true"
}

@test "the real library loads into a command" {
  # The kernel's own list of what is mapped.
  run "$UNHERD" run --mode reuseport -- grep -c "$(realpath "${UNHERD%/*}")/libunherd.so" /proc/self/maps
  [[ $status -eq 0 && $output -ge 1 ]] || fail "$output"
}

@test "an installed tool finds its library in ../lib" {
  mkdir -p prefix/bin prefix/lib
  cp "$UNHERD" prefix/bin/
  cp "$FIXTURES/standin.so" prefix/lib/libunherd.so
  run prefix/bin/unherd run --dry-run true
  expect 0 "LD_PRELOAD=$PWD/prefix/lib/libunherd.so true"
  ln -s "$PWD/prefix/bin/unherd" link
  run ./link run --dry-run true
  expect 0 "LD_PRELOAD=$PWD/prefix/lib/libunherd.so true"
}

@test "no library is one line and status 125" {
  mkdir alone
  cp "$UNHERD" alone/
  run alone/unherd run touch started
  expect 125 "unherd run: libunherd.so is neither in $PWD/alone nor in $PWD/lib; say --library PATH"
  run "$UNHERD" run --library nowhere.so touch started
  expect 125 'unherd run: the library nowhere.so: No such file or directory'
  run "$UNHERD" run --library /nowhere.so touch started
  expect 125 'unherd run: the library /nowhere.so: No such file or directory'
  [[ ! -e started ]]
}

@test "--library is made absolute" {
  cp "$FIXTURES/standin.so" here.so
  run "$UNHERD" run --dry-run --library here.so true
  expect 0 "LD_PRELOAD=$PWD/here.so true"
}

@test "a library that is none is refused" {
  echo text >text.so
  mkdir directory.so
  "${CC:-cc}" -c -x c -o object.o - <<<'int nothing;'
  for file in text.so directory.so object.o; do
    run "$UNHERD" run --library "$file" touch started
    expect 125 "unherd run: the library $PWD/$file is not a shared library"
  done
  [[ ! -e started ]]
}

@test "a path that LD_PRELOAD cannot hold is refused" {
  for name in 'with space.so' 'with:colon.so'; do
    cp "$FIXTURES/standin.so" "$name"
    run "$UNHERD" run --library "$name" touch started
    expect 125 "unherd run: the library $PWD/$name: LD_PRELOAD cannot hold a path with a space or a colon"
  done
  [[ ! -e started ]]
}
