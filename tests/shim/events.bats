#!/usr/bin/env bats
# What a server sees of epoll is what it would see without the library: events, data, errors, timeouts, signals.

source "$BATS_TEST_DIRNAME/lab.bash"

# bats test_tags=patient
@test "epoll_data comes back as given" {
  same events data
}

# bats test_tags=patient
@test "two listeners with the same epoll_data" {
  same events same-data
}

# bats test_tags=patient
@test "a connection with the listener's epoll_data loses no event" {
  same events connection-data
}

# bats test_tags=patient
@test "whatever was asked for beside EPOLLIN, the events are the kernel's" {
  same events asked
}

# bats test_tags=patient
@test "EPOLLONESHOT: told once, armed again by MOD, and by DEL and ADD" {
  same events oneshot
}

# bats test_tags=patient
@test "EPOLL_CTL_MOD, its effects and its errors" {
  same events modified
}

# bats test_tags=patient
@test "DEL and ADD at run time" {
  same events removed
}

# bats test_tags=patient
@test "DEL and ADD, edge-triggered, tell once more of what is queued" {
  same events removed-edge
}

# bats test_tags=patient
@test "EPOLLEXCLUSIVE of the server's own, and an instance inside another" {
  same events own-exclusive
}

@test "timeouts of epoll_wait, epoll_pwait and epoll_pwait2 are kept" {
  same waits timeouts
}

@test "workers that come and go show in a wait as a herd does at most: readable, and nothing to accept" {
  same waits undisturbed
}

# bats test_tags=patient
@test "the errors of the epoll family" {
  same waits errors
}

# bats test_tags=patient
@test "one event at a time, from three listeners" {
  same waits one-at-a-time
}

# bats test_tags=patient
@test "a signal handler interrupts every wait, SA_RESTART or not" {
  same waits interrupted
}

# bats test_tags=patient
@test "the signal mask of epoll_pwait and epoll_pwait2" {
  same waits masked
}

@test "a listener that blocks: SO_RCVTIMEO, EINTR, SA_RESTART" {
  same waits blocking
}

# bats test_tags=patient
@test "two numbers of a listener in one instance: each goes on when the other is disarmed or deleted" {
  same remains numbers
}
