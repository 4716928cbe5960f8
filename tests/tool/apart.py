#!/usr/bin/python3
"""A listener, and workers that wait for it in programs of their own.

usage: apart.py KIND...   of each worker: with, or without, what the environment preloads

Ends by itself after some seconds, or when a line comes on standard input.
"""
import os
import select
import socket
import subprocess
import sys

WAIT = """
import select, socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
waiter = select.epoll()
waiter.register(listener.fileno(), select.EPOLLIN)
waiter.poll(20)
"""


def start(listener, kind):
    """A worker; UNHERD_EXEC=0, or the library would go along."""
    environment = dict(os.environ)
    if kind == "without":
        del environment["LD_PRELOAD"]
    return subprocess.Popen([sys.executable, "-c", WAIT, str(listener.fileno())], stdin=subprocess.DEVNULL,
                            env=environment, close_fds=False)


def main():
    """The master."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.set_inheritable(True)
    workers = [start(listener, kind) for kind in sys.argv[1:]]
    print(*[worker.pid for worker in workers], flush=True)
    select.select([sys.stdin], [], [], 10)
    for worker in workers:
        worker.kill()
        worker.wait()


main()
