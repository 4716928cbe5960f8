#!/usr/bin/python3
"""Makes every system call that the library itself makes in a server fail, one at a time.

usage: faults.py BUILD [MODE.STYLE ...] [--only CALL[:ERRNO[:WHEN]]] [--verbose]
       faults.py BUILD --list FILE      lines "MODE.STYLE CALL ERRNO WHEN", - for stdin; says what failed

Which calls are the library's own is found by running the server (programs/stubborn) without the
library and with it, and leaving out what is in both. Then strace refuses the N-th call of that name
in each process, or all from the N-th on where none of these is the server's. Whatever was refused, the
server must answer every connection, end with 0 in good order, and lose no worker; the library may say
a few lines, and must say one where it did not do what it had been asked to.
"""
import argparse
import collections
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

ERRORS = {
    "memfd_create": "EMFILE ENFILE ENOMEM EPERM EINVAL ENOSYS EACCES",
    "ftruncate": "ENOSPC ENOMEM EPERM EINVAL EFBIG",
    "mmap": "ENOMEM EACCES EPERM EAGAIN ENFILE",
    "fcntl": "EMFILE ENOMEM EPERM EINVAL EAGAIN EACCES ENOLCK",
    "eventfd2": "EMFILE ENFILE ENOMEM EINVAL ENOSYS",
    "socket": "EMFILE ENFILE ENOMEM ENOBUFS EACCES EPERM EINVAL",
    "bind": "EADDRINUSE EADDRNOTAVAIL EACCES EPERM ENOMEM EINVAL",
    "listen": "EADDRINUSE EACCES EPERM EINVAL ENOMEM",
    "setsockopt": "ENOPROTOOPT EPERM EINVAL ENOMEM",
    "getsockopt": "ENOPROTOOPT EPERM",
    "getsockname": "ENOBUFS EINVAL",
    "epoll_ctl": "ENOMEM ENOSPC EINVAL EPERM",
    "epoll_create1": "EMFILE ENFILE ENOMEM EINVAL ENOSYS",
    "epoll_wait": "EINTR",
    "epoll_pwait": "EINTR",
    "epoll_pwait2": "EINTR ENOSYS EPERM",
    "madvise": "EINVAL ENOMEM EAGAIN EPERM ENOSYS",
    "write": "EAGAIN EPERM EINVAL ENOSPC",
    "poll": "ENOMEM EINVAL EINTR EAGAIN",
    "ppoll": "ENOMEM EINVAL EINTR",
    "futex": "EAGAIN EINTR",
    "prlimit64": "EPERM EINVAL ENOSYS",
    "sched_getaffinity": "EPERM EINVAL ENOSYS",
    "newfstatat": "ENOMEM EACCES",
    "munmap": "ENOMEM EINVAL",
    "accept": "EAGAIN ECONNABORTED EMFILE",
}
CASES = [mode + "." + style for mode in ("exclusive", "reuseport")
         for style in ("epoll", "edge", "poll", "select", "accept", "threads")]
TRANSIENT = ("EINTR", "EAGAIN")  # for ever, the server would never get anywhere without the library

# What the kernel never refuses, whatever the errno; a filter that does so breaks any server.
NEVER = r"fcntl\(.*(F_UNLCK|F_GETFL)|futex\(.*FUTEX_WAKE|poll\(.*\], 1, 0\) = -1 (ENOMEM|EINVAL)"
# Where it is refused, the socket is none that is known; said at `info`.
WORDLESS = ("getsockopt", "getsockname")
SHARDS = 4
VISITS = 12  # before a worker is replaced, and again afterwards
PATIENCE = 5  # seconds for an answer, and for the end
LINES_MOST = 8  # a few, from each of four processes

Outcome = collections.namedtuple("Outcome", "problems lines queues exclusive injected never trace")


class Faulty(Exception):
    """What the server did not do."""


def run_server(build, case, trace, call=None, error=None, when=None, library=True):
    """Starts it under strace, drives it, ends it."""
    mode, style = case.split(".")
    command = ["strace", "-f", "-qq", "-o", trace]
    if call:
        command += ["--trace=" + call, f"--inject={call}:error={error}:when={when}"]
    if library:
        preload = os.environ.get("TESTED_PRELOAD", f"{build}/libunherd.so")
        command += ["-E", f"LD_PRELOAD={preload}", "-E", f"UNHERD_MODE={mode}",
                    "-E", f"UNHERD_SHARDS={SHARDS}"]
    command += [f"{build}/programs/stubborn", style]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("UNHERD_")}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def said(server):
    """A line of its standard output, as numbers."""
    if not select.select([server.stdout], [], [], PATIENCE)[0]:
        raise Faulty("hangs before it is ready")
    line = server.stdout.readline().decode()
    if not re.fullmatch(r"[\d ]+\n", line):
        raise Faulty("does not start: " + line.strip())
    return [int(word) for word in line.split()]


def visit(port):
    """Sixteen bits of port tell nothing of the shard, so the connections go round all queues."""
    for number in range(VISITS):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
                # Reset at the end: thousands of connections in TIME_WAIT would be in other tests' way.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if client.recv(2) != b"y":
                    raise Faulty(f"connection {number}: closed without an answer")
        except OSError as problem:
            raise Faulty(f"connection {number}: {problem}") from None


def queues_on(port):
    """How many sockets listen there."""
    found = subprocess.run(["ss", "-Htln", f"sport = :{port}"], stdout=subprocess.PIPE, check=True)
    return found.stdout.count(b"\n")


def exclusive_in(pids):
    """How many of these have a registration with EPOLLEXCLUSIVE."""
    count = 0
    for pid in pids:
        texts = []
        for entry in os.scandir(f"/proc/{pid}/fdinfo"):
            try:
                with open(entry.path, encoding="ascii") as file:
                    texts.append(file.read())
            except OSError:
                pass  # closed since
        events = re.findall(r"^tfd:.*events:\s*([0-9a-f]+)", "".join(texts), re.M)
        count += any(int(word, 16) >> 28 & 1 for word in events)
    return count


def shape(port, workers, wanted):
    """What the kernel shows of the listener; the new worker may be about to wait yet, or have had no connection."""
    for _ in range(8):
        seen = queues_on(port), exclusive_in(workers)
        if seen[0] >= wanted[0] and seen[1] >= wanted[1]:
            break
        time.sleep(0.05)
        visit(port)
    return seen


def drive(server, wanted):
    """Both rounds of visits, and the end; what the kernel shows of the listener in the second round."""
    port, master, *_ = said(server)
    visit(port)
    os.kill(master, signal.SIGHUP)
    port, master, *workers = said(server)
    visit(port)
    seen = shape(port, workers, wanted)
    os.kill(master, signal.SIGTERM)
    return seen


def tree_of(pid):
    """A process and all that it started."""
    try:
        children = []
        for entry in os.scandir(f"/proc/{pid}/task"):
            with open(f"{entry.path}/children", encoding="ascii") as file:
                children += file.read().split()
    except OSError:
        return [pid]
    return [pid] + [other for child in children for other in tree_of(int(child))]


def kill_all(server):
    """Of a server that hangs: nothing stays behind."""
    for pid in reversed(tree_of(server.pid)):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    server.wait()


def attempt(build, case, call=None, error=None, when=None, library=True, wanted=(SHARDS, 3)):
    """One life of the server."""
    problems, queues, exclusive = [], -1, -1
    with tempfile.NamedTemporaryFile("r", prefix="unherd-") as file:
        server = run_server(build, case, file.name, call, error, when, library)
        try:
            queues, exclusive = drive(server, wanted)
        except (Faulty, OSError) as problem:
            problems.append(str(problem))
        try:
            output, errors = server.communicate(timeout=1 if problems else PATIENCE)
            if server.returncode:
                problems.append(f"ended with {server.returncode}: {output.decode().strip()}")
        except subprocess.TimeoutExpired:
            problems.append("does not end")
            kill_all(server)
            errors = server.stderr.read()
        trace = file.read()
    lines = [line for line in errors.decode().splitlines() if line.startswith("unherd: ")]
    if "killed by SIG" in trace and not problems:
        problems.append(re.search(r"killed by SIG\w+", trace)[0])
    injected = [f"{call} = {result}" for _, call, result in calls(trace) if "INJECTED" in result]
    never = any(re.match(NEVER, call) for call in injected)
    return Outcome(problems, lines, queues, exclusive, bool(injected), never, trace)


# --- which calls are the library's own ---

def calls(trace):
    """(thread, call, result), with the halves of a call that others interrupted put together."""
    begun = {}
    for line in trace.splitlines():
        task, _, text = line.partition(" ")
        text = text.lstrip()
        if text.endswith("<unfinished ...>"):
            begun[task] = text[:-16].rstrip()
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>", text)
        if resumed:
            text = begun.pop(task, "?(") + text[resumed.end():]
        call, _, result = text.rpartition(" = ")
        if re.match(r"\w+\(", call):
            yield task, call.rstrip(), result


def plain_text(text):
    """A call without what differs from run to run."""
    text = re.sub(r"0x[0-9a-f]+|htons\(\d+\)", "P", text)
    return re.sub(r"\s+|\|EPOLLEXCLUSIVE", "", text)


def calls_by_task(trace):
    """For each thread, in the order of their starts: (name, text)."""
    tasks = {}
    for task, call, _ in calls(trace):
        tasks.setdefault(task, []).append((call.split("(")[0], plain_text(call)))
    return list(tasks.values())


def positions(lives, others):
    """What only the first has: {call: {N: texts}}, and the calls that the server makes itself, too.

    The master's life is the same each time, and is compared call by call; how many connections a worker
    has is chance, so there a call is the server's if any worker without the library makes it.
    """
    ours, theirs = collections.defaultdict(dict), set()
    workers = {text for other in others[1:] for _, text in other}
    left = collections.Counter(text for _, text in others[0])
    for place, life in enumerate(lives):
        is_loaded = place > 0  # the master's begins with the dynamic linker
        seen = collections.Counter()
        for name, text in life:
            seen[name] += 1
            if text in workers if place else left[text] > 0:
                left[text] -= 1
                theirs.add(name)
            elif is_loaded:
                ours[name].setdefault(seen[name], set()).add(text if place == 0 else f"{place} {text}")
            is_loaded = is_loaded or text.startswith("munmap")
    return ours, theirs


def matrix(build, case, tried):
    """Every (call, errno, when) for that case, and what the server looks like when nothing fails.

    What the master does, it does in every style of a mode: it is in `tried` from the second on.
    """
    calm = attempt(build, case)
    if calm.problems:
        sys.exit(f"{case}: without a fault: {calm.problems}")
    bare = attempt(build, case, library=False)
    ours, theirs = positions(calls_by_task(calm.trace), calls_by_task(bare.trace))
    rows = []
    untried = sorted(call for call in ours if call not in ERRORS)
    if untried:
        print(f"{case}: not refused: {' '.join(untried)}", flush=True)
    for call in sorted(ours):
        if call not in ERRORS or (call == "accept" and case.endswith("edge")):
            continue  # that server would miss a connection without the library, too
        new = [n for n, texts in sorted(ours[call].items()) if not {(call, n, text) for text in texts} <= tried]
        tried.update((call, n, text) for n in new for text in ours[call][n] if not text[0].isdigit())
        is_alone = call not in theirs and new and new[0] == 1
        for error in ERRORS[call].split():
            rows += [(call, error, str(n)) for n in new]
            if is_alone and error not in TRANSIENT:
                rows.append((call, error, "1+"))
    return calm, rows


# --- what came of it ---

def judge(outcome, calm, call):
    """The outcome's problems, and those that only show beside a life without faults."""
    if outcome.never:
        return []
    problems = list(outcome.problems)
    if len(outcome.lines) > LINES_MOST:
        problems.append(f"{len(outcome.lines)} lines")
    is_less = outcome.queues < calm.queues or outcome.exclusive < calm.exclusive
    if not problems and is_less and not outcome.lines and call not in WORDLESS:
        problems.append(f"does less without a word: {outcome.queues} queues, {outcome.exclusive} workers exclusive")
    return problems


def shown(outcome):
    """The library's lines without the port, each once."""
    lines = {re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", line[8:]) for line in outcome.lines}
    return "; ".join(sorted(lines)) or "-"


def figures(counts):
    """In words."""
    return (f"{counts['faults']} faults, {counts['failed']} of them failed; {counts['not reached']} not reached, "
            f"{counts['never']} that no kernel has")


def run_matrix(build, case, tried, only, verbose):
    """All of a case's faults; returns (faults, not reached, failed)."""
    calm, rows = matrix(build, case, tried)
    counts = collections.Counter()
    summary = collections.Counter()
    for call, error, when in rows:
        if only and not f"{call}:{error}:{when}:".startswith(only + ":"):
            continue
        outcome = attempt(build, case, call, error, when, wanted=calm[2:4])
        problems = judge(outcome, calm, call)
        counts["never" if outcome.never else "faults" if outcome.injected else "not reached"] += 1
        counts["failed"] += bool(problems)
        summary[call, shown(outcome)] += 1
        if problems or verbose:
            print(f"{'FAILED' if problems else 'ok'} {case} {call} {error} {when}: "
                  f"{'; '.join(problems)} [{shown(outcome)}]", flush=True)
    for (call, line), count in sorted(summary.items()):
        print(f"  {case} {call} {count}: {line}")
    print(f"{case}: {figures(counts)}", flush=True)
    return counts


def run_list(build, path):
    """The faults of a file; returns how many failed."""
    with (sys.stdin if path == "-" else open(path, encoding="ascii")) as file:
        rows = [line.split() for line in file]
    if not rows:
        sys.exit("faults.py: the list is empty")
    calms, failed = {}, 0
    for case, call, error, when in rows:
        if case not in calms:
            calms[case] = attempt(build, case)
        outcome = attempt(build, case, call, error, when, wanted=calms[case][2:4])
        problems = calms[case].problems + judge(outcome, calms[case], call)
        if not outcome.injected:
            problems.append("nothing was made to fail")
        if problems:
            print(f"{case} {call} {error} {when}: {'; '.join(problems)} [{shown(outcome)}]")
        failed += bool(problems)
    return failed


def main():
    """The command line."""
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1][7:])
    parser.add_argument("build")
    parser.add_argument("cases", nargs="*", default=CASES)
    parser.add_argument("--only")
    parser.add_argument("--list")
    parser.add_argument("--verbose", action="store_true")
    asked = parser.parse_args()
    build = os.path.abspath(asked.build)
    if asked.list:
        sys.exit(bool(run_list(build, asked.list)))
    total = collections.Counter()
    tried = collections.defaultdict(set)
    for case in asked.cases:
        total += run_matrix(build, case, tried[case.split(".")[0]], asked.only, asked.verbose)
    print(figures(total))
    if not total["faults"]:
        sys.exit("faults.py: nothing was made to fail")
    sys.exit(bool(total["failed"]))


if __name__ == "__main__":
    main()
