"""Other people's suites of tests. run_suite() gives the outcome of each test in one, by name."""

import contextlib
import glob
import os
import re
import signal
import subprocess
import tempfile
import xml.etree.ElementTree as xml

# CPython's, as libpython3.11-testsuite has them.
CPYTHON = """test_socket test_socketserver test_selectors test_asyncio test_epoll test_poll test_select test_subprocess
test_multiprocessing_fork test_httpservers test_ssl test_os test_signal""".split()
PYTHON = "/usr/bin/python3.11"
# The first wait for a virtual machine's host, the others need a second user, and in the name space there is none.
LEFT_OUT = ["*VSOCK*", "*.POSIXProcessTestCase.test_user", "*.POSIXProcessTestCase.test_group"]
# Perl's own are in no package. These are what its event loops and its web servers are tried with. Feersum is not among
# the servers: without the library it fails a test or two in three runs of four.
LOOPS = ["Select", "IO::Poll"]
SERVERS = ["HTTP::Server::PSGI", "Starman", "Starlet", "Twiggy"]
SUITES = CPYTHON + ["POE " + loop for loop in LOOPS] + ["Plack " + server for server in SERVERS]

# In a network of their own with nothing but a loopback device: some would otherwise ask the world. Some need SIGINT, which
# a shell makes its background jobs ignore.
ALONE = ["env", "--default-signal", "unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
SECONDS = 600


def run_alone(command, directory, variables):
    """What a command that is given SECONDS wrote on standard output, and how it ended; its group ends with it."""
    variables = variables | {"HOME": directory, "TMPDIR": directory}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            ALONE + command,
            cwd=directory,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            status = str(process.wait(timeout=SECONDS))
        except subprocess.TimeoutExpired:
            status = "timeout"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        return output.read().decode(errors="replace"), status


class Outcomes(dict):
    """Name to outcome. A name that comes up more than once has all its outcomes, in order of the alphabet."""

    def add(self, name, outcome):
        self[name] = " ".join(sorted(self.get(name, "").split() + [outcome]))


def case_outcome(case):
    for kind in ("failure", "error", "skipped"):
        if case.find(kind) is not None:
            return kind
    if case.find("output") is not None:
        return "expected-failure"
    return case.get("outcome") or "passed"


def run_cpython(module, variables, names):
    outcomes = Outcomes()
    with tempfile.TemporaryDirectory() as directory:
        report = directory + "/report.xml"
        command = [PYTHON, "-m", "test", "-u", "network", "--junit-xml", report, "--timeout", "240"]
        command += ["--fail-env-changed"]
        for pattern in LEFT_OUT:
            command += ["-i", pattern]
        for name in names:
            command += ["-m", name]
        _, status = run_alone(command + [module], directory, variables)
        if not os.path.exists(report):
            return outcomes
        root = xml.parse(report)
        for case in root.iter("testcase"):
            # A test with a subtest that failed is left without a name.
            outcomes.add(*((case.get("name"), case_outcome(case)) if case.get("name") else ("(subtests)", "failure")))
        # What fails outside a test, in setUpClass() for one, is counted only.
        for suite in root.iter("testsuite"):
            for count in ("errors", "failures"):
                if suite.get(count) is not None:
                    outcomes.add(f"({count})", suite.get(count))
    if outcomes and not names:
        outcomes.add("(exit status)", status)
    return outcomes


def read_tap(outcomes, prefix, output, status):
    """Adds the tests that a program reported in TAP. One that died has told so by its status."""
    for line in output.splitlines():
        found = re.match(r"(not )?ok (\d+)[^#]*(# *(skip|todo))?", line, re.IGNORECASE)
        if found:
            outcomes.add(prefix + found[2], (found[4] or ("failure" if found[1] else "passed")).lower())
        elif line.startswith("1..0"):
            outcomes.add(prefix + "all", "skip")
    outcomes.add(f"({prefix}exit status)", status)


def run_poe(loop, variables, names):
    """Each file by itself; of names only the file's part counts."""
    outcomes = Outcomes()
    files = {name.strip("(").split()[0] for name in names}
    with tempfile.TemporaryDirectory() as directory:
        generate = ["poe-gen-tests", "--dirbase", directory + "/t", "--loop", loop]
        subprocess.run(generate, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(directory + "/run_network_tests", "x", encoding="utf-8"):
            pass  # so POE's tests ask for the leave to use sockets
        for path in sorted(glob.glob(directory + "/t/*/*.t")):
            name = os.path.basename(path).removesuffix(".t")
            if not files or name in files:
                output, status = run_alone(["perl", path], directory, variables)
                read_tap(outcomes, name + " ", output, status)
    return outcomes


def run_plack(server, variables, _names):
    outcomes = Outcomes()
    program = "use Test::More; use Plack::Test::Suite; Plack::Test::Suite->run_server_tests(shift); done_testing"
    with tempfile.TemporaryDirectory() as directory:
        output, status = run_alone(["perl", "-e", program, server], directory, variables)
    read_tap(outcomes, "", output, status)
    return outcomes


def run_suite(suite, variables, names=()):
    """All tests of a suite, or those named and perhaps some around them."""
    kind, _, rest = suite.partition(" ")
    if kind == "POE":
        return run_poe(rest, variables, names)
    if kind == "Plack":
        return run_plack(rest, variables, names)
    return run_cpython(suite, variables, names)
