"""The demo's second chapter: the registry of the waiting list, a batch that is killed, two who were down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from base64 import b64encode
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import requests
from rich.table import Table

from certs.files import write_private
from contracts.loader import load_contracts
from gateway.cli.call import client_of
from gateway.cli.processes import child
from gateway.client.party import PartyFolder
from gateway.client.signer import SIGNING_KEY
from gateway.client.soap import SoapCaller
from gateway.development_policy import ADDRESSEES
from gateway.keys.files import FileKeystore
from gateway.places import contracts_folder
from gateway.sandboxes import sample_births
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from gateway.cli.output import Output
    from gateway.development import Ports

_LINES = 120
_PATIENCE = 120.0
_LOOK = 0.1
_SALT_BYTES = 16
_GOOD = 200
_DAY = "2026-10-31"
_COUNTS = ("all", "without_service", "holding_non_subsidised", "unborn")


class RegistryChapter:
    """Runs beside a gateway that serves; each part says whether it went as it must."""

    def __init__(self, output: Output, folder: Path, ports: Ports) -> None:
        self._out = output
        self._folder = folder
        self._ports = ports
        self._config = str(folder / "passerelle.toml")
        self._randomness = SystemRandomness()

    def run(self) -> bool:
        """All of it, in the order of the story."""
        self._out.say("demo.registry")
        return all([self._batch(), self._counts(), self._notice()])

    def _batch(self) -> bool:
        """A file of NIRECs, verified record by record; killed half-way, and taken up again."""
        file = self._party("cooperative") / "requests" / "lot.csv"
        lines = [";".join(one) for one in sample_births(self._folder / "sandbox" / "civil-registry", _LINES)]
        header = "nirec;family_name;given_names;birth_date"
        write_private(file, "\n".join([header, *lines, ""]).encode())
        before = self._counter(self._ports.control)
        first = self._start("batch", "verify-nirec", str(file))
        killed = self._until(lambda: self._answered(file) >= _LINES // 2)
        first.send_signal(signal.SIGKILL)
        first.wait()
        done = self._answered(file)
        resumed = self._start("batch", "resume", str(file))
        whole = resumed.wait() == 0
        asked = self._counter(self._ports.control) - before
        self._out.say("demo.batch", records=_LINES, killed=done, answered=self._answered(file), asked=asked)
        return killed and whole and self._answered(file) == _LINES <= asked

    def _answered(self, file: Path) -> int:
        """Records that the party has an answer for: lines of its results, below their header."""
        try:
            return max(0, file.with_name(f"{file.name}.resultats.csv").read_bytes().count(b"\n") - 1)
        except FileNotFoundError:
            return 0

    def _counts(self) -> bool:
        """The same numbers by REST and by SOAP, under definitions that the contract names."""
        folder, fields = self._party("ministry"), {"as_of": _DAY}
        client = client_of(folder)
        request = client.prepare("waitlist.counts", fields, salted=False)
        answer = client.send(request)
        client.keep(request, answer, self._folder / "receipts")
        contract = next(one for one in load_contracts(contracts_folder()) if "waitlist.counts" in one.operations)
        keys = FileKeystore(folder, signing=[SIGNING_KEY])
        caller = SoapCaller(client, PartyFolder.load(folder), keys, SystemClock(), self._randomness)
        by_soap = caller.call(contract, "waitlist.counts", fields)
        caller.keep(by_soap, self._folder / "receipts")
        rest, soap = json.loads(answer.body), json.loads(by_soap.answer.body)
        table = Table(title=self._out.t("demo.counts", day=rest.get("counted_at", "")[:10]), title_justify="left")
        for column in ("demo.count", "demo.by_rest", "demo.by_soap"):
            table.add_column(self._out.t(column))
        for name in _COUNTS:
            table.add_row(
                self._out.t(f"demo.count.{name}"), *(self._out.number(one.get(name, 0)) for one in (rest, soap))
            )
        self._print(table)
        return (answer.status, by_soap.answer.status) == (_GOOD, _GOOD) and rest == soap

    def _notice(self) -> bool:
        """A notice to two who are down: accepted, kept, delivered when they are back; then the family's view."""
        handle = self._asked("nirec.verify", self._example("confirmed")).get("handle")
        accepted = [self._notified(handle, addressee) for addressee in ADDRESSEES]
        with self._back("ministry", self._ports.ministry_control), self._back("benefits", self._ports.benefits_control):
            delivered = self._until(lambda: self._waiting() == 0)
        self._out.say("demo.delivered" if delivered else "demo.not_delivered")
        return all(accepted) and delivered and self._family(str(handle))

    def _notified(self, handle: object, addressee: str) -> bool:
        notice = {"handle": handle, "addressee": addressee, "event": "offered", "date": _DAY}
        said = self._asked("placement.notify", {**notice, "permit": "9172-6438", "region": "06"})
        self._out.say(f"demo.accepted.{addressee}", delivery=said.get("delivery", "—"))
        return said.get("outcome") == "accepted"

    def _back(self, name: str, control: int) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """An addressee's service, which was down so far."""
        log = self._folder / "sandbox" / f"{name}-notices" / "sandbox.jsonl"
        arguments = ["sandbox", name, "--keep", "--config", self._config]
        return child(name, arguments, log, f"http://127.0.0.1:{control}/counter")

    def _family(self, handle: str) -> bool:
        told = self._asked("family.view", {"handle": handle}).get("disclosures", [])
        language = self._out.t.language
        table = Table(title=self._out.t("demo.family"), title_justify="left")
        for column in ("demo.family.when", "demo.family.who", "demo.family.what", "demo.family.why"):
            table.add_column(self._out.t(column))
        for one in told:
            who, what = (one.get(f"{name}_{language}", one.get(name, "")) for name in ("party", "operation"))
            table.add_row(one["at"][:16].replace("T", "\u00a0"), who, what, one["purpose"])
        self._print(table)
        for one in told:
            if one["operation"] == "ministry.notice":
                fields = "; ".join(one[f"fields_{language}"])
                self._out.say("demo.family.told", party=one[f"party_{language}"], fields=fields)
        # the cooperative asked for it, and both were told: all of it stands there
        return {"placement.notify", "ministry.notice", "benefits.notice"} <= {one["operation"] for one in told}

    def _asked(self, operation: str, fields: dict[str, Any]) -> dict[str, Any]:
        """What the cooperative is answered; the answer is kept."""
        client = client_of(self._party("cooperative"))
        salted = operation != "family.view"
        salt = {"salt": b64encode(self._randomness.bytes(_SALT_BYTES)).decode()} if salted else {}
        request = client.prepare(operation, {**fields, **salt}, salted=salted)
        answer = client.send(request)
        client.keep(request, answer, self._folder / "receipts")
        body: dict[str, Any] = json.loads(answer.body)
        return body

    def _example(self, name: str) -> dict[str, Any]:
        path = self._party("cooperative") / "requests" / f"{name}.json"
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return fields

    def _party(self, name: str) -> Path:
        return self._folder / "sandbox" / "parties" / name

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", "gateway.cli.main", *arguments]
        line += ["--as", "cooperative", "--dir", str(self._folder), "--json"]
        return subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
        )

    def _waiting(self) -> int:
        line = [sys.executable, "-m", "gateway.cli.main", "outbox", "list", "--json", "--config", self._config]
        said = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
        return sum(one["waiting"] for one in json.loads(said)["parties"])

    @staticmethod
    def _counter(control: int) -> int:
        session = requests.Session()
        session.trust_env = False
        return int(session.get(f"http://127.0.0.1:{control}/counter", timeout=5).json()["requests"])

    @staticmethod
    def _until(condition: Callable[[], bool]) -> bool:
        clock = SystemClock()
        end = clock.monotonic() + _PATIENCE
        while clock.monotonic() < end:
            with suppress(requests.RequestException, ValueError):
                if condition():
                    return True
            time.sleep(_LOOK)
        return False

    def _print(self, table: Table) -> None:
        if not self._out.as_json:
            self._out.console.print(table)
