# shellcheck shell=bash
# The bundled server (examples/prefork.c), with as many WORKERS as the caller says. Loaded after servers.

# shellcheck disable=SC2034 # they are read by servers.bash
configure_prefork() {
  COMMAND=("$TESTED_BUILD/prefork" -p "$2" -w "$WORKERS")
  STOP=TERM COUNTED=header WAITS=epoll
}
