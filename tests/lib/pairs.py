"""Two connections at once, ROUNDS times; ends with 1 when one of them has no answer within two seconds.

usage: pairs.py PORT OTHER_PORT ROUNDS
"""

import socket
import sys


def begin(port):
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", port))
    return client


def is_answered(client):
    client.settimeout(2)
    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    answer = b""
    while part := client.recv(4096):
        answer += part
    client.close()
    return answer.endswith(b"served\n")


ports = [int(word) for word in sys.argv[1:3]]
for turn in range(int(sys.argv[3])):
    for client in [begin(port) for port in ports]:
        try:
            if not is_answered(client):
                sys.exit(f"round {turn}: not the answer")
        except TimeoutError:
            sys.exit(f"round {turn}: no answer")
