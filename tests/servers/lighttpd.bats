#!/usr/bin/env bats
# lighttpd with server.max-worker = 4.

load ../lib/bodies

teardown() { finish; }

@test "lighttpd answers, stock" { serves lighttpd stock; }
@test "lighttpd answers, exclusive" { serves lighttpd exclusive; }
@test "lighttpd answers, reuseport" { serves lighttpd reuseport; }

@test "lighttpd takes fair turns in exclusive" { takes_turns lighttpd; }
@test "lighttpd has a queue for each worker in reuseport" { has_own_queues lighttpd 8000; }

@test "a second lighttpd is refused, stock" { refuses_second_copy lighttpd stock; }
@test "a second lighttpd is refused, exclusive" { refuses_second_copy lighttpd exclusive; }
@test "a second lighttpd is refused, reuseport" { refuses_second_copy lighttpd reuseport; }

@test "lighttpd serves after USR1, stock" { serves_after_reload lighttpd stock; }
@test "lighttpd serves after USR1, exclusive" { serves_after_reload lighttpd exclusive; }
@test "lighttpd serves after USR1, reuseport" { serves_after_reload lighttpd reuseport; }
