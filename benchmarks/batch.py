"""`batch_over_sandbox_alone` and `batch_rss_growth`: a file of NIRECs by the gateway, and straight by the registry.

The rate of a batch, by `passerelle batch` over kept connections, is put over the rate at which one process of ours gets
signed answers from the registry's sandbox directly, over as many kept connections, each request signed and each answer
verified. All of it shares this machine: client, two workers, sequencer, sandbox. Memory is the peak of the client and
of the larger worker, with 20,000 records over 2,000.

    python benchmarks/batch.py [--quick] [--records 88000]
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from uuid import uuid4

from figures import Figure, keep
from translation import PROOF

from adapters.channel import Endpoint
from adapters.civil_registry.adapter import contract_directory
from adapters.civil_registry.sandbox.births import make_births
from adapters.mapped import Trust, mapped_system
from adapters.resilience import ResilienceSettings
from contracts.loader import load_contracts
from gateway.development import Development, Ports
from gateway.keys.files import FileKeystore
from gateway.model import Grant, Message, Nirec, OperationRef, Party, Received, RequestSignature, VerifiedRequest
from gateway.places import contracts_folder
from gateway.system import SystemClock, SystemRandomness
from tests.adapters.fakes import free_port, until
from tests.exchange.live import descendants, status_of, workers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from adapters.civil_registry.sandbox.births import Birth
    from gateway.model import Signer

ROOT = Path(__file__).parents[1]
CONNECTIONS = 16
FEW, MANY, QUICK_FEW, QUICK_MANY = 2_000, 20_000, 200, 1_000
ROUNDS, QUICK_ROUNDS = 3, 1
_OK, _WORKERS = 200, 2
_SETTINGS = "\n[civil_registry]\nbatch_per_second = 100000\nconcurrency = 64\n"


@dataclass(frozen=True)
class Ran:
    """One batch: records a second, peaks of memory in KiB, CPU milliseconds of each process for a record."""

    rate: float
    client: int
    worker: int
    cpu: Mapping[str, float]


class Town:
    """A development set-up with its gateway and the civil registry's sandbox as processes."""

    def __init__(self, folder: Path, births: int) -> None:
        self.folder = folder
        self.ports = Ports(*(free_port() for _ in range(6)))
        Development(folder, self.ports, SystemClock(), SystemRandomness()).create(births=births, registrations=1)
        settings = folder / "passerelle.toml"
        text = settings.read_text(encoding="utf-8").replace("\n[civil_registry]\n", _SETTINGS)
        settings.write_text(text, encoding="utf-8")

    @contextmanager
    def process(self, *command: str, ready: str) -> Iterator[int]:
        """One of its processes, once ``ready`` answers; its id."""
        line = [sys.executable, "-m", "gateway.cli.main", *command, "--config", str(self.folder / "passerelle.toml")]
        process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            if not until(lambda: status_of(ready) == _OK, 60):
                raise SystemExit(f"{command} did not start")
            yield process.pid
        finally:
            process.terminate()
            process.wait(60)

    def sandbox(self) -> AbstractContextManager[int]:
        """The registry's sandbox."""
        return self.process("sandbox", "civil-registry", ready=f"http://127.0.0.1:{self.ports.control}/counter")

    def gateway(self) -> AbstractContextManager[int]:
        """The gateway."""
        return self.process("serve", ready=f"http://127.0.0.1:{self.ports.health}/readyz")

    def batch(self, births: Sequence[Birth], sandbox: int) -> Ran:
        """These, through a gateway of its own; ``sandbox`` is that one's process."""
        file = self.folder / f"{uuid4()}.csv"
        with file.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(["nirec", "nom", "prénoms", "date de naissance"])
            writer.writerows((one.nirec, one.family_name, one.given_names, one.birth_date) for one in births)
        command = ["batch", "verify-nirec", str(file), "--as", "cooperative", "--dir", str(self.folder)]
        with self.gateway() as pid:
            if not until(lambda: len(workers(pid)) == _WORKERS, 30):
                raise SystemExit("a worker is missing")
            before = seconds(sandbox), sum(seconds(one) for one in descendants(pid))
            line = [sys.executable, "-m", "gateway.cli.main", *command, "--connections", str(CONNECTIONS), "--json"]
            client = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL)
            _, code, used = os.wait4(client.pid, 0)
            ended = SystemClock().now().timestamp()
            if code:
                raise SystemExit(f"the batch ended with {code}")
            worker = max(peak(one) for one in workers(pid))
            spent = {
                "client": used.ru_utime + used.ru_stime,
                "gateway": sum(seconds(one) for one in descendants(pid)) - before[1],
                "sandbox": seconds(sandbox) - before[0],
            }
        opened_at = file.with_name(f"{file.name}.lot").joinpath("lot.json").stat().st_mtime
        return Ran(
            len(births) / (ended - opened_at),
            used.ru_maxrss,
            worker,
            {name: 1000 * of / len(births) for name, of in spent.items()},
        )

    def directly(self, births: Sequence[Birth]) -> float:
        """Answers a second from the sandbox itself, signed and verified as the gateway does."""
        keys = self.folder / "gateway" / "keys"
        endpoint = Endpoint(
            url=f"https://localhost:{self.ports.registry}/civil-registry/v1",
            ca_file=keys / "authorities" / "civil-registry.pem",
            certificate_file=keys / "tls-client.pem",
            key_file=keys / "tls-client.key",
            connections=CONNECTIONS,
        )
        keystore = FileKeystore(keys, signing=["signing"])
        trust = Trust(keystore, lambda _: PROOF, lambda _: PROOF, nobody, None, lambda _: True)
        system = mapped_system(
            contract_directory(), load_contracts(contracts_folder()), endpoint, trust, clock=SystemClock(),
            randomness=SystemRandomness(), resilience=ResilienceSettings(concurrency=CONNECTIONS),
        )  # fmt: skip
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            began = time.perf_counter()
            for reply in pool.map(lambda one: system.call(grant(one)), births):
                if reply.fields["outcome"] != "confirmed":
                    raise SystemExit("not confirmed")
            return len(births) / (time.perf_counter() - began)


def nobody(_keyid: str) -> Signer:
    """Nobody answers by REST here."""
    raise SystemExit("an answer by REST")


def grant(one: Birth) -> Grant:
    """What the first five steps make of a verification."""
    received = Received(uuid4(), "POST", "/v1/nirec/verifications", {}, b"", b"", SystemClock().now())
    signature = RequestSignature("sig1", "", b"", b"", "ecdsa-p256-sha256", "nonce", 0, PROOF)
    request = VerifiedRequest(Party("cooperative", PROOF), received, signature, None)
    names = ("family_name", "given_names", "birth_date")
    fields = {"nirec": Nirec(one.nirec)} | {name: getattr(one, name) for name in names}
    operation = OperationRef("nirec.verify", "nirec", "1", "0" * 64)
    message = Message(request, operation, fields, bytes(16), "a", "p", frozenset({"outcome"}), "civil-registry", None)
    return Grant(message, "a", "p", frozenset({"outcome"}), tells_not_found=True, policy_sha256="0" * 64)


def peak(pid: int) -> int:
    """The most memory that a process ever had, KiB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    return int(found[1]) if found else 0


def seconds(pid: int) -> float:
    """CPU seconds that a process has used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(folder: Path, few: int, many: int, rounds: int) -> dict[str, Figure]:
    """The figures; the rates in alternating rounds."""
    town, births = Town(folder, many), make_births(many)
    rates: list[tuple[float, Ran]] = []
    with town.sandbox() as sandbox:
        town.directly(births[: few // 10])
        for _ in range(rounds):
            alone = town.directly(births[:few])
            rates.append((alone, town.batch(births[:few], sandbox)))
        large = town.batch(births, sandbox)
    small = rates[-1][1]
    ratio = median(ran.rate / alone for alone, ran in rates)
    growth = max(large.client / small.client, large.worker / small.worker)
    text = f"{few} records, {CONNECTIONS} kept connections"
    return {
        "batch_over_sandbox_alone": Figure(
            round(ratio, 3), "ratio", rounds, f"{text}: through the gateway, over directly"
        ),
        "batch_records_per_s": Figure(round(median(ran.rate for _, ran in rates)), "1/s", rounds, text),
        "sandbox_alone_per_s": Figure(round(median(alone for alone, _ in rates)), "1/s", rounds, f"{text}, directly"),
        "batch_records_per_s_many": Figure(round(large.rate), "1/s", 1, f"{many} records"),
        "batch_rss_growth": Figure(round(growth, 3), "ratio", 1, f"peak of client and worker, {many} over {few}"),
        **{
            f"batch_cpu_{name}_ms": Figure(round(of, 2), "ms", 1, f"CPU of the {name} for a record of {many}")
            for name, of in large.cpu.items()
        },
        "batch_client_peak_mib": Figure(round(large.client / 1024), "MiB", 1, f"{many} records"),
        "batch_worker_peak_mib": Figure(round(large.worker / 1024), "MiB", 1, f"{many} records"),
    }


def main() -> None:
    """Measures and keeps the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--records", type=int, help="how many the large batch has")
    asked = parser.parse_args()
    few, many, rounds = (QUICK_FEW, QUICK_MANY, QUICK_ROUNDS) if asked.quick else (FEW, MANY, ROUNDS)
    with tempfile.TemporaryDirectory() as scratch:
        keep(measure(Path(scratch) / "town", few, asked.records or many, rounds), quick=asked.quick)


if __name__ == "__main__":
    main()
