"""The signed and logged exchange against bare Flask, side by side in one run: `python benchmarks/run.py [--quick]`.

Both have the same gunicorn settings, TLS, certificate, body size and kept-alive connections; rounds alternate and the
medians are kept. CPU is that of the server's processes (workers, and for the exchange the sequencer too).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from figures import Figure, keep

from gateway.client.client import PartyClient
from gateway.client.party import PartyFolder
from gateway.client.signer import RequestSigner
from gateway.development import Development, Ports
from gateway.keys.files import FileKeystore
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gateway.client.signer import SignedRequest

HERE = Path(__file__).parent

_TICK = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Requests:
    """Fresh signed verifications, each with its own nonce and salt, as raw HTTP/1.1."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        party = PartyFolder.load(folder)
        keystore = FileKeystore(folder, signing=["signing"])
        signer = RequestSigner(keystore, SystemClock(), SystemRandomness(), party.origin)
        self._client = PartyClient(party, signer, SystemRandomness())
        self._fields = json.loads((folder / "requests" / "confirmed.json").read_text(encoding="utf-8"))
        self._scratch = scratch
        self._host = party.origin.removeprefix("https://")

    def file(self, count: int) -> Path:
        """A file of ``count`` of them."""
        signed = (self._client.prepare("nirec.verify", self._fields, salted=True) for _ in range(count))
        return write(self._scratch / "requests", signed, self._host)


def write(path: Path, requests: Iterable[SignedRequest], host: str) -> Path:
    """Requests as raw HTTP/1.1 in a file, as load.py reads them."""
    with path.open("wb") as file:
        for request in requests:
            raw = _raw(request, host)
            file.write(len(raw).to_bytes(4) + raw)
    return path


def _raw(request: SignedRequest, host: str) -> bytes:
    headers = {"host": host, "content-length": str(len(request.body))} | dict(request.headers)
    lines = [
        f"{request.method} {request.target} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + request.body


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and all its descendants, the ended ones included."""
    pids, total = [pid], 0.0
    while pids:
        current = pids.pop()
        try:
            fields = Path(f"/proc/{current}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            children = Path(f"/proc/{current}/task/{current}/children").read_text(encoding="ascii").split()
        except FileNotFoundError:
            continue
        total += sum(int(value) for value in fields[11:15]) / _TICK
        pids += [int(child) for child in children]
    return total


@contextmanager
def server(kind: str, config: Path, port: int) -> Iterator[int]:
    """A running server; gives its process id."""
    process = subprocess.Popen([sys.executable, str(HERE / "servers.py"), kind, str(config), str(port)])
    try:
        await_port(port)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def await_port(port: int) -> None:
    """Returns when somebody listens there; ends the run after ten seconds."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            time.sleep(0.5)
            return
    raise SystemExit(f"nothing listens on {port}")


def load(port: int, connections: int, folder: Path, requests: Path) -> float:
    """Requests per second; stops the run if any answer is not 200."""
    command = [sys.executable, str(HERE / "load.py"), str(port), str(connections), str(folder), str(requests)]
    result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=120).stdout)
    if result["statuses"] != {"200": result["count"]}:
        raise SystemExit(f"answers other than 200: {result['statuses']}")
    return float(result["count"]) / float(result["seconds"])


@dataclass(frozen=True)
class Size:
    """How much is asked: rounds, requests of 32 connections and of one, requests with the SOAP upstream."""

    rounds: int
    many: int
    few: int
    soap: int


FULL, QUICK = Size(9, 3000, 600, 400), Size(2, 600, 150, 80)


def main() -> None:
    """Measures, prints, keeps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    size = QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch) / "set-up"
        folder.mkdir()
        ports = Ports(free_port(), free_port(), free_port(), free_port())
        Development(folder, ports, SystemClock(), SystemRandomness()).create(births=100)
        config, party = folder / "passerelle.toml", folder / "sandbox" / "parties" / "cooperative"
        requests = Requests(party, Path(scratch))
        rates: dict[str, list[float]] = {}
        cpus: dict[str, list[float]] = {}

        def measure(kind: str, pid: int, port: int, connections: int, count: int) -> None:
            file = requests.file(count)
            before = cpu_of(pid)
            rate = load(port, connections, party, file)
            rates.setdefault(f"{kind}_c{connections}", []).append(rate)
            cpus.setdefault(f"{kind}_c{connections}", []).append((cpu_of(pid) - before) / count * 1e6)

        bare_port = free_port()
        bare = stack.enter_context(server("bare", config, bare_port))
        with server("exchange", config, ports.gateway) as ours:
            for count in (200, size.many):  # the first round warms up
                for index in range(1 if count < size.many else size.rounds):
                    print(f"round {index + 1}, {count} requests", file=sys.stderr)
                    for connections, number in ((32, count), (1, min(size.few, count))):
                        measure("bare", bare, bare_port, connections, number)
                        measure("exchange", ours, ports.gateway, connections, number)
                if count < size.many:
                    rates.clear()
                    cpus.clear()
        sandbox = subprocess.Popen([sys.executable, "-m", "gateway.cli.main", "sandbox", "civil-registry",
                                    "--config", str(config)], stderr=subprocess.DEVNULL)  # fmt: skip
        stack.callback(sandbox.wait)
        stack.callback(sandbox.terminate)
        await_port(ports.registry)
        with server("soap", config, ports.gateway) as soap:
            for _ in range(3):
                print(f"SOAP upstream, {size.soap} requests", file=sys.stderr)
                measure("soap", soap, ports.gateway, 8, size.soap)
    report(rates, cpus, quick=quick)


def report(rates: dict[str, list[float]], cpus: dict[str, list[float]], *, quick: bool) -> None:
    """Ratios are medians of the rounds' own ratios, since both sides of a round saw the same machine."""

    def ratio(connections: int) -> float:
        pairs = zip(rates[f"exchange_c{connections}"], rates[f"bare_c{connections}"], strict=True)
        return round(statistics.median(ours / bare for ours, bare in pairs), 3)

    def cpu(name: str) -> float:
        return round(statistics.median(cpus[name]), 1)

    rounds = len(rates["exchange_c32"])
    what = "requests a second of the signed, logged exchange over those of bare Flask, {} kept-alive connections"
    ours = "CPU of workers and sequencer an exchange, 32 connections"
    bare = "CPU of bare Flask's workers per request, 32 connections"
    keep(
        {
            "exchange_over_bare_flask_c32": Figure(ratio(32), "ratio", rounds, what.format(32)),
            "exchange_over_bare_flask_c1": Figure(ratio(1), "ratio", rounds, what.format(1)),
            "exchange_cpu_us": Figure(cpu("exchange_c32"), "us", rounds, ours),
            "bare_flask_cpu_us": Figure(cpu("bare_c32"), "us", rounds, bare),
            "soap_exchange_cpu_us": Figure(
                cpu("soap_c8"), "us", 3, "CPU per exchange with the SOAP upstream, 8 connections"
            ),
        },
        quick=quick,
    )
    for name, values in sorted(rates.items()):
        print(f"  {name:14} {statistics.median(values):8.0f}/s  {cpu(name):8.0f} us CPU")


if __name__ == "__main__":
    main()
