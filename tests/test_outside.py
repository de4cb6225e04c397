"""Witnesses and a timestamp authority of the policy, asked by a whole gateway; and the audit of what it published."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.audit import audit
from gateway.audit.verdict import Unproven
from gateway.ledger.anchoring import AnchorRule
from gateway.ledger.note import LogKey, parse_note
from gateway.outside import Halt
from gateway.watch.facts import OutsideFacts
from gateway.watch.outside import REPORT, outside
from gateway.witness.server import WitnessServer
from gateway.witness.witness import Reply
from tests.audit.gateway_run import Gateway
from tests.ledger.tsa import POLICY, Authority, TsaServer
from tests.witness.made import MadeWitness, MemoryLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.audit.verdict import Verdict

VERIFY = Path(__file__).parent / "foreign" / "verify.py"


class _KeyOnly(MemoryLog):
    """A log of which a witness knows the key."""

    def __init__(self, key: LogKey) -> None:
        super().__init__(key.name)
        self._key = key

    @property
    def key(self) -> LogKey:
        return self._key


class Confirmed:
    """A gateway whose policy names two witnesses and an authority, all of them real servers."""

    def __init__(self, folder: Path) -> None:
        self.gateway = Gateway(folder / "gateway")
        self.trust = folder / "gateway" / "trust"
        key = self.gateway.composition.log_key()
        names = ("one", "two")
        self.witnesses = [MadeWitness(folder / name, _KeyOnly(key), name=f"{name}.test/w") for name in names]
        self.down = False
        self.servers = [
            WitnessServer("127.0.0.1", 0, self.witnesses[0].witness.add_checkpoint),
            WitnessServer("127.0.0.1", 0, self._second),
        ]
        for server in self.servers:
            server.start()
        self.authority = Authority(folder / "tsa")
        self.tsa = TsaServer(self.authority)
        (self.trust / "witnesses.vkey").write_text("".join(f"{made.key.vkey}\n" for made in self.witnesses))
        (self.trust / "witnesses.k").write_text("2\n")
        (self.trust / "tsa").mkdir()
        (self.trust / "tsa" / "authority.pem").write_text(self.authority.root_pem)
        self.gateway.change(self._named)

    def _second(self, body: bytes) -> Reply:
        return Reply(503) if self.down else self.witnesses[1].witness.add_checkpoint(body)

    def _named(self, bundle: dict[str, Any]) -> None:
        pairs = zip(self.witnesses, self.servers, strict=True)
        bundle["witnessing"] = {
            "quorum": 2,
            "when_missing": "open",
            "witnesses": {
                name: {"vkey": made.key.vkey, "url": f"http://127.0.0.1:{server.port}", "organisation": name}
                for name, (made, server) in zip(("one", "two"), pairs, strict=True)
            },
        }
        named = {"url": self.tsa.url, "root": self.authority.root_pem, "policy": POLICY}
        bundle["timestamping"] = {"authorities": {"authority": named}, "halt_after_minutes": 30}

    def audited(self) -> Verdict:
        return audit(self.gateway.settings.folders.log, self.trust)

    def holds_for_a_stranger(self, log: Path | None = None) -> bool:
        """What the verifier that was written from docs/formats.md alone says of the log, or of this copy of it."""
        command = [sys.executable, "-s", str(VERIFY), str(log or self.gateway.settings.folders.log), str(self.trust)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def report(self) -> OutsideFacts:
        return outside(self.gateway.settings.folders.logs / REPORT, datetime.now(UTC))  # noqa: TID251  real processes

    def close(self) -> None:
        self.gateway.worker.close()
        for server in self.servers:
            server.stop()
        self.tsa.stop()
        for made in self.witnesses:
            made.memory.close()


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Confirmed]:
    made = Confirmed(tmp_path_factory.mktemp("confirmed"))
    yield made
    made.close()


def test_a_log_that_witnesses_and_an_authority_confirm(confirmed: Confirmed) -> None:
    gateway = confirmed.gateway
    for _ in range(3):
        gateway.echo()
        gateway.sequence()
    log = gateway.settings.folders.log
    note = (log / "checkpoint").read_bytes()
    assert [line.name for line in parse_note(note).signatures][1:] == ["one.test/w", "two.test/w"]
    kept = sorted(path.suffix for path in (log / "anchors").iterdir())
    assert kept == [".checkpoint"] * 3 + [".tsr"] * 3
    verdict = confirmed.audited()
    assert verdict.findings == ()
    assert {Unproven.NO_TIMESTAMPS, Unproven.NO_WITNESSES}.isdisjoint(verdict.unproven)
    assert confirmed.report() == OutsideFacts(quorum=2, cosigned=("one", "two"))
    assert confirmed.holds_for_a_stranger()


@pytest.mark.parametrize("suffix", [".checkpoint", ".tsr"])
def test_a_stranger_sees_a_side_file_that_is_changed_or_gone(confirmed: Confirmed, tmp_path: Path, suffix: str) -> None:
    for _ in range(2):
        confirmed.gateway.echo()
        confirmed.gateway.sequence()
    log = shutil.copytree(confirmed.gateway.settings.folders.log, tmp_path / "log")
    first = min(path for path in (log / "anchors").iterdir() if path.suffix == suffix)
    content = first.read_bytes()
    assert confirmed.holds_for_a_stranger(log)
    first.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    assert not confirmed.holds_for_a_stranger(log)
    first.unlink()
    assert not confirmed.holds_for_a_stranger(log)


def test_they_are_missed_and_come_back(confirmed: Confirmed) -> None:
    gateway = confirmed.gateway
    confirmed.tsa.down = True
    confirmed.down = True
    gateway.echo()
    gateway.sequence()
    report = confirmed.report()
    assert (report.cosigned, dict(report.witnesses_failed)) == (("one",), {"two": "http_503"})
    assert dict(report.authorities_failed) == {"authority": "http_503"}
    assert report.missing_seconds is not None
    assert report.untimestamped_seconds is not None
    assert [one.code.value for one in confirmed.audited().findings] == ["cosignatures_missing"]
    assert not confirmed.holds_for_a_stranger()
    confirmed.tsa.down = False
    confirmed.down = False
    gateway.echo()
    gateway.sequence()
    assert confirmed.audited().findings == ()
    assert confirmed.report() == OutsideFacts(quorum=2, cosigned=("one", "two"))


def test_a_halt_is_a_refusal_that_is_recorded_and_that_the_audit_believes(confirmed: Confirmed) -> None:
    gateway = confirmed.gateway
    gateway.worker._halt._holds = True
    refused = gateway.echo()
    assert refused.status == 503
    assert json.loads(refused.body)["code"] == "timestamp_too_old"
    gateway.worker._halt._holds = False
    assert gateway.echo().status == 200
    gateway.sequence()
    verdict = confirmed.audited()
    assert verdict.findings == ()
    assert ("timestamp_too_old", 1) in verdict.facts.refusals


@dataclass
class Watched:
    """A clock, and what waits for a timestamp since when."""

    at: datetime
    since: datetime | None = None
    asked: int = 0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def waiting_since(self) -> datetime | None:
        self.asked += 1
        return self.since


def test_a_halt_holds_from_the_oldest_record_s_age_on_and_no_longer() -> None:
    world = Watched(datetime(2026, 11, 23, tzinfo=UTC))
    rule = AnchorRule(halt_after=timedelta(minutes=30))
    halt = Halt(lambda: rule, world, world)  # type: ignore[arg-type]  # what it asks of Anchors
    held = []
    world.since = world.at
    for minutes in (0, 30, 31, 32):
        world.at = datetime(2026, 11, 23, 0, minutes, tzinfo=UTC)
        halt.look()
        held.append(halt.holds())
    world.since = None
    world.at += timedelta(minutes=1)
    halt.look()
    assert (held, halt.holds()) == ([False, False, True, True], False)
    halt.look()
    assert world.asked == 5  # at most every few seconds
    # and a policy without a limit never halts, nor asks
    rule = AnchorRule()
    world.since, world.at = world.at - timedelta(days=1), world.at + timedelta(minutes=1)
    halt.look()
    assert (halt.holds(), world.asked) == (False, 5)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"witnesses": 1}', '{"witnesses": {"quorum": "x"}}', '{"timestamps": {"waiting_since": "no"}}'],
)
def test_a_report_that_cannot_be_read_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / REPORT).write_text(text)
    assert outside(tmp_path / REPORT, datetime(2026, 11, 23, tzinfo=UTC)) == OutsideFacts()
