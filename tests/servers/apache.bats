#!/usr/bin/env bats
# Apache: the event MPM, and prefork with two Listens, whose children take turns with an accept mutex.

load ../lib/bodies

teardown() { finish; }

# bats test_tags=patient
@test "Apache event answers, stock" { serves apache_event stock; }
# bats test_tags=patient
@test "Apache event answers, exclusive" { serves apache_event exclusive; }
# bats test_tags=patient
@test "Apache event answers, reuseport" { serves apache_event reuseport; }
# bats test_tags=patient
@test "Apache prefork answers, stock" { serves apache_prefork stock; }
# bats test_tags=patient
@test "Apache prefork answers, exclusive" { serves apache_prefork exclusive; }
# bats test_tags=patient
@test "Apache prefork answers, reuseport" { serves apache_prefork reuseport; }

@test "Apache event takes fair turns in exclusive" { takes_turns apache_event 2000 1.05; }
@test "Apache event wakes fewer workers in exclusive" { wakes_fewer apache_event; }
@test "Apache event has a queue for each worker in reuseport" { has_own_queues apache_event 8000; }

# bats test_tags=patient
@test "Apache prefork with two Listens leaves nobody waiting" { leaves_nobody_waiting apache_prefork; }
# bats test_tags=patient
@test "Apache prefork with two Listens starves nobody in reuseport" { starves_nobody apache_prefork; }
# bats test_tags=patient
@test "Apache prefork with two Listens starves nobody without stealing" { starves_nobody apache_prefork UNHERD_STEAL=0; }
# bats test_tags=patient
@test "Apache prefork with two Listens starves nobody with one thief" { starves_nobody apache_prefork UNHERD_STEAL=1; }

# bats test_tags=patient
@test "a second Apache is refused, stock" { refuses_second_copy apache_event stock; }
# bats test_tags=patient
@test "a second Apache is refused, exclusive" { refuses_second_copy apache_event exclusive; }
# bats test_tags=patient
@test "a second Apache is refused, reuseport" { refuses_second_copy apache_event reuseport; }
# bats test_tags=patient
@test "a second Apache prefork is refused, stock" { refuses_second_copy apache_prefork stock; }
# bats test_tags=patient
@test "a second Apache prefork is refused, reuseport" { refuses_second_copy apache_prefork reuseport; }

# bats test_tags=patient
@test "Apache loses nobody to a graceful restart and keeps its mode, stock" { serves_after_reload apache_event stock 8; }
@test "Apache loses nobody to a graceful restart and keeps its mode, exclusive" { serves_after_reload apache_event exclusive 8; }
# bats test_tags=patient
@test "Apache loses nobody to a graceful restart and keeps its mode, reuseport" { serves_after_reload apache_event reuseport 8; }
