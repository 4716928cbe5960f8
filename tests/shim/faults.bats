#!/usr/bin/env bats
# System calls of the library's own are made to fail, the most telling of those that `make faults` tries: the server answers
# every connection and ends in good order, and where less was done than asked for, a line says so.

# bats file_tags=patient

source "$BATS_TEST_DIRNAME/lab.bash"

setup() {
  [[ $TESTED_PRELOAD != *asan* ]] || skip "the sanitizer does not live without these calls"
}

# survives: on stdin, a line for each fault: MODE.STYLE CALL ERRNO WHEN.
survives() {
  timeout -k 5 120 /usr/bin/python3 "$TESTS/faults.py" "$TESTED_BUILD" --list - 3>&- 4>&-
}

@test "no shared memory: the listener is left alone" {
  survives <<'FAULTS'
exclusive.epoll memfd_create EMFILE 1
exclusive.epoll memfd_create ENFILE 1
reuseport.epoll memfd_create ENOSYS 1
reuseport.poll memfd_create EPERM 1
reuseport.epoll ftruncate ENOSPC 1
reuseport.epoll fcntl EMFILE 1
reuseport.epoll fcntl EPERM 2
reuseport.accept fcntl EMFILE 1+
exclusive.epoll fcntl EINVAL 1+
FAULTS
}

@test "a kernel without MADV_WIPEONFORK: nothing is done" {
  survives <<'FAULTS'
exclusive.epoll madvise EINVAL 1
reuseport.epoll madvise ENOMEM 1
reuseport.poll madvise EINVAL 1
FAULTS
}

@test "no shards, or fewer than asked for" {
  survives <<'FAULTS'
reuseport.epoll eventfd2 EMFILE 1
reuseport.epoll eventfd2 ENOSYS 1
reuseport.epoll socket EMFILE 2+
reuseport.epoll socket ENFILE 3
reuseport.epoll socket ENOMEM 4
reuseport.epoll socket EPERM 2
reuseport.epoll bind EADDRINUSE 2
reuseport.epoll bind EACCES 2+
reuseport.epoll bind ENOMEM 3
reuseport.epoll setsockopt EPERM 1
reuseport.epoll setsockopt ENOPROTOOPT 2
reuseport.epoll getsockopt ENOPROTOOPT 6+
reuseport.epoll getsockname ENOBUFS 2
reuseport.epoll sched_getaffinity ENOSYS 1
reuseport.epoll listen EADDRINUSE 1
reuseport.poll listen EACCES 1
FAULTS
}

@test "registrations, kicks and claims" {
  survives <<'FAULTS'
exclusive.epoll epoll_ctl EINVAL 1
exclusive.epoll epoll_ctl ENOSPC 3
exclusive.epoll epoll_ctl ENOMEM 2
reuseport.epoll epoll_ctl ENOSPC 2
reuseport.epoll epoll_ctl ENOMEM 3
reuseport.epoll epoll_ctl ENOSPC 7
reuseport.edge epoll_ctl ENOMEM 5
reuseport.epoll write EAGAIN 1
reuseport.epoll fcntl ENOLCK 12
reuseport.epoll fcntl EACCES 13
FAULTS
}

@test "waits by way of an instance of the library's own" {
  survives <<'FAULTS'
exclusive.poll epoll_create1 EMFILE 1+
reuseport.select epoll_create1 ENOMEM 1
reuseport.poll epoll_pwait2 ENOSYS 1+
exclusive.select epoll_pwait2 EPERM 1+
reuseport.accept epoll_pwait2 EPERM 1+
reuseport.poll epoll_ctl ENOSPC 1+
reuseport.accept epoll_ctl ENOSPC 1+
reuseport.epoll poll EINVAL 1+
reuseport.accept poll EINTR 1
FAULTS
}
