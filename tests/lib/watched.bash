# shellcheck shell=bash
# What the workers' epoll instances have registered, by the kernel. Loaded after servers.

# watched: how many shards all workers watch together.
watched() {
  local inodes pid
  inodes=$(sockets_on "$PORT" listening | xargs -r printf 'ino:%x \n')
  for pid in $(workers); do cat "/proc/$pid"/fdinfo/*; done 2>/dev/null | grep -cF "$inodes" || true
}
