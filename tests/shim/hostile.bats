#!/usr/bin/env bats
# Everything around the server goes wrong: limits, dead neighbours, refusals of the kernel, threads at the worst moment.
# It goes on as it would without the library, and at most one line says why something was not done.

source "$BATS_TEST_DIRNAME/lab.bash"

# lines_of MODE PROGRAM ARGUMENTS...: what the library says while that runs.
lines_of() {
  with "$@" 2>&1 >/dev/null | grep '^unherd:' || true
}

# --- limits and the log ---

# bats test_tags=patient
@test "RLIMIT_FSIZE is 0: no SIGXFSZ, and one line that names the cause" {
  local mode said
  # In shells of their own: the limit would end bats, which writes to files.
  said=$(ulimit -f 0 && same herd level visits=100 2>&1) || fail "$said"
  for mode in exclusive reuseport; do
    said=$(ulimit -f 0 && lines_of "$mode" herd level visits=20)
    [[ $(wc -l <<<"$said") -eq 1 && ($said == *EFBIG* || $said == *'File too large'*) ]] || fail "$mode: $said"
  done
}

# bats test_tags=patient
@test "stderr is a pipe whose reader is gone: no SIGPIPE" {
  UNHERD_LOG=debug same hostile stderr gone
}

# bats test_tags=patient
@test "stderr is a pipe that is full: nothing waits for room in it" {
  UNHERD_LOG=debug same hostile stderr full
}

# bats test_tags=patient
@test "a log file that is a FIFO without a reader, or a directory: one complaint, and the server starts" {
  local file said
  mkfifo "$BATS_TEST_TMPDIR/fifo"
  mkdir "$BATS_TEST_TMPDIR/directory"
  for file in "$BATS_TEST_TMPDIR/fifo" "$BATS_TEST_TMPDIR/directory"; do
    said=$(UNHERD_LOG_FILE=$file with exclusive herd level visits=20 2>&1)
    [[ $(grep -c "^unherd:.*$file" <<<"$said") -eq 1 && $said == *"answered 20 of 20" ]] || fail "$said"
  done
}

# bats test_tags=patient
@test "a log file on a full disk" {
  UNHERD_LOG=debug UNHERD_LOG_FILE=/dev/full same herd level visits=100
}

# bats test_tags=patient
@test "700 listeners in one process: all are served, and the same cause is said once" {
  local mode causes
  same astray listeners
  for mode in auto exclusive reuseport; do
    causes=$(lines_of "$mode" astray listeners | sed 's/[^(]*//' | sort)
    [[ -z $(uniq -d <<<"$causes") ]] || fail "$mode: $(uniq -c <<<"$causes")"
  done
}

# bats test_tags=patient
@test "600 epoll instances around one listener: the last ones see every queue" {
  same astray crowd
}

# --- whoever should take a connection is not there ---

# bats test_tags=patient
@test "10 of 12 workers are killed at once, and nobody replaces them" {
  in_every_mode "answered 100 of 100" herd level workers=12 visits=100 signal=9 stuck=10
}

# bats test_tags=patient
@test "10 of 12 workers are stopped at once" {
  in_every_mode "answered 100 of 100" herd level workers=12 visits=100 signal=19 stuck=10
}

# bats test_tags=patient
@test "the last instance is closed, or the listener taken out of it: accept() alone gets every connection" {
  same astray gives-up close
  same astray gives-up delete
  same astray alone
}

# bats test_tags=patient
@test "accept() alone gets every connection, although there are instances, which nobody waits on any more" {
  same astray gives-up keep
}

# bats test_tags=patient
@test "a listener that is closed by syscall() is closed" {
  same astray by-number
}

# bats test_tags=patient
@test "a ring of io_uring is the server's own; libuv's, in which no listener could be seen, is refused; both are named" {
  local mode said
  [[ $(UV_USE_IO_URING=1 with off astray ring) == "$(plain astray ring)" ]]
  [[ $(UV_USE_IO_URING=1 UNHERD_STEEL=1 with off astray ring 2>/dev/null) == "$(plain astray ring)" ]]
  for mode in auto exclusive reuseport; do
    said=$(UV_USE_IO_URING=1 with "$mode" astray ring 2>&1)
    [[ $said == *'io_uring is refused'* && $said != *'io_uring_setup: ok'* ]] || fail "$mode: $said"
    said=$(UV_USE_IO_URING=0 with "$mode" astray ring 2>&1)
    [[ $said == *"$(plain astray ring)"* && $said == *'left alone'* ]] || fail "$mode: $said"
  done
}

# refusing WHEN MODE: the N-th epoll_ctl of each worker is refused; the first is the server's own.
refusing() {
  timeout -k 5 30 strace -f -qq -o /dev/null --trace=epoll_ctl --inject=epoll_ctl:error=ENOSPC:when="$1" \
    -E LD_PRELOAD="$TESTED_PRELOAD" -E UNHERD_MODE="$2" "$PROGRAMS/herd" level workers=2 visits=40 2>/dev/null 3>&- 4>&-
}

# bats test_tags=patient
@test "the kernel refuses a registration, or all from some moment on: no worker goes deaf" {
  local mode when seen
  for mode in auto reuseport; do
    for when in 2 3 4 5 6 7 8 2+ 3+ 4+ 5+; do
      seen=$(refusing "$when" "$mode") || true
      [[ $seen == "answered 40 of 40" ]] || fail "$mode, epoll_ctl number $when: $seen"
    done
  done
}

# --- threads ---

# bats test_tags=patient
@test "a thread is cancelled inside of a call: nothing stays locked" {
  local call
  # With a stack for signals of its own, the address sanitizer finds fault with any cancelled thread, library or not.
  export ASAN_OPTIONS=${ASAN_OPTIONS:-}:use_sigaltstack=0
  for call in wait ctl accept listen close; do
    UNHERD_LOG=debug same races cancel "$call" # each line that is written is a place to be cancelled at
  done
}

@test "two threads listen on one number at the same time: it stays one listener" {
  local mode seen
  for mode in off auto exclusive; do
    seen=$(with "$mode" races listen-twice 2>&1)
    [[ $seen == $'queues: 1\nserved afterwards: 20 of 20' ]] || fail "$mode: $seen"
  done
  seen=$(with reuseport races listen-twice 2>&1)
  [[ $seen == *$'queues: 3\nserved afterwards: 20 of 20' && $seen != *"left alone"* ]] || fail "reuseport: $seen"
}

# bats test_tags=patient
@test "listeners come and go under the same numbers, while other threads use them" {
  UNHERD_SHARDS=2 same races reopen # the fewer spares there are to make, the more often threads meet
}

# --- what is not as it should be ---

# bats test_tags=patient
@test "pointers that point nowhere, and numbers below 0: the kernel's errors" {
  same hostile pointers
  same hostile negative
}

@test "a worker that was broken into writes to the shared memory: the others, and new ones, go on and rest" {
  same_in "exclusive reuseport" hostile scribbled states 1
  same_in "exclusive reuseport" hostile scribbled noise 4
}

# bats test_tags=patient
@test "a listener of another network namespace is served there, and takes no address here" {
  [[ $EUID -eq 0 ]] || skip "has to be root to make a network namespace"
  same hostile elsewhere
}

# not_sharded COMMAND: as without the library, and one line says that there is one queue.
not_sharded() {
  local said
  same filters "$1"
  [[ $(plain filters "$1") == *"listening sockets: 1"* ]] || return 0 # not in this kernel
  said=$(lines_of reuseport filters "$1")
  [[ $(wc -l <<<"$said") -eq 1 && $said == *exclusive*"not sharded"* ]] || fail "$said"
}

# bats test_tags=patient
@test "keys for signed segments (TCP_MD5SIG) cannot be copied: one queue" {
  not_sharded keys
}

# bats test_tags=patient
@test "a filter that cannot be read back (SO_ATTACH_BPF): one queue" {
  not_sharded program
}

# bats test_tags=patient
@test "a filter holds on every queue, or there is one queue" {
  same filters filter short
  same filters filter long
}
