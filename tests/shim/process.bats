#!/usr/bin/env bats
# Children of every kind, threads and signal handlers.

source "$BATS_TEST_DIRNAME/lab.bash"

# bats test_tags=patient
@test "10000 vfork children close, copy and deregister the listener, some execute: the parent stays whole" {
  [[ $TESTED_BUILD != */musl ]] || skip "executes /bin/true, which cannot load a library that is linked with musl"
  same process vfork
}

# bats test_tags=patient
@test "workers made by a raw clone, which no library sees" {
  same process clone
}

@test "fork while other threads come and go: no child finds anything locked" {
  same process forks-in-threads
}

@test "signal handlers that accept, copy and close, at any moment" {
  same process handlers
}

@test "a signal handler that closes the listener itself: its address is free afterwards" {
  same process closing-handler
}

# bats test_tags=patient
@test "a signal handler that closes an epoll instance: what that had claimed is free afterwards" {
  same process closing-instance
}

# bats test_tags=patient
@test "after exec the listener is there, and nothing of the library's" {
  same process exec
}

# bats test_tags=patient
@test "an exec that fails leaves its own errno, even if the library's descriptors are gone" {
  same process failing-exec
}

# bats test_tags=patient
@test "a listener that was deleted from an epoll instance is not there after fork, nor after exec" {
  same remains fork
  same remains exec
}
