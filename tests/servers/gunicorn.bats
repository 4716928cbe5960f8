#!/usr/bin/env bats
# gunicorn, 4 workers of the class gthread.

load ../lib/bodies

teardown() { finish; }

@test "gunicorn answers, stock" { serves gunicorn stock; }
@test "gunicorn answers, exclusive" { serves gunicorn exclusive; }
@test "gunicorn answers, reuseport" { serves gunicorn reuseport; }

@test "gunicorn takes fair turns in exclusive" { takes_turns gunicorn 2000 1.05; }
@test "gunicorn wakes fewer workers in exclusive" { wakes_fewer gunicorn; }
@test "gunicorn has a queue for each worker in reuseport" { has_own_queues gunicorn 8000; }

@test "a second gunicorn is refused, stock" { refuses_second_copy gunicorn stock; }
@test "a second gunicorn is refused, exclusive" { refuses_second_copy gunicorn exclusive; }
@test "a second gunicorn is refused, reuseport" { refuses_second_copy gunicorn reuseport; }

@test "gunicorn loses nobody to HUP and keeps its mode, stock" { serves_after_reload gunicorn stock 4; }
@test "gunicorn loses nobody to HUP and keeps its mode, exclusive" { serves_after_reload gunicorn exclusive 4; }
@test "gunicorn loses nobody to HUP and keeps its mode, reuseport" { serves_after_reload gunicorn reuseport 4; }
