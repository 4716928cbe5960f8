#!/usr/bin/python3
"""Runs other people's tests, CPython's own of its network modules, without the library and in every mode of it.

usage: conformance.py BUILD [README [MODULE...]]
  README  the table replaces what stands there between its two marks; -: it is printed

Each test must end as it does without the library. One that does not is run again by itself, up to three times, both
ways: some of them depend on the moment. Ends with 1 when an outcome stays different, or when there is none.
"""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

MODULES = """test_socket test_socketserver test_selectors test_asyncio test_epoll test_poll test_select test_subprocess
test_multiprocessing_fork test_httpservers test_ssl test_os test_signal""".split()
MODES = ["auto", "exclusive", "reuseport"]
LEFT_OUT = ["*VSOCK*"]  # they wait for a virtual machine's host
PYTHON = "/usr/bin/python3.11"
# In a network of their own with nothing but a loopback device: some would otherwise ask the world.
ALONE = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
SECONDS = 600


def environment(build, mode):
    variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": os.environ.get("HOME", "/")}
    if mode:
        variables |= {"LD_PRELOAD": build + "/libunherd.so", "UNHERD_MODE": mode, "UNHERD_LOG": "off"}
    return variables


def outcome_of(case):
    for kind in ("failure", "error", "skipped"):
        if case.find(kind) is not None:
            return kind
    return case.get("status", "run")


def run(build, mode, module, only=None):
    """The outcome of each test of a module, by name."""
    with tempfile.TemporaryDirectory() as directory:
        report = directory + "/report.xml"
        command = ALONE + [PYTHON, "-m", "test", "-u", "network", "--junit-xml", report, "--timeout", "240"]
        for pattern in LEFT_OUT:
            command += ["-i", pattern]
        for name in only or []:
            command += ["-m", name]
        subprocess.run(
            command + [module],
            cwd=directory,
            env=environment(build, mode),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
        cases = xml.parse(report).iter("testcase") if os.path.exists(report) else []
        return {case.get("name"): outcome_of(case) for case in cases}


def differing(stock, other):
    return sorted(name for name in stock.keys() | other.keys() if stock.get(name) != other.get(name))


def stays_different(build, mode, module, name):
    for _ in range(3):
        if run(build, None, module, [name]) == run(build, mode, module, [name]):
            return False
    return True


def row(build, module):
    """A line of the table, and whether all is well. Without the library some test must pass, else nothing was tried."""
    stock = run(build, None, module)
    passed = sum(1 for outcome in stock.values() if outcome == "run")
    cells, is_well = [], passed > 0
    for mode in MODES:
        again = differing(stock, run(build, mode, module))
        names = [name for name in again if stays_different(build, mode, module, name)]
        is_well &= not names
        cells.append("differs: " + ", ".join(names) if names else "same" + (f", {len(again)} tried again" if again else ""))
    line = f"| {module} | {len(stock)} | {passed} | " + " | ".join(cells) + " |"
    print(line, flush=True)
    return line, is_well


def put_into(readme, table):
    library = os.path.dirname(os.path.abspath(__file__)) + "/lib/readme.bash"
    subprocess.run(["bash", "-c", '. "$1"; put_into "$2" conformance "$3"', "sh", library, readme, table], check=True)


def main():
    build, readme, modules = os.path.abspath(sys.argv[1]), (sys.argv[2:3] or ["-"])[0], sys.argv[3:] or MODULES
    lines = ["| module | tests | passed without the library | " + " | ".join(f"`{mode}`" for mode in MODES) + " |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    print("\n".join(lines), flush=True)
    results = [row(build, module) for module in modules]
    if readme != "-":
        put_into(readme, "\n".join(lines + [line for line, _ in results]))
    sys.exit(0 if all(is_well for _, is_well in results) else 1)


main()
