# unherd run: the command that it finds, and those that it refuses to run under the library.
# shellcheck disable=SC2016 # words for other shells

# bats file_tags=patient

load tool

# --- finding the command ---

@test "a command that is not there is status 127" {
  for name in no-such-command ./no-such-command /no/such/command; do
    run_with "$name"
    expect 127 "unherd run: $name: command not found"
  done
  run_with ''
  expect 127 "unherd run: the command's name is empty"
}

@test "PATH is searched as execvp does" {
  mkdir first second
  printf 'not a program' >first/thing # found, but not executable: the search goes on
  script second/thing '#!/bin/sh' 'echo second'
  PATH=$PWD/nowhere:$PWD/first:$PWD/second:$PATH run_with thing
  expect 0 second
  PATH=$PWD/first run_with thing
  expect 126 "unherd run: $PWD/first/thing is not executable"
  cd second
  PATH=:/bin:/usr/bin run_with thing # an empty part is the current directory
  expect 0 second
  PATH=/bin:/usr/bin: run_with thing
  expect 0 second
  PATH=/bin:/usr/bin run_with thing
  expect 127 'unherd run: thing: command not found'
}

@test "without PATH the system's own is searched" {
  run env -u PATH "$UNHERD" run --library "$FIXTURES/standin.so" true
  expect 0 ''
}

@test "a directory and a file that is not executable are refused" {
  mkdir directory
  run_with ./directory
  expect 126 'unherd run: ./directory is a directory'
  cp "$FIXTURES/dynamic" plain
  chmod -x plain
  run_with ./plain
  expect 126 'unherd run: ./plain is not executable'
  ln -s loop loop
  run_with ./loop
  expect 126 'unherd run: ./loop: Too many levels of symbolic links'
}

# --- what cannot run under a preloaded library ---

@test "set-uid and set-gid are refused" {
  cp "$FIXTURES/dynamic" program
  chmod u+s program
  run_with ./program
  expect 126 'unherd run: ./program is set-uid: the dynamic loader drops LD_PRELOAD from such a program'
  chmod u-s,g+s program
  run_with ./program
  expect 126 'unherd run: ./program is set-gid: *'
  chmod g-x program # mandatory locking, no privilege
  run_with ./program
  expect 3 ''
}

@test "file capabilities are refused" {
  [[ $(id -u) -eq 0 ]] || skip "only root can give a file a capability"
  cp "$FIXTURES/dynamic" program
  PATH=$PATH:/sbin:/usr/sbin setcap cap_net_bind_service=ep program
  run_with ./program
  expect 126 'unherd run: ./program has file capabilities: *'
}

@test "statically linked programs are refused, static PIE too" {
  for name in static static-pie; do
    run_with "$FIXTURES/$name"
    expect 126 "unherd run: $FIXTURES/$name is statically linked: *"
  done
}

@test "another architecture and another class are refused by name" {
  patched "$FIXTURES/dynamic" 18 '\xf3\x00' # e_machine: EM_RISCV
  run_with ./patched
  expect 126 'unherd run: ./patched is for another architecture: 64-bit RISC-V, and the library is 64-bit *'
  patched "$FIXTURES/dynamic" 18 '\xff\x7f'
  run_with ./patched
  expect 126 'unherd run: ./patched is for another architecture: 64-bit machine 32767, and *'
  patched "$FIXTURES/dynamic" 5 '\x02' # EI_DATA: the other byte order
  printf '\x00\x03\x00\x15' | dd of=patched bs=1 seek=16 conv=notrunc status=none
  run_with ./patched
  expect 126 'unherd run: ./patched is for another architecture: 64-bit PowerPC, and *'
  # The start of a 32-bit program is enough to tell.
  { printf '\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0\x01\0\0\0\0\0\0\0\x34\0\0\0'
    printf '\0\0\0\0\0\0\0\0\x34\0\x20\0\0\0\x28\0\0\0\0\0'; } >narrow
  chmod +x narrow
  run_with ./narrow
  expect 126 'unherd run: ./narrow is for another architecture: 32-bit x86, and *'
}

@test "a Go program is named as such, by section or by note, dynamic or static" {
  echo go >content
  for section in .go.buildinfo .note.go.buildid; do
    for program in dynamic static; do
      objcopy --add-section "$section=content" "$FIXTURES/$program" go
      run_with ./go
      expect 126 'unherd run: ./go is a Go program: it makes no libc calls, so there is nothing to preload into'
    done
  done
  # A note of the owner "Go", with the section names stripped of their meaning.
  cat >note.c <<'C'
__attribute__((section(".note.odd"), aligned(4), used)) static const unsigned note[] = {
    4, 4, 4, 0x00006f47, 0x12345678};
int main(void) { return 3; }
C
  "${CC:-cc}" note.c -o noted
  run_with ./noted
  expect 126 'unherd run: ./noted is a Go program: *'
}

@test "a section that only looks like Go's is not" {
  echo go >content
  objcopy --add-section .go.buildinfo2=content "$FIXTURES/dynamic" almost
  run_with ./almost
  expect 3 ''
}

@test "an ELF file that is no program is refused" {
  "${CC:-cc}" -c -x c -o object.o - <<<'int nothing;'
  chmod +x object.o
  run_with ./object.o
  expect 126 'unherd run: ./object.o is an ELF file*'
  patched "$FIXTURES/dynamic" 16 '\x04\x00' # e_type: ET_CORE
  run_with ./patched
  expect 126 'unherd run: ./patched is an ELF file, but not a program'
}

@test "broken ELF files are refused or tried, and never more" {
  head -c 10 "$FIXTURES/dynamic" >short
  chmod +x short
  run_with ./short
  expect 126 'unherd run: ./short is an ELF file without a header that can be read'
  local far='\xff\xff\xff\xff\xff\xff\xff\x7f' last='\xff\xff\xff\xff\xff\xff\xff\xff'
  for place in "$far" "$last"; do
    patched "$FIXTURES/dynamic" 32 "$place" # e_phoff
    run_with --dry-run ./patched
    expect 126 'unherd run: ./patched is statically linked*'
    patched "$FIXTURES/dynamic" 40 "$place" # e_shoff
    run_with --dry-run ./patched
    expect 0 'LD_PRELOAD=*'
  done
  patched "$FIXTURES/dynamic" 54 '\x01\x00' # e_phentsize
  run_with --dry-run ./patched
  expect 126 'unherd run: ./patched is an ELF file without a header that can be read'
  patched "$FIXTURES/dynamic" 62 '\xff\xff' # e_shstrndx
  run_with --dry-run ./patched
  expect 0 'LD_PRELOAD=*'
}

@test "no bytes in an ELF header make the tool fail in another way" {
  local round offset byte
  RANDOM=1
  for ((round = 0; round < 150; round++)); do
    cp "$FIXTURES/dynamic" patched
    for offset in $((4 + RANDOM % 60)) $((64 + RANDOM % 700)) $((4 + RANDOM % 60)); do
      printf -v byte '\\x%02x' $((RANDOM % 4 ? RANDOM % 256 : 255))
      # shellcheck disable=SC2059 # escapes
      printf "$byte" | dd of=patched bs=1 seek="$offset" conv=notrunc status=none
    done
    run_with --dry-run ./patched
    [[ $status -eq 0 || $status -eq 126 ]] || fail "round $round: status $status: $output"
    one_line
  done
}

@test "a file that cannot be read is given the benefit of the doubt" {
  cp "$FIXTURES/static" program # would be refused if it could be seen
  chmod 0111 program
  if [[ $(id -u) -eq 0 ]]; then # root reads everything: be somebody else
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" "$(dirname "$BATS_TEST_TMPDIR")"
    cp "$UNHERD" unherd
    run setpriv --reuid=65534 --regid=65534 --clear-groups ./unherd run --library "$FIXTURES/standin.so" ./program
  else
    run_with ./program
  fi
  expect 3 ''
}

# --- scripts ---

@test "scripts run, with an interpreter, through env, and without a first line" {
  script plain '#!/bin/sh' 'echo plain "$@"'
  script through-env '#!/usr/bin/env sh' 'echo through "$@"'
  script split '#!/usr/bin/env -S A=b sh -u' 'echo split $A "$@"'
  script glued '#!/usr/bin/env -Ssh -u' 'echo glued "$@"'
  script bare 'echo bare "$@"'
  script blank '#!' 'echo blank "$@"'
  : >empty
  chmod +x empty
  for name in plain through-env split glued bare blank; do
    run_with "./$name" 'one two' three
    expect 0 "${name%-env}* one two three"
  done
  run_with ./empty
  expect 0 ''
}

@test "a script is run with the library" {
  script bare 'printenv LD_PRELOAD'
  run_with ./bare
  expect 0 "$FIXTURES/standin.so"
}

@test "a script's interpreter is looked at" {
  script to-static "#!$FIXTURES/static -x"
  run_with ./to-static
  expect 126 "unherd run: ./to-static is a script: $FIXTURES/static is statically linked: *"
  script spaced "#!   $FIXTURES/static"
  run_with ./spaced
  expect 126 '*static is statically linked: *'
  cp "$FIXTURES/static" local
  script to-local '#!local' # a file here: the kernel knows no PATH
  run_with ./to-local
  expect 126 'unherd run: ./to-local is a script: ./local is statically linked: *'
  script twice "#!$PWD/to-static"
  run_with ./twice
  expect 126 "unherd run: ./twice is a script: $PWD/to-static is a script: $FIXTURES/static is statically linked: *"
  for words in static '-S static -x' '-S -i A=b static' '-S -u HOME static'; do
    script to-env "#!/usr/bin/env $words"
    PATH=$FIXTURES:$PATH run_with ./to-env
    expect 126 "unherd run: ./to-env is a script: $FIXTURES/static is statically linked: *"
  done
}

@test "a script without its interpreter is refused" {
  script gone '#!/no/such/interpreter'
  run_with ./gone
  expect 126 'unherd run: ./gone is a script: /no/such/interpreter: command not found'
  script gone '#!/usr/bin/env no-such-interpreter'
  run_with ./gone
  expect 126 'unherd run: ./gone is a script: no-such-interpreter: command not found'
  script nobody '#!/usr/bin/env'
  run_with ./nobody
  expect 126 'unherd run: ./nobody is a script whose interpreter cannot be made out'
}

@test "a script that runs itself, and a first line without end, are refused" {
  script loop "#!$PWD/loop"
  run_with ./loop
  expect 126 '*is a script whose interpreter cannot be made out'
  script long "#!/$(printf 'x%.0s' {1..300})"
  run_with ./long
  expect 126 'unherd run: ./long is a script whose interpreter cannot be made out'
}

@test "set-uid on a script means nothing, as the kernel has it" {
  script plain '#!/bin/sh' 'echo plain'
  chmod u+s plain
  run_with ./plain
  expect 0 plain
}
