"""Four processes of Python's multiprocessing that share a listener and block in accept()."""
import multiprocessing
import os
import signal
import socket
import sys


def work(listener):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            head = "HTTP/1.0 200 OK\r\nContent-Length: 7\r\nX-Worker: %d\r\n\r\nserved\n" % os.getpid()
            connection.sendall(head.encode())


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # takes the daemonic children along
    multiprocessing.set_start_method("fork")
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=511)
    workers = [multiprocessing.Process(target=work, args=(listener,), daemon=True) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
