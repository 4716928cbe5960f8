#!/usr/bin/python3
"""Runs other people's tests without the library and in every mode of it, and prints a table of what came out.

usage: conformance.py BUILD [README [SUITE...]]
  README  once all is well, the table replaces what stands there between its two marks; -: it is printed only

Each test must end as it does without the library. A suite in which one does not is run again as a whole, and the test
by itself, both ways: some depend on the moment. Ends with 1 when an outcome stays different, a suite ran nothing, or
the library was not in the program.
"""

import os
import signal
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
sys.dont_write_bytecode = True
import suites  # noqa: E402

MODES = ["auto", "exclusive", "reuseport"]
TIMES = 5
# The listeners are counted in the log file, whose descriptor fstat() shows. Two tests here look at every descriptor.
NOT_COUNTED = ["test_subprocess"]
BEGIN, END = "<!-- made by make conformance -->\n", "<!-- end of make conformance -->"


class Lab:
    """Runs suites with the library of one build, or without, and counts the listeners that it took up."""

    def __init__(self, build):
        self.library = os.path.abspath(build) + "/libunherd.so"

    def run(self, suite, mode, names=()):
        """The outcomes, and how many lines the library wrote about listeners, or None."""
        variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
        if mode:
            variables |= {"LD_PRELOAD": self.library, "UNHERD_MODE": mode, "UNHERD_LOG": "off"}
        if not mode or suite in NOT_COUNTED:
            return suites.run_suite(suite, variables, names), None
        with tempfile.NamedTemporaryFile() as log:
            os.chmod(log.name, 0o666)  # some tests give up their rights
            variables |= {"UNHERD_LOG": "info", "UNHERD_LOG_FILE": log.name}
            outcomes = suites.run_suite(suite, variables, names)
            return outcomes, sum(1 for line in log if line.startswith(b"unherd: "))

    def outcomes_alone(self, suite, mode, name):
        return {self.run(suite, mode, [name])[0].get(name) for _ in range(TIMES)}


def differing(stock, other):
    """Names of tests; only if there are none, the sums, which are in brackets: they follow from the tests."""
    names = sorted(name for name in stock.keys() | other.keys() if stock.get(name) != other.get(name))
    return [name for name in names if not name.startswith("(")] or names


def stays_different(lab, suite, mode, stock, names):
    """Those of the names whose outcome with the library is one that they never had without it."""
    stock_again, other_again = lab.run(suite, None)[0], lab.run(suite, mode)[0]
    for name in names:
        without = {stock.get(name), stock_again.get(name)}
        steady = other_again.get(name) in without
        if steady and not name.startswith("("):
            without |= lab.outcomes_alone(suite, None, name)
            steady = lab.outcomes_alone(suite, mode, name) <= without
        if not steady:
            yield name


def cell(lab, suite, mode, stock):
    """What the table says of a mode, how many listeners there were, and whether all is well."""
    other, listeners = lab.run(suite, mode)
    if not other:
        return "**did not run**", listeners, False
    names = differing(stock, other)
    for name in names:
        print(f"{suite}, {mode}: {name}: {other.get(name)} for {stock.get(name)}; again", file=sys.stderr)
    bad = list(stays_different(lab, suite, mode, stock, names)) if names else []
    if bad:
        return "**differs**: " + ", ".join(bad), listeners, False
    return "same", listeners, True


def row(lab, suite):
    """A line of the table, and whether all is well."""
    stock, _ = lab.run(suite, None)
    tests = {name: outcome for name, outcome in stock.items() if not name.startswith("(")}
    passed = sum(1 for outcome in tests.values() if outcome == "passed")
    for name, outcome in tests.items():
        if "failure" in outcome or "error" in outcome:
            print(f"{suite}, without the library: {name}: {outcome}", file=sys.stderr)
    cells, listeners, well = zip(*(cell(lab, suite, mode, stock) for mode in MODES))
    fewest = "" if None in listeners else min(listeners)
    line = f"| {suite} | {len(tests)} | {passed or '**none**'} | {fewest} | " + " | ".join(cells) + " |"
    return line, passed > 0 and all(well)


def put_into(readme, lines):
    with open(readme, encoding="utf-8") as file:
        before, rest = file.read().split(BEGIN)
    _, after = rest.split(END)
    with open(readme, "w", encoding="utf-8") as file:
        file.write(before + BEGIN + "".join(line + "\n" for line in lines) + END + after)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends, too
    build, readme, *chosen = sys.argv[1:] + ["-"] * (len(sys.argv) == 2)
    lab = Lab(build)
    for mode in MODES:
        if lab.run("test_socketserver", mode)[1] == 0:
            sys.exit(f"conformance.py: {lab.library} took up no listener of test_socketserver in {mode}")
    title = "| tests | how many | pass without | listeners | " + " | ".join(f"`{mode}`" for mode in MODES) + " |"
    lines, all_well = [title, "| --- " * (4 + len(MODES)) + "|"], True
    print("\n".join(lines), flush=True)
    for suite in chosen or suites.SUITES:
        line, well = row(lab, suite)
        print(line, flush=True)
        lines.append(line)
        all_well &= well
    if all_well and readme != "-":
        put_into(readme, lines)
    print("all as without the library" if all_well else "NOT all as without the library", file=sys.stderr)
    sys.exit(0 if all_well else 1)


main()
