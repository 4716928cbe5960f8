#!/usr/bin/env bats
# gunicorn, 4 workers of the class gthread.

load ../lib/bodies

teardown() { finish; }

# bats test_tags=patient
@test "gunicorn answers, stock" { serves gunicorn stock; }
# bats test_tags=patient
@test "gunicorn answers, exclusive" { serves gunicorn exclusive; }
# bats test_tags=patient
@test "gunicorn answers, reuseport" { serves gunicorn reuseport; }

@test "gunicorn takes fair turns in exclusive" { takes_turns gunicorn 2000 1.05; }
@test "gunicorn wakes fewer workers in exclusive" { wakes_fewer gunicorn; }
@test "gunicorn has a queue for each worker in reuseport" { has_own_queues gunicorn 8000; }

# bats test_tags=patient
@test "a second gunicorn is refused, exclusive" { refuses_second_copy gunicorn exclusive; }
# bats test_tags=patient
@test "a second gunicorn is refused, reuseport" { refuses_second_copy gunicorn reuseport; }

# bats test_tags=patient
@test "gunicorn loses nobody to HUP and keeps its mode, stock" { serves_after_reload gunicorn stock 4; }
@test "gunicorn loses nobody to HUP and keeps its mode, exclusive" { serves_after_reload gunicorn exclusive 4; }
# bats test_tags=patient
@test "gunicorn loses nobody to HUP and keeps its mode, reuseport" { serves_after_reload gunicorn reuseport 4; }

has_successor() {
  MASTER=$(cat "$DIRECTORY/pid.2" 2>/dev/null) && [[ -n $MASTER ]] && server_is_ready
}

# USR2 executes a second master, with the socket's number in GUNICORN_FD; WINCH and TERM end the first.
loses_nobody_to_an_upgrade() {
  local old
  start_server gunicorn "$1"
  old=$MASTER
  drive_in_background --rate 300 --duration 4
  answers 20
  kill -USR2 "$old"
  eventually 20 has_successor || fail "no new master: $(cat "$DIRECTORY/output.log")"
  [[ $1 == stock ]] || grep -q libunherd "/proc/$MASTER/maps" || fail "the library is not in the new master"
  kill -WINCH "$old"
  kill -TERM "$old"
  eventually 20 is_gone "$old" || fail "the old master is still there"
  kill -0 "$DRIVER" || fail "the load ended before the upgrade"
  end_of_drive
  all_answered 1200
  kill -TERM "$MASTER"
  eventually 15 session_is_empty "$old" || fail "left behind: $(ps -o pid=,stat=,args= -s "$old")"
  MASTER=''
}

# bats test_tags=patient
@test "gunicorn loses nobody to an upgrade, stock" { loses_nobody_to_an_upgrade stock; }
# bats test_tags=patient
@test "gunicorn loses nobody to an upgrade, exclusive" { loses_nobody_to_an_upgrade exclusive; }
# bats test_tags=patient
@test "gunicorn loses nobody to an upgrade, reuseport" { loses_nobody_to_an_upgrade reuseport; }
