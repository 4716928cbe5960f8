# shellcheck shell=bash
# The machine and the programs that were measured.

# version COMMAND...: the first line of what it says of itself.
version() {
  "$@" 2>&1 | sed -n '1s/ *$//p'
}

machine() {
  MADE=''
  head_row 'machine' ''
  row kernel "$(uname -srm)"
  row CPUs "$(nproc), $(sed -n 's/^model name\t*: //p' /proc/cpuinfo | sort | uniq -c | sed 's/^ *\([0-9]*\) /\1 × /' | paste -sd ';')"
  row memory "$(awk '$1 == "MemTotal:" { printf "%.1f GiB", $2 / 1048576 }' /proc/meminfo)"
  row 'load average at the start' "$(cut -d ' ' -f 1-3 /proc/loadavg)"
  row compiler "$(version "${CC:-gcc}" --version)"
  row nginx "$(version nginx -v | sed 's/.*: //')"
  row HAProxy "$(version haproxy -v)"
  row gunicorn "$(version gunicorn --version)"
  row uwsgi "$(version uwsgi --version)"
  printf '%s' "${MADE%$'\n'}"
}
