#!/usr/bin/env bats
# What a server sees of epoll is what it would see without the library: events, data, errors, timeouts, signals.

source "$BATS_TEST_DIRNAME/lab.bash"

@test "epoll_data comes back as given" {
  same events data
}

@test "two listeners with the same epoll_data" {
  same events same-data
}

@test "a connection with the listener's epoll_data loses no event" {
  same events connection-data
}

@test "whatever was asked for beside EPOLLIN, the events are the kernel's" {
  same events asked
}

@test "EPOLLONESHOT: told once, armed again by MOD, and by DEL and ADD" {
  same events oneshot
}

@test "EPOLL_CTL_MOD, its effects and its errors" {
  same events modified
}

@test "DEL and ADD at run time" {
  same events removed
}

@test "DEL and ADD, edge-triggered, tell once more of what is queued" {
  same events removed-edge
}

@test "EPOLLEXCLUSIVE of the server's own, and an instance inside another" {
  same events own-exclusive
}

@test "timeouts of epoll_wait, epoll_pwait and epoll_pwait2 are kept" {
  same waits timeouts
}

@test "workers that come and go show in a wait as a herd does at most: readable, and nothing to accept" {
  same waits undisturbed
}

@test "the errors of the epoll family" {
  same waits errors
}

@test "one event at a time, from three listeners" {
  same waits one-at-a-time
}

@test "a signal handler interrupts every wait, SA_RESTART or not" {
  same waits interrupted
}

@test "the signal mask of epoll_pwait and epoll_pwait2" {
  same waits masked
}

@test "a listener that blocks: SO_RCVTIMEO, EINTR, SA_RESTART" {
  same waits blocking
}

@test "two numbers of a listener in one instance: each goes on when the other is disarmed or deleted" {
  same remains numbers
}
