"""Connections one after another by DNS over TCP or FastCGI; prints the figures that the load generator prints.

usage: visit.py dns|fcgi PORT COUNT DIRECTORY
"""

import collections
import os
import socket
import struct
import sys

PATIENCE = float(os.environ.get("PATIENCE", "5"))
DNS_NAME = b"\x06served\x04test\x00"
DNS_ADDRESS = bytes([127, 0, 0, 9])


def read_all(connection, wanted=None):
    data = b""
    while wanted is None or len(data) < wanted:
        part = connection.recv(65536)
        if not part:
            break
        data += part
    return data


def ask_dns(connection, _directory):
    query = struct.pack(">HHHHHH", 1, 0x100, 1, 0, 0, 0) + DNS_NAME + struct.pack(">HH", 1, 1)
    connection.sendall(struct.pack(">H", len(query)) + query)
    answer = read_all(connection, 2)
    size = struct.unpack(">H", answer[:2])[0]
    answer += read_all(connection, size + 2 - len(answer))
    return "server" if answer.endswith(DNS_ADDRESS) else None


def fcgi_record(kind, content):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def ask_fcgi(connection, directory):
    parameters = {"SCRIPT_FILENAME": directory + "/www/index.php", "REQUEST_METHOD": "GET", "QUERY_STRING": ""}
    pairs = b"".join(bytes([len(k), len(v)]) + k.encode() + v.encode() for k, v in parameters.items())
    begin = fcgi_record(1, struct.pack(">HB5x", 1, 0))
    connection.sendall(begin + fcgi_record(4, pairs) + fcgi_record(4, b"") + fcgi_record(5, b""))
    data, output = read_all(connection), b""
    while len(data) >= 8:
        _, kind, _, size, padding, _ = struct.unpack(">BBHHBB", data[:8])
        output += data[8 : 8 + size] if kind == 6 else b""
        data = data[8 + size + padding :]
    if not output.endswith(b"served\n"):
        return None
    return output.split(b"X-Worker: ")[1].split(b"\r")[0].decode()


def main():
    protocol, port, count, directory = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    ask = {"dns": ask_dns, "fcgi": ask_fcgi}[protocol]
    workers = collections.Counter()
    for _ in range(count):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
                worker = ask(connection, directory)
        except (OSError, struct.error, IndexError):
            continue
        if worker:
            workers[worker] += 1
    answered = sum(workers.values())
    print(f"connections\t{count}\nanswered\t{answered}\nlost\t{count - answered}\nnot_2xx\t0")
    for worker, number in workers.items():
        print(f"worker:{worker}\t{number}")


main()
