#!/usr/bin/env bats
# unherd check: what it is asked about, and programs and processes that the library cannot reach.

# bats file_tags=patient

load tool

teardown() {
  [[ -z ${SERVER:-} ]] || kill "$SERVER" 2>/dev/null || true
}

check() {
  status=0
  output=$("$UNHERD" check "$@" 2>&1) || status=$?
  mapfile -t lines <<<"$output"
}

# serve WORKERS COMMAND...: the example server by way of that command; its port is in PORT.
serve() {
  PORT=$(free_port 21000 31000)
  "${@:2}" "$TESTED_BUILD/prefork" -p "$PORT" -w "$1" >server.log 2>&1 3>&- 4>&- &
  SERVER=$!
  eventually 10 answers_with_all "$1" || fail "$(cat server.log)"
}

answers_with_all() {
  [[ $(pgrep -c -P "$SERVER") -eq $1 ]] && curl -sf --max-time 2 -o /dev/null "http://127.0.0.1:$PORT/"
}

@test "bad questions are status 2, in one line" {
  check
  expect 2 'unherd check: what is to be checked? see unherd help check'
  check one two
  expect 2 'unherd check: one program, process or port at a time'
  check --jsn x
  expect 2 'unherd check: --jsn: there is no such option'
  check --library
  expect 2 'unherd check: --library needs a value'
  check --library /no/such/library x
  expect 2 'unherd check: the library /no/such/library: No such file or directory'
  check 4000000
  expect 2 'unherd check: 4000000: nobody listens on such a port, and there is no such process'
  check 127.0.0.1:1
  expect 2 'unherd check: 127.0.0.1:1: nobody listens there'
  check unix:/no/such/socket
  expect 2 'unherd check: unix:/no/such/socket: nobody listens there'
  check "pid:$$"
  expect 2 "unherd check: pid:$$: nobody listens there"
}

@test "programs: one that may be helped, one that does not listen, ones that cannot be loaded into" {
  check "$TESTED_BUILD/prefork"
  expect 0 "*hooked,*accept4*epoll_ctl*may help: *"
  check "$FIXTURES/dynamic"
  expect 1 "*would not help: neither it nor its libraries listen and accept;*"
  check "$FIXTURES/static"
  expect 2 "*cannot: $FIXTURES/static is statically linked:*"
  check no-such-command
  expect 2 '*cannot: no-such-command: command not found'
  script listens "#!$TESTED_BUILD/prefork"
  check ./listens
  expect 0 "$TESTED_BUILD/prefork*may help: *"
}

@test "programs: what is made without libc, or with another one, and what loads its calls later" {
  "${CC:-cc}" -O1 -o raw -x c - <<'C'
#include <sys/syscall.h>
int main(void) {
  long result;
#if defined __x86_64__
  __asm__ volatile("mov %1, %%eax; syscall" : "=a"(result) : "i"(SYS_accept4), "D"(-1L) : "rcx", "r11");
#elif defined __aarch64__
  register long number __asm__("x8") = SYS_accept4, fd __asm__("x0") = -1;
  __asm__ volatile("svc #0" : "+r"(fd) : "r"(number));
  result = fd;
#endif
  return result == -9;
}
C
  check ./raw
  expect 2 '*goes around: accept4, made without libc*cannot: it accepts by system calls of its own, past libc'
  echo 'int other;' | "${CC:-cc}" -shared -nostdlib -Wl,-soname,libc.musl.so.1 -o libc.musl.so.1 -x c -
  echo 'int main(void) { return 0; }' | "${CC:-cc}" -Wl,--no-as-needed -nostdlib -Wl,-e,main -o musl -x c - -x none ./libc.musl.so.1
  check ./musl
  expect 2 '*cannot: ./musl is linked with libc.musl.so.1, and the library with libc.so.6'
  cp "$FIXTURES/dynamic" ruby3.9
  check ./ruby3.9
  expect 0 '*may help: its modules may listen and accept:*'
}

@test "a program as JSON names its calls" {
  check --json "$TESTED_BUILD/prefork"
  expect 0 '*"epoll_wait"*"verdict": "helps"*'
}

@test "a process and its port are the same; a number that is both is not guessed" {
  serve 4 env
  check "$SERVER"
  expect 0 '*helps, exclusive: its 4 workers wait with epoll*'
  check ":$PORT"
  expect 0 '*5 processes have it open*helps, exclusive: *'
  check "127.0.0.1:$PORT"
  expect 0 '*helps, exclusive: *'
}

@test "one worker is no herd" {
  serve 1 env
  check "$PORT"
  expect 1 '*a single worker waits for it*'
}

@test "with the library in every process it is at work" {
  serve 4 env LD_PRELOAD="$TESTED_PRELOAD" UNHERD_MODE=exclusive
  check "$PORT"
  expect 0 '*the library is in 5 of them*the library is at work, for 4 workers: exclusive (as asked)'
  [[ $output != *'not loaded'* ]] || fail "$output"
}

# Two workers, which are executed without an environment, as dovecot's and postfix's are.
@test "workers that the library did not reach are named, with the cause" {
  cat >server.py <<'PYTHON'
import os, select, socket, sys
if len(sys.argv) > 1:
    poll = select.epoll()
    poll.register(int(sys.argv[1]), select.EPOLLIN)
    while True:
        poll.poll()
listener = socket.create_server(("127.0.0.1", 0))
listener.set_inheritable(True)
for _ in range(2):
    if os.fork() == 0:
        os.execve(sys.executable, [sys.executable, sys.argv[0], str(listener.fileno())], {})
print(listener.getsockname()[1], flush=True)
os.wait()
PYTHON
  LD_PRELOAD=$TESTED_PRELOAD UNHERD_EXEC=0 /usr/bin/python3 server.py >port 2>server.log 3>&- 4>&- &
  SERVER=$!
  eventually 10 both_wait || fail "$(cat port server.log)"
  check ":$(cat port)"
  expect 0 '*the library is in 1 of them*2 that wait have not loaded the library, first python3*: its parent has it: the environment was made anew*'
  pkill -P "$SERVER"
}

both_wait() {
  [[ -s port ]] && "$UNHERD" check ":$(cat port)" | grep -q '2 wait with epoll'
}

@test "a server whose loader drops the preload cannot be helped" {
  [[ $(id -u) -eq 0 ]] || skip "needs root, to give a file a capability"
  cp "$TESTED_BUILD/prefork" secure
  setcap cap_net_bind_service+ep secure
  PORT=$(free_port 21000 31000)
  setpriv --reuid=65534 --clear-groups ./secure -p "$PORT" -w 4 >server.log 2>&1 3>&- 4>&- &
  SERVER=$!
  eventually 10 answers_with_all 4 || fail "$(cat server.log)"
  check "$PORT"
  expect 2 '*cannot: secure*: it has gained privileges, and the dynamic loader drops LD_PRELOAD'
}
