#!/usr/bin/python3
"""Opens connections one after another, each with a request, and keeps them all until the last is answered. Then it prints how many
each worker has that has any, the fewest first.
usage: keep.py PORT CONNECTIONS"""
import collections
import re
import socket
import sys

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def worker_of(connection):
    """Who answers there, as it says itself."""
    connection.sendall(REQUEST)
    answer = connection.recv(4096)
    named = re.search(rb"X-Worker: (\w+)", answer)
    if not named:
        sys.exit(f"no worker in {answer!r}")
    return named[1]


def main():
    if len(sys.argv) != 3 or not all(word.isdigit() for word in sys.argv[1:]):
        sys.exit(__doc__)
    kept, workers = [], collections.Counter()
    for _ in range(int(sys.argv[2])):
        kept.append(socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5))
        workers[worker_of(kept[-1])] += 1
    print(*sorted(workers.values()), sep="\n")


main()
