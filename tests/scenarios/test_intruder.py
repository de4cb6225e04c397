"""The role play of issue 4: root on the database, and whoever has the gateway's files, get not one field more.

What they would like is that the ministry may ask for a purpose that nobody agreed to. They have everything but the
officers' keys; the audit shows what they tried.
"""

from __future__ import annotations

import json
import shutil
import ssl
import urllib.request
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from certs.authority import DevAuthority
from certs.files import write_private, write_public
from certs.profiles import Profile
from gateway.audit.audit import audit
from gateway.audit.verdict import Fault
from gateway.cli.main import run
from gateway.ledger.note import LogKey
from gateway.ledger.policy_published import PublishedActs
from gateway.system import SystemClock
from tests.adapters.fakes import until
from tests.audit.test_policy_change import spoilt
from tests.exchange.live import LiveGateway, read_issued
from tests.intruder import Root
from tests.officers import Officers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.audit.verdict import Verdict

WANTED = "autre"
#: Workers look four times a second; the rest is for a busy machine.
SECONDS = 8.0
_REFUSED = 1


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[LiveGateway]:
    made = LiveGateway(tmp_path / "set-up")
    yield made
    made.close()


def widened(bundle: dict[str, Any]) -> None:
    """What the intruder is after."""
    bundle["agreements"]["ESSAI-MIN"]["purposes"].append(WANTED)


def suspended(bundle: dict[str, Any]) -> None:
    bundle["parties"]["ministry"]["suspended"] = True


def asks(gateway: LiveGateway, **changes: Any) -> str:
    """What the ministry is told: ``released``, or the code of the refusal."""
    shown = gateway.exchange(gateway.draft(**changes).signed())
    return "released" if shown.status == 200 else str(shown.json()["code"])


def lines(gateway: LiveGateway) -> list[dict[str, Any]]:
    paths = (gateway.folder / "gateway" / "logs").glob("*.jsonl")
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def told(gateway: LiveGateway) -> set[str]:
    """The reasons of the attempts that the processes' logs tell of."""
    return {line["reason"] for line in lines(gateway) if line["event"] == "policy_refused"}


def rings(gateway: LiveGateway, alarm: str) -> bool:
    """Whether the supervisor's metrics say so."""
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.ports.health}/metrics", timeout=30) as answer:
        return f'passerelle_alarm{{alarm="{alarm}"}} 1.0' in answer.read().decode()


def published(gateway: LiveGateway) -> tuple[bytes, ...]:
    """The leaves about the policy in the published log."""
    key = LogKey.parse((gateway.folder / "trust" / "log.vkey").read_text())
    return PublishedActs(gateway.folder / "gateway" / "log", key).leaves()


def audited(gateway: LiveGateway) -> Verdict:
    return audit(gateway.folder / "gateway" / "log", gateway.folder / "trust")


def does_not_start(gateway: LiveGateway) -> bool:
    """Whether `serve` ends by itself, because the ledger is not what it must be."""
    process = gateway.spawn("serve")
    try:
        return process.wait(40) == _REFUSED
    finally:
        process.kill()
        process.wait()


def test_root_on_the_database(gateway: LiveGateway, tmp_path: Path) -> None:
    officers, root = Officers(gateway.folder), Root(gateway.folder)
    database = gateway.folder / "gateway" / "db"
    shutil.copytree(database, tmp_path / "old")
    gateway.start()
    assert asks(gateway) == "released"
    assert asks(gateway, purpose=WANTED) == "purpose_not_agreed"

    # 1  he inserts a policy of his own, proposed, approved and activated
    before = officers.content()
    his = officers.next(widened)
    approvals = [spoilt(document) for document in officers.approvals(his)]
    root.put(his)
    for name, given in (("proposed", []), ("approved", approvals[:1]), ("activated", approvals)):
        root.act(name, his, given)
    assert until(lambda: "approval_signature_wrong" in told(gateway), SECONDS)
    assert asks(gateway, purpose=WANTED) == "purpose_not_agreed"
    assert until(lambda: rings(gateway, "policy_refused"), SECONDS)

    # 2  he replaces the bytes of the policy in force
    root.put(his, sha256(before).hexdigest())
    assert asks(gateway, purpose=WANTED) == "purpose_not_agreed"
    root.put(before)

    # 3  the officers suspend the party, and he takes the newest activation away
    officers.change(suspended)
    assert until(lambda: asks(gateway) == "party_suspended", SECONDS)
    newest = root.leaf(next(root.acts()))
    assert until(lambda: newest in published(gateway), 2 * SECONDS)
    root.delete(next(root.acts()))
    assert until(lambda: "acts_missing" in told(gateway), SECONDS)
    assert asks(gateway) == "party_suspended"

    # 4  and starts everything anew with an old copy of the database
    assert gateway.stop() == 0
    shutil.rmtree(database)
    shutil.copytree(tmp_path / "old", database)
    assert does_not_start(gateway)

    # and the log, which he cannot take back, shows it
    verdict = audited(gateway)
    assert Fault.POLICY_NOT_APPROVED in {finding.code for finding in verdict.findings}
    assert {"approval_signature_wrong", "acts_missing"} <= {attempt.reason for attempt in verdict.facts.attempts}
    assert [change.version for change in verdict.facts.policies] == [2]


def test_the_gateways_files_without_the_officers_keys(
    gateway: LiveGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    officers = Officers(gateway.folder)
    his = officers.next(widened)
    # 1  he edits policy.yaml, adds a signer's certificate and an authority of his own, and has it all started
    (gateway.folder / "gateway" / "policy.yaml").write_bytes(his)
    evil, host = DevAuthority("ministry", SystemClock().now()), ["ministry.passerelle.test"]
    signer, client = evil.issue(Profile.SIGNING, host), evil.issue(Profile.TLS_CLIENT, host)
    write_public(gateway.keys / "signers" / "ministry.more.pem", signer.pem)
    (gateway.keys / "authorities" / "ministry.pem").write_bytes(evil.root.pem)
    for kind, crl in zip(("root", "issuing"), evil.revocation_lists(), strict=True):
        write_public(gateway.keys / "revocation" / f"ministry.evil-{kind}.crl", crl)
    gateway.start()
    assert asks(gateway) == "released"
    assert asks(gateway, purpose=WANTED) == "purpose_not_agreed"
    assert asks(gateway, key=signer) == "key_refused"
    stem = tmp_path / "evil"
    write_private(stem.with_suffix(".key"), client.key_pem)
    write_public(stem.with_suffix(".pem"), client.pem + evil.issuing.pem)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        gateway.exchange(gateway.draft(key=signer).signed(), stem)
    assert told(gateway) == {"file_differs"}
    assert until(lambda: rings(gateway, "policy_changed"), SECONDS)

    # 2  he forges an activation with our own code and keys, under signatures of his own
    forged = officers.activate(his, [spoilt(document) for document in officers.approvals(his)])
    assert until(lambda: "approval_signature_wrong" in told(gateway), SECONDS)
    assert asks(gateway, purpose=WANTED) == "purpose_not_agreed"
    assert asks(gateway) == "released"

    # 3  and the audit names it, as an auditor runs it
    assert gateway.stop() == 0
    log, trust = gateway.folder / "gateway" / "log", gateway.folder / "trust"
    assert run(["audit", "verify", str(log), "--trust", str(trust), "--json"]) == _REFUSED
    verdict = json.loads(capsys.readouterr().out)
    assert {finding["code"] for finding in verdict["findings"]} == {"policy_not_approved"}
    assert [(one["sha256"], one["reason"], one["by"]) for one in verdict["facts"]["attempts"]] == [
        (forged, "file_differs", "start"), (forged, "approval_signature_wrong", "worker"),
    ]  # fmt: skip
    assert verdict["facts"]["policies"] == []
    assert read_issued(gateway.keys / "signing").der  # the gateway's own keys he had all the while
