"""Four processes of Python's multiprocessing that share a listener and block in accept(); with "epoll", they wait in
one epoll instance that was made before the fork.

usage: shared.py PORT [epoll]
"""
import multiprocessing
import os
import select
import signal
import socket
import sys


def answer(connection):
    with connection:
        connection.recv(65536)
        head = "HTTP/1.0 200 OK\r\nContent-Length: 7\r\nX-Worker: %d\r\n\r\nserved\n" % os.getpid()
        connection.sendall(head.encode())


def work(listener, instance):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while True:
        if instance:
            instance.poll()
        try:
            answer(listener.accept()[0])
        except BlockingIOError:
            pass


def instance_for(listener):
    instance = select.epoll()
    instance.register(listener, select.EPOLLIN)
    listener.setblocking(False)
    return instance


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # takes the daemonic children along
    multiprocessing.set_start_method("fork")
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=511)
    instance = instance_for(listener) if sys.argv[2:] == ["epoll"] else None
    workers = [multiprocessing.Process(target=work, args=(listener, instance), daemon=True) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
