#!/usr/bin/env bats
# The simulation of the queues: beside theory, with itself, and its arguments.

# bats file_tags=patient

load ../lib/common

sim() {
  "$TESTED_BUILD/sim" "$@"
}

# figure NAME OPTION...: of a short run.
figure() {
  sim --csv --connections 200000 "${@:2}" | awk -F , -v name="$1" '
    NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) column = i }
    NR == 2 { print $column }'
}

@test "what theory knows, each within 2 %" {
  run sim --check
  echo "$output"
  [[ $status -eq 0 ]]
  [[ $(grep -c '^ok ' <<<"$output") -eq 15 ]]
}

@test "the same seed gives the same figures, another gives others" {
  sim --workers 16 --service pareto --connections 100000 --stall 50 --patience 20 --csv >"$BATS_TEST_TMPDIR/first"
  sim --workers 16 --service pareto --connections 100000 --stall 50 --patience 20 --csv >"$BATS_TEST_TMPDIR/again"
  cmp "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/again"
  sim --workers 16 --service pareto --connections 100000 --stall 50 --patience 20 --csv --seed 2 >"$BATS_TEST_TMPDIR/other"
  ! cmp -s "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/other"
}

@test "each thief more makes the waits shorter, and none is reuseport" {
  local steal wait before=1000
  [[ $(figure p99 --policy reuseport --workers 16) == "$(figure p99 --steal 0 --workers 16)" ]]
  for steal in 0 1 2 4 8; do
    wait=$(figure p99 --workers 16 --steal "$steal")
    check_number "$wait" '<' "$before" "with $steal"
    before=$wait
  done
}

@test "of all queues the oldest first is one queue, and so are those that gather; what chooses by less lies between that and home" {
  local all=(--workers 8 --service heavy) home take wait one
  one=$(figure stddev --policy single "${all[@]}")
  [[ $(figure stddev --take oldest "${all[@]}") == "$one" ]]
  [[ $(figure stddev --take gather "${all[@]}") == "$one" ]]
  home=$(figure stddev --take home "${all[@]}")
  for take in longest untaken pending; do
    wait=$(figure stddev --take "$take" "${all[@]}")
    check_number "$wait" '<' "$home" "$take"
    check_number "$wait" '>' "$one" "$take"
  done
}

@test "what the library does comes close to one queue, and home first does not" {
  local seed one all=(--workers 8 --service heavy --load 0.6)
  for seed in 1 2 3; do
    one=$(figure stddev --policy single "${all[@]}" --seed "$seed")
    check_number "$(figure stddev "${all[@]}" --seed "$seed")" '<' "1.1 * $one" "seed $seed"
    check_number "$(figure stddev --take home "${all[@]}" --seed "$seed")" '>' "1.1 * $one" "home, seed $seed"
  done
}

@test "a stuck worker's connections wait without thieves, and are taken by them" {
  local stuck=(--workers 16 --load 0.5 --stall 1000 --stall-every 4000)
  check_number "$(figure p999 --steal 0 "${stuck[@]}")" '>' 500
  check_number "$(figure p999 --steal 4 "${stuck[@]}")" '<' 10
}

@test "where an owner and all its thieves are stuck, others watch its shard once that is noticed" {
  local stuck=(--workers 32 --steal 2 --load 0.5 --stall 1000 --stall-every 4000 --stall-workers 8)
  check_number "$(figure p999 "${stuck[@]}")" '>' 500
  check_number "$(figure p999 "${stuck[@]}" --patience 10)" '<' 100
  check_number "$(figure p999 "${stuck[@]}" --patience 100000)" '>' 500
}

@test "of two shards, the better of two is the least" {
  local two least
  two=$(figure mean --policy two --workers 2)
  least=$(figure mean --policy least --workers 2)
  check_number "$two" '<' "1.05 * $least"
  check_number "$two" '>' "0.95 * $least"
}

@test "the tail begins with all that wait, and falls" {
  sim --tail --policy single --connections 200000 >"$BATS_TEST_TMPDIR/tail"
  awk 'NR > 1 && ($1 <= wait || $2 > part) { exit 1 } { wait = $1; part = $2 } END { exit NR < 20 }' "$BATS_TEST_TMPDIR/tail"
}

# refused WORDS OPTION...
refused() {
  run sim "${@:2}"
  [[ $status -eq 2 && ${#lines[@]} -eq 1 && $output == "sim: "*"$1"* ]] || fail "status $status: $output"
}

@test "a wrong argument is named in one line" {
  refused "--workers: '0' is not a number from 1 to 1024" --workers 0
  refused "--load: '1' is not" --load 1
  refused "--load: 'x' is not" --load x
  refused "--steal: not a whole number" --steal 1.5
  refused "--service: not exp, det, heavy or pareto" --service normal
  refused "--policy: not single" --policy best
  refused "--take: not known, home, longest" --take best
  refused "--shards: more than --workers" --shards 5 --workers 4
  refused "--shards: this policy has one queue" --policy single --shards 2
  refused "--shards: this policy has a queue for each" --policy least --shards 2
  refused "--tail: does not go with --csv" --tail --csv
  refused "more: not an option" more
  run sim --help
  [[ $status -eq 0 && $output == *'usage: sim'* ]]
}
