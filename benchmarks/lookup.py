"""One registration by its handle: through the gateway, at the registry itself, and what bare Flask would do.

    python benchmarks/lookup.py [--quick]

All three over kept-alive mutual TLS connections, rounds alternating. Directly, the registry's sandbox is asked under
the gateway's own key, as the gateway asks it: what the gateway adds is its caller's signature verified, its own over
the answer, the record, and a second hop. Three servers and the load share the machine's cores.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from figures import Figure, keep
from run import await_port, cpu_of, free_port, load, server, write

from adapters.civil_registry.sandbox import births
from adapters.cooperative.sandbox.storage import Registry
from gateway.client.client import PartyClient
from gateway.client.party import PartyFolder
from gateway.client.signer import RequestSigner
from gateway.development import Development, Ports
from gateway.enrolment import enrol
from gateway.keys.files import FileKeystore
from gateway.settings import load_settings
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.client.signer import SignedRequest

CONNECTIONS = 32
_REGISTRATIONS = 60


class Lookups:
    """Signed questions after registrations: a ministry's to the gateway, and the gateway's own to the registry."""

    def __init__(self, folder: Path, ports: Ports, scratch: Path) -> None:
        self._scratch, self._ports = scratch, ports
        self.party = folder / "sandbox" / "parties" / "ministry"
        party, settings = PartyFolder.load(self.party), load_settings(folder / "passerelle.toml", {})
        clock, randomness = SystemClock(), SystemRandomness()
        keystore = FileKeystore(self.party, signing=["signing"])
        self._client = PartyClient(party, RequestSigner(keystore, clock, randomness, party.origin), randomness)
        known = births.all_births(folder / "sandbox" / "civil-registry" / "births.sqlite")
        self._handles = enrol(
            settings, "ministry", [one.nirec for one in known[: _REGISTRATIONS // 2]], clock, randomness
        )
        keys = folder / "gateway" / "keys"
        origin = f"https://localhost:{ports.cooperative}"
        self._signer = RequestSigner(FileKeystore(keys, signing=["signing"]), clock, randomness, origin)
        registry = Registry(f"sqlite:///{folder / 'sandbox' / 'cooperative' / 'registrations.sqlite'}")
        self._theirs = registry.handles()
        registry.dispose()
        # who the gateway is to the registry, as load.py reads a caller's folder
        self.gateway = scratch / "gateway"
        self.gateway.mkdir()
        shutil.copy(keys / "tls-client.pem", self.gateway / "tls.pem")
        shutil.copy(keys / "tls-client.key", self.gateway / "tls.key")
        shutil.copy(keys / "authorities" / "cooperative.pem", self.gateway / "gateway-root.pem")

    def through(self, count: int) -> Path:
        """Of the ministry to the gateway."""
        return write(self._scratch / "through", self._asked(count), f"localhost:{self._ports.gateway}")

    def direct(self, count: int) -> Path:
        """Of the gateway to the registry, as it would ask."""
        signed = (
            self._signer.sign(
                "GET", f"/v1/registrations/{self._theirs[each % len(self._theirs)]}", b"",
                agreement="ENT-2026-10", purpose="admissibilite",
            )
            for each in range(count)
        )  # fmt: skip
        return write(self._scratch / "direct", signed, f"localhost:{self._ports.cooperative}")

    def _asked(self, count: int) -> Iterator[SignedRequest]:
        for each in range(count):
            fields = {"handle": self._handles[each % len(self._handles)]}
            yield self._client.prepare("registration.get", fields, salted=False)


def main() -> None:
    """Measures, prints, keeps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    rounds, count = (2, 300) if quick else (7, 1500)
    rates: dict[str, list[float]] = {"direct": [], "through": [], "bare": []}
    cpus: dict[str, list[float]] = {name: [] for name in rates}
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        scratch, folder = Path(made), Path(made) / "set-up"
        folder.mkdir()
        ports = Ports(*(free_port() for _ in range(6)))
        Development(folder, ports, SystemClock(), SystemRandomness()).create(births=100, registrations=_REGISTRATIONS)
        config, lookups, bare_port = folder / "passerelle.toml", Lookups(folder, ports, scratch), free_port()
        command = [sys.executable, "-m", "gateway.cli.main", "sandbox", "cooperative", "--config", str(config)]
        sandbox = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        stack.callback(sandbox.wait)
        stack.callback(sandbox.terminate)
        await_port(ports.cooperative)
        bare = stack.enter_context(server("bare", config, bare_port))
        ours = stack.enter_context(server("soap", config, ports.gateway))  # with its real upstreams
        kinds = {
            "direct": (sandbox.pid, ports.cooperative, lookups.gateway, lookups.direct),
            "through": (ours, ports.gateway, lookups.party, lookups.through),
            "bare": (bare, bare_port, lookups.party, lookups.through),
        }
        for index in range(rounds + 1):
            print(f"round {index} of {rounds}, {count} requests", file=sys.stderr)
            for name, (pid, port, caller, prepared) in kinds.items():
                file = prepared(count)
                before = cpu_of(pid)
                rate = load(port, CONNECTIONS, caller, file)
                if index:  # the first round warms up
                    rates[name].append(rate)
                    cpus[name].append((cpu_of(pid) - before) / count * 1e6)
    report(rates, cpus, quick=quick)


def report(rates: dict[str, list[float]], cpus: dict[str, list[float]], *, quick: bool) -> None:
    """Ratios are medians of the rounds' own ratios."""

    def ratio(below: str) -> float:
        pairs = zip(rates["through"], rates[below], strict=True)
        return round(statistics.median(ours / theirs for ours, theirs in pairs), 3)

    runs = len(rates["through"])
    keep(
        {
            "lookup_over_bare_flask_c32": Figure(
                ratio("bare"),
                "ratio",
                runs,
                "registrations a second through the gateway over bare Flask's fixed answer",
            ),
            "gateway_over_direct": Figure(
                ratio("direct"),
                "ratio",
                runs,
                "the same over the rate at which the registry's sandbox answers directly",
            ),
            "lookup_cpu_us": Figure(
                round(statistics.median(cpus["through"]), 1), "us", runs, "CPU of workers and sequencer a lookup"
            ),
            "lookup_direct_cpu_us": Figure(
                round(statistics.median(cpus["direct"]), 1), "us", runs, "CPU of the registry's sandbox a lookup"
            ),
        },
        quick=quick,
    )
    for name, values in sorted(rates.items()):
        print(f"  {name:10} {statistics.median(values):8.0f}/s  {statistics.median(cpus[name]):8.0f} us CPU")


if __name__ == "__main__":
    main()
