#!/usr/bin/env bats
# gunicorn, 4 workers of the class sync: they accept first, then wait in select().

load ../lib/bodies

teardown() { finish; }

# bats test_tags=patient
@test "gunicorn sync answers, stock" { serves gunicorn_sync stock; }
# bats test_tags=patient
@test "gunicorn sync answers, exclusive" { serves gunicorn_sync exclusive; }
# bats test_tags=patient
@test "gunicorn sync answers, reuseport" { serves gunicorn_sync reuseport; }

# A herd is four.
@test "gunicorn sync wakes one worker for a connection, auto" { SWITCHES_MOST=1.5 wakes_one gunicorn_sync auto; }
@test "gunicorn sync wakes one worker for a connection, exclusive" { SWITCHES_MOST=1.5 wakes_one gunicorn_sync exclusive; }
@test "gunicorn sync has a queue for each worker in reuseport" { has_own_queues gunicorn_sync 4000; }

@test "gunicorn sync serves all who are queued without a wait in between, stock" { serves_all_in_a_row gunicorn_sync stock; }
@test "gunicorn sync serves all who are queued without a wait in between, reuseport" { serves_all_in_a_row gunicorn_sync reuseport; }

# bats test_tags=patient
@test "gunicorn sync loses nobody to HUP, stock" { serves_after_reload gunicorn_sync stock 4; }
@test "gunicorn sync loses nobody to HUP, exclusive" { serves_after_reload gunicorn_sync exclusive 4; }
# bats test_tags=patient
@test "gunicorn sync loses nobody to HUP, reuseport" { serves_after_reload gunicorn_sync reuseport 4; }
