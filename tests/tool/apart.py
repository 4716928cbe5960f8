#!/usr/bin/python3
"""A listener, and workers that wait for it in programs of their own.

usage: apart.py [background] [later] KIND...   of each worker: with, or without, what the environment preloads;
background: it goes there first; later: it starts them half a second after it listens

Ends by itself after some seconds, or when a line comes on standard input.
"""
import os
import select
import socket
import subprocess
import sys
import time

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


def go_into_background():
    """As daemon(3) does, but for the descriptors."""
    if os.fork():
        os._exit(0)
    os.setsid()


def main():
    """The master."""
    kinds = sys.argv[1:]
    if "background" in kinds:
        go_into_background()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.set_inheritable(True)
    if "later" in kinds:
        time.sleep(0.5)
    workers = [start(listener, kind) for kind in kinds if kind not in ("background", "later")]
    print(*[worker.pid for worker in workers], flush=True)
    select.select([sys.stdin], [], [], 10)
    for worker in workers:
        worker.kill()
        worker.wait()


main()
