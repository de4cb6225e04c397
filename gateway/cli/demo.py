"""`passerelle demo`: the whole main job on this machine, told as a short story (DESIGN, section 3)."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.table import Table

from certs.authority import DevAuthority
from certs.files import write_private, write_public
from certs.profiles import Profile
from gateway.audit.audit import Beside, audit, remember
from gateway.cli.call import client_of
from gateway.cli.demo_officers import DemoOfficers
from gateway.cli.demo_registry import RegistryChapter
from gateway.cli.output import Exit
from gateway.cli.processes import child, free_ports, switch_registry
from gateway.client.client import UnreachableError
from gateway.development import MARKER, Development
from gateway.errors import ConfigurationError
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.cli.output import Output
    from gateway.client.client import PartyClient
    from gateway.client.signer import SignedRequest
    from gateway.client.verifier import VerifiedAnswer

_ECHO, _VERIFY = "echo", "nirec.verify"
_WITHIN = 10.0
_RELEASED, _REFUSED = 200, 403


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the story's table."""

    title: str
    party: str
    status: str
    result: str
    index: str


class Demo:
    """Sets itself up in a folder of its own, runs the exchanges, audits, then breaks a copy."""

    def __init__(self, output: Output, folder: Path, registrations: int) -> None:
        """``registrations``: how many the cooperative's registry holds."""
        self._out = output
        self._folder = folder
        self._registrations = registrations
        self._ports = free_ports()
        self._rows: list[Row] = []
        self._acknowledged = 0
        self._clock = SystemClock()

    def run(self) -> Exit:
        """The whole story; exit 0 only if every exchange went as it must and both audits said what they must."""
        began = self._clock.monotonic()
        self._wipe()
        self._out.say("demo.welcome", folder=self._folder)
        Development(self._folder, self._ports, self._clock, SystemRandomness()).create(
            registrations=self._registrations
        )
        self._out.say("demo.made", registrations=self._out.number(self._registrations))
        config = str(self._folder / "passerelle.toml")
        logs = self._folder / "gateway" / "logs"
        control = f"http://127.0.0.1:{self._ports.control}/counter"
        health = f"http://127.0.0.1:{self._ports.health}/readyz"
        sandbox_log = self._folder / "sandbox" / "civil-registry" / "sandbox.jsonl"
        cooperative_log = self._folder / "sandbox" / "cooperative" / "sandbox.jsonl"
        cooperative = f"http://127.0.0.1:{self._ports.cooperative_control}/counter"
        with (
            child("sandbox", ["sandbox", "civil-registry", "--keep", "--config", config], sandbox_log, control),
            child(
                "cooperative", ["sandbox", "cooperative", "--keep", "--config", config], cooperative_log, cooperative
            ),
            child("gateway", ["serve", "--config", config], logs / "console.log", health),
        ):
            self._out.say("demo.running", gateway=self._ports.gateway, registry=self._ports.registry)
            as_expected = self._exchanges()
            self._show()
            self._out.say("demo.acknowledged", count=self._acknowledged)
            as_expected = RegistryChapter(self._out, self._folder, self._ports).run() and as_expected
        sound = self._audit() and self._audit_of_a_broken_copy()
        seconds = round(self._clock.monotonic() - began, 1)
        good = as_expected and sound
        self._out.result({"holds": good, "seconds": seconds, "exchanges": [row.title for row in self._rows]})
        self._out.say("demo.end" if good else "demo.failed", seconds=seconds, folder=self._folder)
        return Exit.HOLDS if good else Exit.OURS

    def _wipe(self) -> None:
        # Only what an earlier demo made, and said so itself, is ever removed.
        if self._folder.exists() and any(self._folder.iterdir()):
            if not (self._folder / MARKER).is_file():
                raise ConfigurationError("not_a_demo", path=self._folder, marker=MARKER)
            shutil.rmtree(self._folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_public(self._folder / MARKER, b"made by passerelle demo, and wiped by the next one\n")

    def _exchanges(self) -> bool:
        cooperative, ministry = self._client("cooperative"), self._client("ministry")
        results = [
            self._call("demo.echo", "cooperative", cooperative, "echo", 200, "message"),
            self._call("demo.confirmed", "cooperative", cooperative, "confirmed", 200, "confirmed"),
            self._call("demo.wrong_name", "cooperative", cooperative, "wrong_name", 200, "not_confirmed"),
            self._call("demo.unknown", "cooperative", cooperative, "unknown", 200, "not_confirmed"),
            self._call("demo.unknown_ministry", "ministry", ministry, "unknown", 200, "not_found"),
            self._call("demo.namesake", "cooperative", cooperative, "namesake", 200, "not_confirmed"),
            self._call("demo.same_child", "ministry", ministry, "confirmed", 200, "confirmed"),
            self._registry_down(cooperative),
            self._wrong_certificate(),
            self._key_of_another(),
            self._replay(cooperative),
            self._tampered(cooperative),
            self._suspended(ministry),
        ]
        return all(results)

    def _client(self, party: str) -> PartyClient:
        return client_of(self._folder / "sandbox" / "parties" / party)

    def _prepared(self, client: PartyClient, party: str, example: str) -> SignedRequest:
        path = self._folder / "sandbox" / "parties" / party / "requests" / f"{example}.json"
        operation = _ECHO if example == "echo" else _VERIFY
        fields = json.loads(path.read_text(encoding="utf-8"))
        return client.prepare(operation, fields, salted=operation == _VERIFY)

    def _call(self, key: str, party: str, client: PartyClient, example: str, status: int, expected: str) -> bool:
        request = self._prepared(client, party, example)
        return self._send(key, party, client, request, status, expected)

    def _send(
        self, key: str, party: str, client: PartyClient, request: SignedRequest, status: int, expected: str
    ) -> bool:
        answer = client.send(request)
        path = client.keep(request, answer, self._folder / "receipts")
        place = client.prove(answer, within=_WITHIN)
        if place is not None:
            path.with_suffix(".jws").write_text(place.receipt, encoding="ascii")
        result = _result(answer)
        acknowledged = answer.status != _RELEASED or self._acknowledge(client, request, answer)
        index = "—" if place is None else str(place.index)
        self._rows.append(Row(self._out.t(key), party, str(answer.status), result, index))
        return answer.status == status and result == expected and place is not None and acknowledged

    def _acknowledge(self, client: PartyClient, request: SignedRequest, answer: VerifiedAnswer) -> bool:
        handle = json.loads(answer.body).get("handle")
        made = client.acknowledge(request, answer, handle=handle)
        client.keep(made.request, made.answer, self._folder / "receipts")
        self._acknowledged += made.answer.status == _RELEASED
        return made.answer.status == _RELEASED

    def _registry_down(self, client: PartyClient) -> bool:
        switch_registry(self._ports.control, "down")
        try:
            return self._call("demo.down", "cooperative", client, "confirmed", 503, "upstream_unavailable")
        finally:
            switch_registry(self._ports.control, "normal")

    def _replay(self, client: PartyClient) -> bool:
        request = self._prepared(client, "cooperative", "echo")
        client.send(request)
        return self._send("demo.replay", "cooperative", client, request, 409, "replayed")

    def _tampered(self, client: PartyClient) -> bool:
        request = self._prepared(client, "cooperative", "confirmed")
        tampered = replace(request, body=request.body.replace(b"20", b"19", 1))
        return self._send("demo.tampered", "cooperative", client, tampered, 400, "digest_mismatch")

    def _suspended(self, ministry: PartyClient) -> bool:
        officers = DemoOfficers(self._out, self._folder, self._clock)
        request = self._prepared(ministry, "ministry", "confirmed")
        if not officers.suspend("ministry"):
            return False
        answer = ministry.send(request)
        ministry.keep(request, answer, self._folder / "receipts")
        # signed and recorded too; a proof is for parties that are let in
        self._rows.append(Row(self._out.t("demo.suspended"), "ministry", str(answer.status), _result(answer), "—"))
        return (
            (answer.status, _result(answer)) == (_REFUSED, "party_suspended")
            and officers.reinstate("ministry")
            and self._call("demo.reinstated", "ministry", ministry, "confirmed", 200, "confirmed")
        )

    def _wrong_certificate(self) -> bool:
        # A stranger: a certificate like ours in everything, from an authority that the policy does not name.
        stranger = DevAuthority("stranger", self._clock.now().replace(microsecond=0))
        issued = stranger.issue(Profile.TLS_CLIENT, ["cooperative.passerelle.test"])
        folder = self._impostor_folder("stranger")
        write_public(folder / "tls.pem", issued.pem + stranger.issuing.pem)
        write_private(folder / "tls.key", issued.key_pem)
        client = client_of(folder)
        try:
            client.send(self._prepared(client, "cooperative", "echo"))
        except UnreachableError:
            self._rows.append(Row(self._out.t("demo.stranger"), "—", "—", self._out.t("demo.no_handshake"), "—"))
            return True
        return False

    def _key_of_another(self) -> bool:
        folder = self._impostor_folder("mixed")
        for name in ("tls.pem", "tls.key"):
            shutil.copy2(self._folder / "sandbox" / "parties" / "ministry" / name, folder / name)
        # Whoever holds the TLS certificate is the party, and the receipt is theirs.
        about = folder / "party.toml"
        named = about.read_text(encoding="utf-8").replace('name = "cooperative"', 'name = "ministry"', 1)
        about.write_text(named, encoding="utf-8")
        client = client_of(folder)
        request = self._prepared(client, "cooperative", "echo")
        return self._send("demo.another_key", "ministry", client, request, 403, "key_of_another_party")

    def _impostor_folder(self, name: str) -> Path:
        # The cooperative's folder, but for its TLS certificate and key.
        folder = self._folder / "sandbox" / "parties" / name
        left_out = shutil.ignore_patterns("bodies", "requests", "tls.*")
        shutil.copytree(self._folder / "sandbox" / "parties" / "cooperative", folder, ignore=left_out)
        return folder

    def _show(self) -> None:
        if self._out.as_json:
            return
        table = Table(title=self._out.t("demo.table"), title_justify="left")
        for column in ("demo.what", "demo.who", "demo.http", "demo.result", "demo.leaf"):
            table.add_column(self._out.t(column))
        for row in self._rows:
            table.add_row(row.title, row.party, row.status, row.result, row.index)
        self._out.console.print(table)

    def _audit(self) -> bool:
        trust = self._folder / "trust"
        beside = Beside(self._clock.now(), receipts=self._folder / "receipts")
        verdict = audit(self._folder / "gateway" / "log", trust, beside=beside)
        if not verdict.holds:
            self._out.say("demo.audit_fails", finding=verdict.findings[0])
            return False
        remember(verdict, trust)
        facts = verdict.facts
        refusals = sum(count for _, count in facts.refusals)
        self._out.say("demo.audit", exchanges=facts.exchanges, refusals=refusals, size=facts.size, root=facts.root[:16])
        if verdict.receipts is not None:
            self._out.say("demo.receipts", held=verdict.receipts.held, unacknowledged=facts.unacknowledged)
        return True

    def _audit_of_a_broken_copy(self) -> bool:
        copy = self._folder / "broken-copy"
        shutil.copytree(self._folder / "gateway" / "log", copy)
        try:
            victim = max(
                (path for path in (copy / "evidence").rglob("*") if path.is_file()), key=lambda path: path.name
            )
            content = bytearray(victim.read_bytes())
            place = len(content) // 2
            content[place] ^= 1
            victim.chmod(0o644)
            victim.write_bytes(content)
            verdict = audit(copy, self._folder / "trust")
        finally:
            shutil.rmtree(copy)
        name = victim.relative_to(copy)
        self._out.say("demo.flip", file=name, place=place)
        found = [item for item in verdict.findings if item.file == name.as_posix()]
        if verdict.holds or not found:
            self._out.say("demo.flip_missed")
            return False
        first = found[0]
        self._out.say(
            "demo.flip_found",
            text=self._out.t(f"audit.fault.{first.code}"),
            file=first.file,
            exchange_id=first.exchange_id or "—",
        )
        return True


def _result(answer: VerifiedAnswer) -> str:
    body = json.loads(answer.body)
    for name in ("code", "outcome"):
        if name in body:
            return str(body[name])
    return ", ".join(sorted(body))
