"""A load of prepared requests over kept-alive mutual TLS connections; prints elapsed seconds and statuses as JSON.

    python benchmarks/load.py PORT CONNECTIONS PARTY_FOLDER REQUESTS

REQUESTS is a file of u32 length || raw HTTP request; each is sent once.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from pathlib import Path


def read_requests(path: Path) -> list[bytes]:
    """The prepared requests."""
    data, at, requests = path.read_bytes(), 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        requests.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return requests


def connect(port: int, folder: Path) -> ssl.SSLSocket:
    """One mutual TLS connection."""
    context = ssl.create_default_context(cafile=folder / "gateway-root.pem")
    context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
    raw = socket.create_connection(("127.0.0.1", port))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(raw, server_hostname="localhost")


def exchange(connection: ssl.SSLSocket, request: bytes) -> bytes:
    """Sends one request; gives the status of its answer, read to its end."""
    connection.sendall(request)
    data = connection.recv(65536)
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    lower = head.lower()
    start = lower.index(b"content-length:") + 15
    length = int(lower[start:].split(b"\r\n", 1)[0])
    missing = length - len(body)
    while missing > 0:
        missing -= len(connection.recv(65536))
    return head[9:12]


def main(port: str, connections: str, folder: str, requests: str) -> None:
    """Runs the load."""
    prepared = read_requests(Path(requests))
    count = int(connections)
    # Each connection sends its first request at once: a gthread worker reads it in the thread that shook hands.
    sockets: list[ssl.SSLSocket] = []
    for request in prepared[:count]:
        sockets.append(connect(int(port), Path(folder)))
        exchange(sockets[-1], request)
    prepared = prepared[count:]
    statuses: Counter[str] = Counter()
    lock = threading.Lock()
    start = threading.Barrier(count + 1)

    def run(index: int) -> None:
        mine: Counter[str] = Counter()
        start.wait()
        for request in prepared[index::count]:
            mine[exchange(sockets[index], request).decode()] += 1
        with lock:
            statuses.update(mine)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    print(json.dumps({"seconds": time.perf_counter() - began, "statuses": statuses, "count": len(prepared)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
