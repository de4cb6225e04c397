"""The bodies that a party kept, against opened evidence (L12): digests, and the handle in its answer."""

from __future__ import annotations

import shutil
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.audit.audit import Beside, audit
from gateway.audit.counts import KeptCount
from gateway.audit.verdict import Fault, Unproven, Verdict
from gateway.errors import ConfigurationError
from gateway.signing.digest import content_digest
from gateway.system import SystemClock
from tests.audit.answered import KeepingParty
from tests.audit.forge import Forger
from tests.audit.gateway_run import Gateway
from tests.signing.drafts import fresh_salt

if TYPE_CHECKING:
    from pathlib import Path


class Run:
    def __init__(self, folder: Path) -> None:
        self.gateway = Gateway(folder / "gateway")
        self.log, self.trust = self.gateway.settings.folders.log, self.gateway.folder / "trust"
        self.party = KeepingParty(self.gateway, "ministry", folder / "receipts")
        self.echoed = self.party.echo(agreement="ESSAI-MIN", purpose="essai")
        self.verified = self.party.verify(fresh_salt())
        self.denied = self.party.echo(agreement="NONE")
        self.replayed = self.party.sent(self.echoed.request)
        self.gateway.worker.close()
        self.gateway.sequence()
        self.gateway.sequence()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def bodies(run: Run, tmp_path: Path) -> Path:
    return shutil.copytree(run.party.bodies, tmp_path / "bodies")


def compared(run: Run, bodies: Path, log: Path | None = None, trust: Path | None = None) -> Verdict:
    return audit(log or run.log, trust or run.trust, beside=Beside(SystemClock().now(), kept=bodies))


def found(verdict: Verdict) -> list[tuple[Fault, str]]:
    return [(item.code, item.file) for item in verdict.findings]


def test_what_a_party_kept_is_what_the_log_tells_of(run: Run, bodies: Path) -> None:
    verdict = compared(run, bodies)
    assert verdict.findings == ()
    # two exchanges and a refusal whole; of a replay the answer alone, since C6 keeps no digest of its request
    assert verdict.kept == KeptCount(compared=7, uncovered=1)
    assert audit(run.log, run.trust).kept is None


def test_bodies_are_kept_for_their_owner_only(run: Run) -> None:
    assert {stat.S_IMODE(path.stat().st_mode) for path in run.party.bodies.iterdir()} == {0o600}
    assert stat.S_IMODE(run.party.bodies.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("part", "fault"), [("request", Fault.KEPT_REQUEST_DIFFERS), ("answer", Fault.KEPT_ANSWER_DIFFERS)]
)
@pytest.mark.parametrize("which", ["echoed", "verified", "denied"])
def test_a_body_that_is_not_the_one_signed(run: Run, bodies: Path, part: str, fault: Fault, which: str) -> None:
    path = bodies / f"{getattr(run, which).exchange_id}.{part}.json"
    path.write_bytes(path.read_bytes() + b"\n")
    verdict = compared(run, bodies)
    assert found(verdict) == [(fault, f"kept/{path.name}")]
    assert verdict.kept == KeptCount(compared=6, uncovered=1, failed=1)


def test_another_handle_than_evidence_tells_of(run: Run, bodies: Path, tmp_path: Path) -> None:
    """The gateway's evidence names another child than its answer did: the digest holds, the handle does not."""
    forger = Forger(run.gateway)
    items = forger.copy()
    item = next(item for item in items if str(item.leaf.exchange_id) == run.verified.exchange_id)
    forger.change(item, lambda evidence: evidence["subjects"][0].update(handle="0" * 64))
    name = f"kept/{run.verified.exchange_id}.answer.json"
    assert found(compared(run, bodies, forger.write(items, tmp_path))) == [(Fault.KEPT_HANDLE_DIFFERS, name)]


def test_an_answer_that_evidence_calls_another(run: Run, bodies: Path, tmp_path: Path) -> None:
    forger = Forger(run.gateway)
    items = forger.copy()
    item = next(item for item in items if str(item.leaf.exchange_id) == run.verified.exchange_id)
    other = content_digest(b"{}")
    forger.change(item, lambda evidence: evidence["answer"].update(content_digest=other))
    name = f"kept/{run.verified.exchange_id}.answer.json"
    assert found(compared(run, bodies, forger.write(items, tmp_path))) == [(Fault.KEPT_ANSWER_DIFFERS, name)]


def test_bodies_without_a_counterpart_are_counted(run: Run, bodies: Path) -> None:
    absent = "11111111-1111-4111-8111-111111111111"
    (bodies / f"{absent}.request.json").write_text("{}")
    (bodies / "notes.txt").write_text("no body")
    verdict = compared(run, bodies)
    assert found(verdict) == [(Fault.KEPT_MISSING, f"kept/{absent}.request.json")]
    assert verdict.kept == KeptCount(compared=7, uncovered=1, absent=1, ignored=1)
    assert {Unproven.KEPT_NOT_COMPARED, Unproven.FILES_IGNORED} <= set(verdict.unproven)


@pytest.mark.parametrize(("which", "key"), [("kept", "kept_empty"), ("receipts", "receipts_empty")])
def test_nothing_to_compare_is_no_success(run: Run, tmp_path: Path, which: str, key: str) -> None:
    (tmp_path / "notes.txt").write_text("no body")
    beside = replace(Beside(SystemClock().now()), **{which: tmp_path})  # type: ignore[arg-type]  # either of two folders
    with pytest.raises(ConfigurationError) as raised:
        audit(run.log, run.trust, beside=beside)
    assert raised.value.key == key


def test_a_folder_that_is_no_log(run: Run, tmp_path: Path) -> None:
    for folder, key in ((tmp_path, "not_a_log"), (run.log.parent, "not_a_log_but")):
        with pytest.raises(ConfigurationError) as raised:
            audit(folder, run.trust)
        assert raised.value.key == key


def test_without_the_period_key_nothing_is_compared(run: Run, bodies: Path, tmp_path: Path) -> None:
    trust = shutil.copytree(run.trust, tmp_path / "trust")
    shutil.rmtree(trust / "periods")
    verdict = compared(run, bodies, trust=trust)
    assert verdict.holds
    assert verdict.kept == KeptCount(sealed=8)


def test_a_body_that_cannot_be_read(run: Run, bodies: Path) -> None:
    path = bodies / f"{run.echoed.exchange_id}.request.json"
    path.unlink()
    path.mkdir()
    assert found(compared(run, bodies)) == [(Fault.UNFORESEEN, f"kept/{path.name}")]
