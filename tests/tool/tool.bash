# shellcheck shell=bash
# What the tool's tests share. Fixtures are built here; most tests preload a stand-in library that does nothing,
# so that only the tool is under test.

load ../lib/common

setup_file() {
  export FIXTURES=$BATS_FILE_TMPDIR
  echo 'int nothing;' | "${CC:-cc}" -shared -fPIC -x c - -o "$FIXTURES/standin.so"
  echo 'int main(void) { return 3; }' | "${CC:-cc}" -x c - -o "$FIXTURES/dynamic"
  echo 'int main(void) { return 3; }' | "${CC:-cc}" -static -x c - -o "$FIXTURES/static"
  echo 'int main(void) { return 3; }' | "${CC:-cc}" -static-pie -x c - -o "$FIXTURES/static-pie"
}

setup() {
  UNHERD=$TESTED_BUILD/unherd
  unset LD_PRELOAD "${!UNHERD_@}" # what the command is given is the tool's doing alone
  cd "$BATS_TEST_TMPDIR" || return
}

# run_with ARG...: unherd run with the stand-in; as `run` does, without its warning on status 127.
run_with() {
  answer run --library "$FIXTURES/standin.so" "$@"
}

# answer SUBCOMMAND ARGUMENT...: what the tool says, and its status.
answer() {
  status=0
  output=$("$UNHERD" "$@" 2>&1) || status=$?
  mapfile -t lines <<<"$output"
}

expect() {
  [[ $status -eq $1 ]] || fail "status $status, not $1: $output"
  # shellcheck disable=SC2053 # a pattern
  [[ $output == $2 ]] || fail "not '$2' but: $output"
}

one_line() {
  [[ ${#lines[@]} -eq 1 ]] || fail "not one line: $output"
}

# patched FILE OFFSET BYTES: a copy with these bytes (for printf) in it.
patched() {
  cp "$1" patched
  # shellcheck disable=SC2059 # escapes
  printf "$3" | dd of=patched bs=1 seek="$2" conv=notrunc status=none
}

script() {
  printf '%s\n' "${@:2}" >"$1"
  chmod +x "$1"
}

# --- a server to ask about ---

# serve MODE: the example server with four workers that wait; its port is in PORT, its master in SERVER.
serve() {
  PORT=$(free_port 21000 31000)
  env LD_PRELOAD="$TESTED_PRELOAD" UNHERD_MODE="$1" "$TESTED_BUILD/prefork" -p "$PORT" -w 4 >server.log 2>&1 3>&- 4>&- &
  SERVER=$!
  eventually 10 all_four_answer || fail "$(cat server.log)"
}

end_of_serving() {
  [[ -z ${SERVER:-} ]] || kill "$SERVER" 2>/dev/null || true
}

all_four_answer() {
  [[ $(pgrep -c -P "$SERVER") -eq 4 ]] && visit 20 && [[ $("$UNHERD" stat ":$PORT" | grep -c '  worker ') -eq 4 ]]
}

visit() {
  local i
  for ((i = 0; i < $1; i++)); do
    curl -sf --max-time 2 -o /dev/null "http://127.0.0.1:$PORT/" || return 1
  done
}
