#!/usr/bin/env bats
# uwsgi with a master and 4 processes, with and without its accept mutex (--thunder-lock).

load ../lib/bodies

teardown() { finish; }

# bats test_tags=patient
@test "uwsgi answers, stock" { serves uwsgi stock; }
# bats test_tags=patient
@test "uwsgi answers, exclusive" { serves uwsgi exclusive; }
# bats test_tags=patient
@test "uwsgi answers, reuseport" { serves uwsgi reuseport; }
# bats test_tags=patient
@test "uwsgi --thunder-lock answers, stock" { serves uwsgi_thunder stock; }
# bats test_tags=patient
@test "uwsgi --thunder-lock answers, exclusive" { serves uwsgi_thunder exclusive; }
# bats test_tags=patient
@test "uwsgi --thunder-lock answers, reuseport" { serves uwsgi_thunder reuseport; }

@test "uwsgi takes fair turns in exclusive" { takes_turns uwsgi 2000 1.05; }
@test "uwsgi has a queue for each worker in reuseport" { has_own_queues uwsgi 8000; }

# bats test_tags=patient
@test "uwsgi --thunder-lock leaves nobody waiting" { leaves_nobody_waiting uwsgi_thunder; }
# bats test_tags=patient
@test "uwsgi --thunder-lock starves nobody in reuseport" { starves_nobody uwsgi_thunder; }
# bats test_tags=patient
@test "uwsgi --thunder-lock starves nobody without stealing" { starves_nobody uwsgi_thunder UNHERD_STEAL=0; }
# bats test_tags=patient
@test "uwsgi --thunder-lock starves nobody with one thief" { starves_nobody uwsgi_thunder UNHERD_STEAL=1; }

# bats test_tags=patient
@test "a second uwsgi is refused, stock" { refuses_second_copy uwsgi stock; }
# bats test_tags=patient
@test "a second uwsgi is refused, exclusive" { refuses_second_copy uwsgi exclusive; }
# bats test_tags=patient
@test "a second uwsgi is refused, reuseport" { refuses_second_copy uwsgi reuseport; }

# A HUP executes the server anew: the listener and its queues go over to the next image.
# bats test_tags=patient
@test "uwsgi loses nobody to HUP, stock" { serves_after_reload uwsgi stock 4; }
@test "uwsgi loses nobody to HUP, exclusive" { serves_after_reload uwsgi exclusive 4; }
# bats test_tags=patient
@test "uwsgi loses nobody to HUP, reuseport" { serves_after_reload uwsgi reuseport 4; }
