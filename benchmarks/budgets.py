"""`budget_cpu_share`: of an exchange's CPU, what its budget costs (aim: at most 5%).

By turns, in one process: verifications through a whole gateway, 32 at a time, and the same gateway's budget alone, one
charge at a time, so that each is a transaction of its own, which is the most that it can cost. Each asks about a child
that nobody asked about before: the others cost less. The registry is asked over SOAP as it is in service, but for its
network and its own work. Counted is the CPU of the whole process from the request as received to the recorded answer;
TLS, HTTP and the sequencer are not there, so the share of the whole is smaller than the figure.

    python benchmarks/budgets.py [--quick]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from gevent.pool import Pool

sys.path.insert(0, str(Path(__file__).parents[1]))

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from figures import Figure, keep
from translation import URL, Loopback, Registry, Stopwatch

from adapters.civil_registry.sandbox.answering import SigningIdentity
from adapters.mapping.soap_form import soap_service
from adapters.salts import Salts
from adapters.soap import SoapClient, SoapDialogue
from adapters.system import OutsideSystem
from contracts.loader import load_contracts
from gateway.app import Worker
from gateway.development_policy import REGISTRY
from gateway.model import Allowance, Nirec
from gateway.places import contracts_folder
from gateway.signing.soap_sign import SoapSigner
from gateway.signing.soap_verify import SoapVerifier
from tests.audit.gateway_run import NIREC_TARGET, Gateway, keystore
from tests.guard.test_budgets import VERIFY, granted

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.client.signer import SignedRequest
    from gateway.model import Received

ROUNDS, MANY, QUICK_ROUNDS, FEW = 15, 400, 3, 100
CALLERS = 32
A_MILLION = Allowance(1_000_000, 24)
_OK = 200


class Uncounted(Stopwatch):
    """How much CPU of this process was not the gateway's."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def pause(self, meanwhile: Callable[[], bytes]) -> bytes:
        """What this gives, on the registry's time."""
        began = time.process_time()
        made = meanwhile()
        self.seconds += time.process_time() - began
        return made


class Asked(Gateway):
    """A gateway over a registry without a network."""

    def __init__(self, folder: Path) -> None:
        self.uncounted = Uncounted()
        super().__init__(folder)
        self._next = 0

    def _worker(self) -> Worker:
        theirs = self.folder / "sandbox" / REGISTRY / "signing"
        der = x509.load_pem_x509_certificate(theirs.with_suffix(".pem").read_bytes()).public_bytes(Encoding.DER)
        registry = Registry(SigningIdentity(der, theirs.with_suffix(".key").read_bytes()), self.uncounted)
        contracts = contracts_folder()
        client = SoapClient(
            Loopback(registry),  # type: ignore[arg-type]  # a channel in all but its network
            URL,
            "/civil-registry/v1",
            signer=SoapSigner(keystore(self.settings.folders.keys), self._prove_ours, self.clock),
            verifier=SoapVerifier(self._prove_registry, self.clock),
            randomness=self.randomness,
        )
        service = soap_service(contracts / "civil_registry" / "v1", load_contracts(contracts))
        salts = Salts(self.randomness, lambda _: True)
        dialogues = {name: SoapDialogue(operation, client, salts) for name, operation in service.operations.items()}
        system = OutsideSystem(REGISTRY, dialogues, self.clock)
        return Worker(self.composition, _alarm, upstreams={REGISTRY: system})

    def children(self, count: int) -> list[dict[str, str]]:
        """As many, none of whom was asked about before."""
        first, self._next = self._next, self._next + count
        return [
            {
                "nirec": f"{number:013}",
                "family_name": f"Fictif-{number}",
                "given_names": "Camille",
                "birth_date": "2024-02-29",
            }
            for number in range(first, first + count)
        ]

    def exchange_us(self, count: int) -> float:
        """CPU of a whole verification."""
        requests = [self._request(child) for child in self.children(count)]

        def one(request: SignedRequest) -> None:
            if (status := self.send("ministry", request).status) != _OK:
                raise SystemExit(f"answered {status}")

        began = time.process_time() - self.uncounted.seconds
        for _ in Pool(CALLERS).imap_unordered(one, requests):
            pass
        return (time.process_time() - self.uncounted.seconds - began) / count * 1e6

    def budget_us(self, count: int) -> float:
        """CPU of what the budget adds to it."""
        grants = [
            granted(VERIFY, {**child, "nirec": Nirec(child["nirec"])}, budget=A_MILLION, at=self.clock.now())
            for child in self.children(count)
        ]
        began = time.process_time()
        for grant in grants:
            self.worker._budgets.reserve(grant, ())  # noqa: SLF001  as app made it for its workers
        return (time.process_time() - began) / count * 1e6

    def _request(self, child: dict[str, str]) -> SignedRequest:
        fields = child | {"salt": b64encode(self.randomness.bytes(16)).decode()}
        return self.sign("ministry", NIREC_TARGET, fields, agreement="ENT-2026-02", purpose="admissibilite")


def _alarm(_received: Received, fault: Exception) -> None:
    raise fault


def main() -> None:
    """Measures and keeps the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    rounds, count = (QUICK_ROUNDS, FEW) if quick else (ROUNDS, MANY)
    took: dict[str, list[float]] = {"exchange": [], "budget": []}
    with tempfile.TemporaryDirectory() as scratch:
        gateway = Asked(Path(scratch) / "gateway")
        for way in (gateway.exchange_us, gateway.budget_us):
            way(FEW)  # warms up
        for _ in range(rounds):
            took["exchange"].append(gateway.exchange_us(count))
            took["budget"].append(gateway.budget_us(count))
        gateway.worker.close()
    share = median(part / whole for part, whole in zip(took["budget"], took["exchange"], strict=True))
    text = f"{count} verifications a round, each of a child for the first time"
    keep(
        {
            "budget_cpu_share": Figure(round(share, 4), "ratio", rounds, f"of an exchange's CPU, its budget: {text}"),
            "budget_cpu_us": Figure(round(median(took["budget"])), "us", rounds, f"{text}: their budget, one by one"),
            "budget_exchange_cpu_us": Figure(round(median(took["exchange"])), "us", rounds, f"{text}: an exchange"),
        },
        quick=quick,
    )


if __name__ == "__main__":
    main()
