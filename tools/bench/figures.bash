# shellcheck shell=bash
# The figures of an experiment: noted as they are measured, a line for each in REPORT/EXPERIMENT.tsv, and from there into cells.

# begin_experiment NAME
begin_experiment() {
  FIGURES=$REPORT/$1.tsv
  : >"$FIGURES"
  # shellcheck disable=SC2034 # commands.bash and bench.sh read them
  SERVERS='' LOADS='' FILES='' VARYING='' BEGUN=$SECONDS
  MADE=''
}

# note FIGURE VALUE: of the variant that is being measured, in this round.
note() {
  printf '%s\t%s\t%s\t%s\n' "$VARIANT" "$ROUND" "$1" "$2" >>"$FIGURES"
}

# note_load FIGURE...: the load generator's.
note_load() {
  local name
  for name in "$@"; do note "$name" "$(figure "$name")"; done
}

# part_of COUNT: as PART says, at least 1.
part_of() {
  awk "BEGIN { count = int($1 * $PART / 100); print (count > 0 ? count : 1) }"
}

# part_of_time SECONDS: at least a fifth of one.
part_of_time() {
  awk "BEGIN { time = $1 * $PART / 100; print (time > 0.2 ? time : 0.2) }"
}

# middle [FORMAT]: of the numbers read, the median, and the least and the most where these differ when written so.
middle() {
  sort -g | awk -v format="${1:-%.0f}" '
    NF { value[++count] = $1 }
    END {
      if (!count) { printf "–"; exit }
      median = count % 2 ? value[(count + 1) / 2] : (value[count / 2] + value[count / 2 + 1]) / 2
      least = sprintf(format, value[1]); most = sprintf(format, value[count])
      printf format, median
      if (least != most) printf " (%s–%s)", least, most
    }'
}

# values VARIANT FIGURE
values() {
  awk -F '\t' -v variant="$1" -v figure="$2" '$1 == variant && $3 == figure { print $4 }' "$FIGURES"
}

# cell VARIANT FIGURE [FORMAT [SCALE]]
cell() {
  values "$1" "$2" | awk -v scale="${4:-1}" '{ print $1 * scale }' | middle "${3:-%.0f}"
}

# ratio VARIANT OTHER FIGURE: of each round by itself, as what the machine does beside changes from round to round. Where the
# rounds do not agree on which is more, there is no difference.
ratio() {
  local ratios
  ratios=$(ratios "$@" | sort -g)
  middle %.2f <<<"$ratios"
  awk 'NR == 1 { least = $1 } END { if (NR > 1 && least <= 1 && $1 >= 1) printf ", none" }' <<<"$ratios"
}

ratios() {
  awk -F '\t' -v variant="$1" -v other="$2" -v figure="$3" '
    $3 == figure && $1 == variant { upper[$2] = $4 }
    $3 == figure && $1 == other { lower[$2] = $4 }
    END { for (round in upper) if (lower[round] > 0) print upper[round] / lower[round] }' "$FIGURES"
}

# head CELL...: begins a table. row CELL...: goes on with it.
head_row() {
  row "$@"
  MADE+="|$(printf ' --- |%.0s' "$@")"$'\n'
}

row() {
  MADE+="|$(printf ' %s |' "$@")"$'\n'
}

# say WORDS: between tables.
say() {
  MADE+=$'\n'"$*"$'\n\n'
}
