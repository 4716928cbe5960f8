"""Connections by DNS over TCP or FastCGI, or ones that are closed after the first byte ("ping", which asks, and "greeting")
or before ("connect"); prints the figures that the load generator prints, and takes some of its words.

usage: visit.py dns|fcgi|ping|greeting|connect PORT DIRECTORY --count N [--parallel C] [--with-ack] [--timeout MS]
"""

import argparse
import collections
import concurrent.futures
import socket
import struct

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
    return "server" if DNS_ADDRESS in answer else None


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


def ask_ping(connection, _directory):
    connection.sendall(b"PING\r\n")
    return ask_greeting(connection, _directory)


def ask_greeting(connection, _directory):
    return "server" if connection.recv(1) else None


def ask_connect(_connection, _directory):
    return "server"


PROTOCOLS = {"dns": ask_dns, "fcgi": ask_fcgi, "ping": ask_ping, "greeting": ask_greeting, "connect": ask_connect}


def visit(wanted):
    """Who answered, or None. With the last packet of the handshake comes the request, if it is held back until then."""
    ask = PROTOCOLS[wanted.protocol]
    try:
        with socket.socket() as connection:
            connection.settimeout(wanted.timeout / 1000)
            if wanted.with_ack:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
            connection.connect(("127.0.0.1", wanted.port))
            return ask(connection, wanted.directory)
    except (OSError, struct.error, IndexError):
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("port", type=int)
    parser.add_argument("directory")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--with-ack", action="store_true")
    parser.add_argument("--timeout", type=int, default=5000)
    wanted = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor(wanted.parallel) as visitors:
        answers = list(visitors.map(visit, [wanted] * wanted.count))
    workers = collections.Counter(filter(None, answers))
    answered = sum(workers.values())
    print(f"connections\t{wanted.count}\nanswered\t{answered}\nlost\t{wanted.count - answered}\nnot_2xx\t0")
    for worker, number in workers.items():
        print(f"worker:{worker}\t{number}")


main()
