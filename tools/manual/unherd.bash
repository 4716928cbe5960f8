# shellcheck shell=bash
# Completion of unherd's command line, for bash.

_unherd_options() {
  case $1 in
    run | bench) unherd help "$1" 2>/dev/null | grep -oE '^  --[a-z-]+' ;;
    check) echo '--json --library' ;;
    stat) echo '--json --prometheus --watch' ;;
    set) echo '--mode --steal --rotate' ;;
  esac
}

_unherd() {
  local word=${COMP_WORDS[COMP_CWORD]} subcommand=${COMP_WORDS[1]-}
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 || ($COMP_CWORD -eq 2 && $subcommand == help) ]]; then
    mapfile -t COMPREPLY < <(compgen -W 'run check stat top set bench help --help --version' -- "$word")
  elif [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_unherd_options "$subcommand")" -- "$word")
  elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == --mode ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$([[ $subcommand == set ]] || echo auto) exclusive reuseport off" -- "$word")
  elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == --modes ]]; then
    mapfile -t COMPREPLY < <(compgen -W 'stock exclusive reuseport no-stealing' -- "$word")
  elif [[ $subcommand == run || $subcommand == check || $subcommand == bench ]]; then
    mapfile -t COMPREPLY < <(compgen -c -f -- "$word")
  fi
}

complete -F _unherd unherd
