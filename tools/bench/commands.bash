# shellcheck shell=bash
# The commands of an experiment, as they were run, so that each can be repeated by hand: with port 8080, in /tmp/served, and what
# changes from one to the next by its name. Those of the first round are all.

# quoted WORD...: as a shell reads them.
quoted() {
  local word line=''
  for word in "$@"; do
    [[ $word =~ ^[A-Za-z0-9_./:=,@+-]+$ ]] || word="'$word'"
    line+=" $word"
  done
  echo "${line:1}"
}

# repeatable: what is read, without the names of this run. VARYING: the number of workers is one of several.
repeatable() {
  sed -e "s|$TESTED_BUILD|build|g" -e "s|$DIRECTORY|/tmp/served|g" -e "s|$TESTS|tests|g" -e "s|\b$PORT\b|8080|g" \
    ${VARYING:+-e "s/-w $WORKERS\b/-w WORKERS/" -e "s/UNHERD_SHARDS=$WORKERS\b/UNHERD_SHARDS=WORKERS/"}
}

# keep SERVERS|LOADS LINE: once.
keep() {
  local -n kept=$1
  [[ $'\n'$kept == *$'\n'"$2"$'\n'* ]] || kept+=$2$'\n'
}

keep_server() {
  local entry variables=()
  [[ $ROUND -eq 1 ]] || return 0
  for entry in "${ENVIRONMENT[@]}"; do
    case $entry in
      LD_PRELOAD=*) variables+=(LD_PRELOAD=build/libunherd.so) ;;
      UNHERD_LOG=* | UNHERD_LOG_FILE=*) ;;
      UNHERD_*) variables+=("$entry") ;;
    esac
  done
  keep SERVERS "$(quoted "${variables[@]}" "${COMMAND[@]}" | repeatable)"
}

# keep_file NAME: a file of the server's own, as it is for the variant that is measured now.
keep_file() {
  [[ $ROUND -eq 1 ]] || return 0
  # shellcheck disable=SC2016 # Markdown's
  FILES+=$(printf '\n\n`/tmp/served/%s`, %s:\n\n```\n%s\n```' "$1" "$2" "$(repeatable <"$DIRECTORY/$1")")
}

# keep_load WORDS [OPTION...]: WORDS on what happens meanwhile, if anything does.
keep_load() {
  [[ $ROUND -eq 1 ]] || return 0
  keep LOADS "$(quoted build/load --connect 127.0.0.1:8080 "${@:2}" | sed -E "s/--seed [0-9]+/--seed ROUND/")${1:+  # meanwhile $1}"
}

# drive_kept OPTION...: drives, and all must be answered.
drive_kept() {
  keep_load '' "$@"
  drive "$@"
  all_answered
}

# commands: for the page.
commands() {
  local rounds
  rounds=$(awk -F '\t' '$2 > most { most = $2 } END { print most + 0 }' "$FIGURES")
  printf '%s in turn, %s times' "The variants" "$rounds"
  [[ $PART -eq 100 ]] || printf ', with %s %% of the connections' "$PART"
  # shellcheck disable=SC2016 # Markdown's
  printf '; `ROUND` is 1 to %s.\n\n```sh\n' "$rounds"
  printf '# one of these\n%s\n# and with it\n%s```%s' "$SERVERS" "$LOADS" "$FILES"
}
