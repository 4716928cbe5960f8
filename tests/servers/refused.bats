#!/usr/bin/env bats
# nginx where the kernel refuses what the library needs: it serves as it does without, and a line says what is not done.

load ../lib/bodies

teardown() { finish; }

# Each is nginx, started in its own way; strace's -DDD leaves nginx itself to be our child.
configure_without_memfd() {
  configure_nginx "$@"
  COMMAND=(strace -DDD -f -qq --seccomp-bpf -o /dev/null --trace=memfd_create --inject=memfd_create:error=EPERM "${COMMAND[@]}")
}

configure_two_forks() {
  local forks=clone,clone3
  configure_nginx "$@"
  COMMAND=(strace -DDD -f -qq --seccomp-bpf -o /dev/null --trace="$forks" --inject="$forks:error=EAGAIN:when=3+" "${COMMAND[@]}")
  PROCESSES=2 # for server_is_ready
}

configure_few_descriptors() {
  configure_nginx "$@"
  # shellcheck disable=SC2016 # for the other shell
  COMMAND=(sh -c 'ulimit -n 64 && exec "$@"' sh "${COMMAND[@]}")
}

# nginx itself asks for EPOLLEXCLUSIVE, and stops where it is refused, unless it shards or has its mutex.
configure_old_kernel() {
  "configure_$OLD_KIND" "$@"
  gcc -D_GNU_SOURCE -shared -fPIC -o "$1/old_kernel.so" "$TESTS/lib/old_kernel.c"
  # shellcheck disable=SC2016
  COMMAND=(sh -c 'LD_PRELOAD="$LD_PRELOAD $0" exec "$@"' "$1/old_kernel.so" "${COMMAND[@]}")
}

# serves_with KIND MODE LEAST MOST WORDS: so many lines have those words.
serves_with() {
  local lines
  start_server "$1" "$2"
  answers 60
  lines=$(grep -cF "$5" "$DIRECTORY/unherd.log") || true
  [[ $lines -ge $3 && $lines -le $4 ]] || fail "$1, $2: $lines lines have: $5"
  stop_server
}

# bats test_tags=patient
@test "memfd_create is refused by a filter: left alone" {
  local mode
  serves_with without_memfd stock 0 0 unherd
  for mode in auto exclusive reuseport; do
    serves_with without_memfd "$mode" 1 1 'left alone (no shared memory: EPERM)'
  done
}

# bats test_tags=patient
@test "RLIMIT_NOFILE is 64: as many queues as fit" {
  serves_with few_descriptors stock 0 0 unherd
  serves_with few_descriptors auto 0 0 RLIMIT
  serves_with few_descriptors exclusive 0 0 RLIMIT
  serves_with few_descriptors reuseport 1 1 '(RLIMIT_NOFILE leaves room for no more)'
}

# bats test_tags=patient
@test "fork fails for half of the workers: the others serve all queues" {
  serves_with two_forks stock 0 0 unherd
  serves_with two_forks auto 1 1 'exclusive, rotated every 1'
  serves_with two_forks exclusive 1 1 'exclusive, rotated every 1'
  serves_with two_forks reuseport 1 1 'reuseport, '
}

# bats test_tags=patient
@test "a kernel without EPOLLEXCLUSIVE: nginx with its mutex, and its own shards" {
  local mode
  for OLD_KIND in nginx_mutex nginx_own; do
    serves_with old_kernel stock 0 0 unherd
    for mode in auto exclusive reuseport; do
      # Said by each worker, who meets it by itself.
      serves_with old_kernel "$mode" 1 "$WORKERS" 'the kernel refuses EPOLLEXCLUSIVE'
    done
  done
}
