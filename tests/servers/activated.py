"""Four workers with epoll on the socket that systemd hands over (sd_listen_fds(3))."""

import os
import select
import signal
import socket

assert os.environ["LISTEN_FDS"] == "1" and int(os.environ["LISTEN_PID"]) == os.getpid()
listener = socket.socket(fileno=3)
listener.setblocking(False)


def serve():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    answer = b"HTTP/1.1 200 OK\r\nX-Worker: %d\r\nContent-Length: 7\r\nConnection: close\r\n\r\nserved\n" % os.getpid()
    waiting = select.epoll()
    waiting.register(listener, select.EPOLLIN)
    while True:
        waiting.poll()
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            continue
        with connection:
            connection.setblocking(True)
            connection.recv(4096)
            connection.sendall(answer)


workers = []
for _ in range(4):
    pid = os.fork()
    if pid == 0:
        serve()
    workers.append(pid)


def end(*_):
    for worker in workers:
        os.kill(worker, signal.SIGTERM)


signal.signal(signal.SIGTERM, end)
for worker in workers:
    os.waitpid(worker, 0)
