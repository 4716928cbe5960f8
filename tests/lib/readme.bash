# shellcheck shell=bash
# Tables that the README shows, each between two marks of its own.

# put_into README NAME TABLE: the table that `make NAME` makes.
put_into() {
  name=$2 made=${3%$'\n'} awk '
    BEGIN { first = "<!-- made by make " ENVIRON["name"] " -->"; last = "<!-- end of make " ENVIRON["name"] " -->" }
    $0 == last { inside = 0; ends++ }
    !inside { print }
    $0 == first { inside = 1; begins++; print ENVIRON["made"] }
    END { exit begins != 1 || ends != 1 }' "$1" >"$1.new" || { rm -f "$1.new"; echo "$1: no place for the table of make $2" >&2; return 1; }
  mv "$1.new" "$1"
}

# show_table NAME TABLE [README]: into it, or, where none is given, onto standard output.
show_table() {
  if [[ -z ${3:-} ]]; then
    printf '%s' "$2"
  else
    put_into "$3" "$1" "$2"
  fi
}
