"""Notices from their acceptance to the ministry's own database, and what the audit makes of it (decision 0033)."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from gateway.audit.verdict import Fault
from gateway.cli.main import run
from gateway.client.signer import RequestSigner
from gateway.development import Ports
from gateway.dispatcher import Dispatcher
from gateway.sandboxes import run_sandbox
from tests.adapters.fakes import free_port, until
from tests.audit.asked import Asked
from tests.audit.bench import Bench
from tests.audit.forge import Forger
from tests.audit.gateway_run import NIREC_TARGET, Gateway, keystore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway.notices import Outcome

NOTIFY, NOTICE = "placement.notify", "ministry.notice"
AGREEMENT = "ENT-2026-20"
OUTSIDE = "rien de tel"
RETURNS = "la suspension sera levée"
UNREAD = "clé perdue"
PERMIT = "9172-6438"
KEY = str(UUID(int=17, version=4))


class Post:
    """A gateway in this process, its dispatcher beside it, and a ministry that is away at first."""

    def __init__(self, folder: Path) -> None:
        ports = Ports(ministry=free_port(), ministry_control=free_port())
        self.gateway = gateway = Gateway(folder, ports)
        self.config = folder / "passerelle.toml"
        self.log, self.trust = gateway.settings.folders.log, folder / "trust"
        self.child = self.known()
        self.accepted = [self.notify("offered"), self.notify("accepted", key=KEY)]
        self.repeated = self.notify("accepted", key=KEY)
        self.stranger = self.notify("offered", addressee="civil-registry")
        self.nobody = self.notify("offered", handle="f" * 64)
        self.dispatcher = Dispatcher(gateway.composition, threading.Event())
        self.rounds = [self.step()]
        with self.ministry():
            self.rounds += [self.step(), self.step(), self.step()]
            self.held = self.notices()
            self.view = self.seen()
            self.ended()
        gateway.worker.close()
        self.dispatcher._ends.close()
        gateway.sequence()
        gateway.sequence()

    def known(self) -> str:
        fields = {"nirec": "1" * 13, "family_name": "Fictif", "given_names": "Camille", "birth_date": "2024-02-29"}
        return str(self.asked(NIREC_TARGET, fields, "ENT-2026-01", "inscription")["handle"])

    def notify(
        self, event: str, addressee: str = "ministry", handle: str | None = None, key: str | None = None
    ) -> dict[str, Any]:
        fields = {"handle": handle or self.child, "addressee": addressee, "event": event}
        fields |= {"date": "2026-11-23", "permit": PERMIT, "region": "06"}
        return self.asked("/v1/placements", fields, "ENT-2026-15", "placement", key or str(uuid4()))

    def asked(
        self, target: str, fields: dict[str, str], agreement: str, purpose: str, key: str | None = None
    ) -> dict[str, Any]:
        salted = {**fields, "salt": b64encode(self.gateway.randomness.bytes(16)).decode()}
        request = self.gateway.sign("cooperative", target, salted, agreement=agreement, purpose=purpose, key=key)
        released = self.gateway.send("cooperative", request)
        said: dict[str, Any] = json.loads(released.body)
        return said | {"http": released.status}

    def seen(self) -> dict[str, Any]:
        """What the child's family is told."""
        gateway = self.gateway
        signer = RequestSigner(
            keystore(gateway.party("cooperative")), gateway.clock, gateway.randomness, gateway.settings.listen.origin
        )
        target = f"/v1/registrations/{self.child}/disclosures"
        request = signer.sign("GET", target, b"", agreement="ENT-2026-17", purpose="acces_famille")
        found: dict[str, Any] = json.loads(gateway.send("cooperative", request).body)
        return found

    def step(self) -> Outcome | None:
        """The next round that there is, once its pause is over."""
        found: list[Outcome | None] = []

        def done() -> bool:
            found.append(self.dispatcher.lanes[0].step())
            return found[-1] is not None

        until(done, 0.5)
        return found[-1]

    @contextmanager
    def ministry(self) -> Iterator[None]:
        stop, ready = threading.Event(), threading.Event()
        serving = threading.Thread(target=run_sandbox, args=("ministry", self.gateway.settings, stop, ready.set))
        serving.start()
        assert ready.wait(20)
        try:
            yield
        finally:
            stop.set()
            serving.join()

    def notices(self) -> list[tuple[str, ...]]:
        path = self.gateway.folder / "sandbox" / "ministry-notices" / "notices.sqlite"
        with sqlite3.connect(path) as connection:
            return connection.execute("SELECT number, event FROM notices ORDER BY place").fetchall()

    def ended(self) -> None:
        """The agreement ends while two notices wait: one is sent again in vain, then given up; the other stays."""
        self.late = [self.notify("begun")["delivery"], self.notify("ended")["delivery"]]
        self.gateway.change(lambda policy: policy["agreements"].pop(AGREEMENT))
        assert until(lambda: AGREEMENT not in self.dispatcher._in_force().bundle.agreements or self.look(), 2)
        self.dead = [self.step(), self.step()]
        self.refused = self.notify("offered")
        self.listed = self.command("outbox", "list")
        self.others = self.command("outbox", "list", "--party", "benefits")
        self.shown = self.command("outbox", "show", self.late[0])
        self.unfit = [
            self.command("outbox", "drop", self.late[0], "--reason", f"le NIREC {number}")
            for number in ("0" * 13, "0000 0000 00000", "0000-0000-00000")
        ]
        self.resent = self.command("outbox", "resend", self.late[0], "--reason", "entente renouvelée")
        self.dead.append(self.step())
        self.dropped = self.command("outbox", "drop", self.late[0], "--reason", OUTSIDE)
        self.again = self.command("outbox", "drop", self.late[0], "--reason", OUTSIDE)

        self.suspended()
        self.spoilt()

    def spoilt(self) -> None:
        """The row of what still waits does not open any more: a person gives it up, and the log tells what is known."""
        number = self.late[1]
        drop = ["outbox", "drop", number, "--reason", UNREAD]
        with sqlite3.connect(self.gateway.folder / "gateway" / "db" / "passerelle.sqlite") as connection:
            connection.execute("UPDATE outbox SET content = ? WHERE id = ?", (b"x" * 40, UUID(number).bytes))
        self.unread = [
            self.command(*drop),
            self.command("outbox", "drop", "--party", "ministry", "--dead", "--unread", "--reason", UNREAD),
            self.command(*drop, "--unread"),
            self.command(*drop, "--unread"),
        ]

    def suspended(self) -> None:
        """The ministry is suspended while a notice waits for it: that goes on waiting."""
        self.gateway.change(lambda policy: policy["parties"]["ministry"].update(suspended=True))
        assert until(lambda: self.dispatcher._in_force().bundle.parties["ministry"].suspended or self.look(), 2)
        assert self.command("outbox", "resend", self.late[1], "--reason", RETURNS) == 0
        lane = self.dispatcher.lanes[0]
        self.left_alone = [lane.step() for _ in range(3)]

    def look(self) -> bool:
        self.dispatcher._look()
        return False

    def command(self, *arguments: str) -> int:
        return run([*arguments, "--config", str(self.config), "--json"])


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Post:
    return Post(tmp_path_factory.mktemp("post") / "gateway")


@pytest.fixture
def bench(post: Post, tmp_path: Path) -> Bench:
    shutil.copytree(post.trust, tmp_path / "trust")
    return Bench(Forger(post.gateway), tmp_path / "forged", tmp_path / "trust")


def test_a_notice_reaches_a_ministry_that_was_away_once_and_in_order(post: Post) -> None:
    assert [(one["http"], one["outcome"], one["handle"]) for one in post.accepted] == [
        (200, "accepted", post.child)
    ] * 2
    assert post.rounds == ["failed", "delivered", "delivered", None]
    first, second = (one["delivery"] for one in post.accepted)
    assert post.held == [(first, "OFFERTE"), (second, "ACCEPTEE")]
    # asked for again under its key, it is the same delivery, and went out once
    assert (post.repeated["http"], post.repeated["delivery"]) == (200, second)


def test_who_takes_no_notices_and_a_child_that_is_not_known_are_refused(post: Post) -> None:
    assert (post.stranger["http"], post.stranger["code"]) == (422, "not_deliverable")
    assert (post.nobody["http"], post.nobody["code"]) == (404, "handle_unknown")
    assert post.refused["code"] == "not_deliverable"  # since the agreement is over


def test_a_person_decides_about_dead_letters_and_nothing_else(post: Post) -> None:
    assert post.dead == ["dead"] * 3
    assert (post.listed, post.shown, post.resent, post.dropped) == (1, 0, 0, 0)
    assert post.others == 0  # another party's dead letters are none of its
    assert (post.unfit, post.again) == ([2] * 3, 1)


def test_what_does_not_open_is_given_up_once_and_by_its_own_word(post: Post) -> None:
    assert post.unread == [2, 2, 0, 1]


def test_a_suspended_party_s_notices_wait_for_it(post: Post) -> None:
    assert post.left_alone == [None] * 3


def test_the_log_holds_and_tells_each_round(bench: Bench, post: Post) -> None:
    assert bench.faults() == set()
    told = [item.evidence for item in bench.items if item.leaf.kind == "delivery"]
    assert [(one["outcome"], one["reason"]) for one in told] == [
        ("failed", "upstream_unavailable"),
        ("delivered", None),
        ("delivered", None),
        ("dead", "not_agreed"),
        ("dead", "not_agreed"),
        ("resent", "entente renouvelée"),
        ("dead", "not_agreed"),
        ("dropped", OUTSIDE),
        ("resent", RETURNS),
        ("dropped", UNREAD),
    ]
    unread = told.pop()
    assert (unread["notice"], unread["subjects"], unread["delivery"]) == (None, [], post.late[1])
    assert unread["parties"]["upstream"] == "ministry"
    assert [one["delivery"] for one in told[:3]] == [one["delivery"] for one in [post.accepted[0], *post.accepted]]
    notified = [item.evidence for item in bench.items if item.evidence.get("operation") == NOTIFY]
    released = [one["exchange_id"] for one in notified if one["outcome"] == "released"]
    # the third repeated the second while that was waiting: its exchange is there, and brought no delivery of its own
    assert list(dict.fromkeys(one["notice"] for one in told)) == [*released[:2], *released[3:]]
    assert len(released) == 5
    assert {one["subjects"][0]["ledger"] for one in told} == {notified[0]["subjects"][0]["ledger"]}
    assert told[0]["subjects"][0]["handle"] != post.child


def test_an_auditor_learns_that_the_ministry_was_told_of_the_child(bench: Bench, post: Post) -> None:
    [(handle,)] = {tuple(one["handle"] for one in item.evidence["subjects"])
                   for item in bench.items if item.leaf.kind == "delivery" and item.evidence["subjects"]}  # fmt: skip
    found = Asked(post.log, post.trust).find(party="ministry").rows
    assert [(row.terms.operation, row.terms.purpose, row.terms.agreement) for row in found] == [
        (NOTICE, "placement", AGREEMENT)
    ] * 2
    assert {row.terms.fields for row in found} == {
        ("date", "delivery", "event", "expires", "handle", "permit", "region")
    }
    assert [row.subject.handle for row in found if row.subject] == [handle] * 2


def test_the_family_learns_that_the_ministry_was_told_and_of_what(bench: Bench, post: Post) -> None:
    told = [one for one in post.view["disclosures"] if one["party"] == "ministry"]
    assert [(one["operation"], one["purpose"], one["agreement"]) for one in told] == [
        (NOTICE, "placement", AGREEMENT)
    ] * 2
    assert told[0]["fields"] == ["date", "delivery", "event", "expires", "handle", "permit", "region"]
    assert (told[0]["party_fr"], told[0]["operation_fr"] != NOTICE) == ("Ministère de la Famille", True)
    proven = [item.evidence for item in bench.items if item.leaf.kind == "delivery"]
    assert {one["exchange_id"] for one in told} == {
        one["exchange_id"] for one in proven if one["outcome"] == "delivered"
    }


def test_nothing_of_a_notice_is_in_the_logs_or_the_database(post: Post) -> None:
    paths = [*(post.gateway.folder / "gateway" / "db").glob("*.sqlite*")]
    assert paths
    stored = b"".join(path.read_bytes() for path in paths)
    assert [text for text in (PERMIT, post.child, "OFFERTE") if text.encode() in stored] == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param({"purpose": "autre"}, Fault.NOT_AGREED, id="for another purpose"),
        pytest.param({"agreement": "ENT-2026-15"}, Fault.NOT_AGREED, id="under another's agreement"),
        pytest.param({"fields": ["given_names"]}, Fault.FIELDS_NOT_AGREED, id="a field that is not agreed"),
        pytest.param({"fields": ["event", "date"]}, Fault.FIELDS_NOT_AGREED, id="fields not sorted"),
        pytest.param({"fields": []}, Fault.EVIDENCE_MALFORMED, id="no field of what was sent"),
        pytest.param({"upstream": []}, Fault.EVIDENCE_MALFORMED, id="delivered without an attempt"),
        pytest.param({"reason": "expired"}, Fault.EVIDENCE_MALFORMED, id="delivered with a reason"),
        pytest.param({"outcome": "failed", "reason": "parce que"}, Fault.EVIDENCE_DIFFERS, id="a reason of no code"),
        pytest.param({"outcome": "failed", "reason": "expired"}, Fault.EVIDENCE_DIFFERS, id="expired before its time"),
        pytest.param({"expires_at": "2026-01-01T00:00:00.000000Z"}, Fault.TIME_DIFFERS, id="past its time"),
        pytest.param({"accepted_at": "2999-01-01T00:00:00.000000Z"}, Fault.TIME_DIFFERS, id="before it was accepted"),
        pytest.param({"policy": "0" * 64}, Fault.POLICY_DIFFERS, id="under another policy"),
        pytest.param({"subjects": []}, Fault.EVIDENCE_MALFORMED, id="about nobody"),
        pytest.param({"subjects": [], "notice": None}, Fault.EVIDENCE_MALFORMED, id="delivered and not opened"),
        pytest.param({"operation": "nirec.verify"}, Fault.CONTRACT_DIFFERS, id="by another operation"),
        pytest.param(
            {"parties": {"caller": "cooperative", "gateway": "passerelle", "upstream": "ministry"}},
            Fault.POLICY_DIFFERS,
            id="by another caller",
        ),
        pytest.param(
            {"parties": {"caller": "passerelle", "gateway": "passerelle", "upstream": "cooperative"}},
            Fault.CONTRACT_DIFFERS,
            id="to another party",
        ),
    ],
)
def test_what_is_not_true_of_a_delivery_is_found(bench: Bench, change: dict[str, object], fault: Fault) -> None:
    item = bench.one(NOTICE, "delivery", "delivered")
    bench.forger.change(item, lambda evidence: evidence.update(change))
    assert bench.faults() == {fault}


@pytest.mark.parametrize("operation", ["no exchange", "nirec.verify"])
def test_a_delivery_of_what_nobody_let_wait_is_found(bench: Bench, operation: str) -> None:
    others = [item.evidence["exchange_id"] for item in bench.items if item.evidence.get("operation") == operation]
    notice = others[0] if others else str(uuid4())
    bench.forger.change(bench.one(NOTICE, "delivery", "delivered"), lambda evidence: evidence.update(notice=notice))
    assert bench.faults() == {Fault.EVIDENCE_DIFFERS}


def test_a_delivery_that_tells_of_another_child_than_its_notice_is_found(bench: Bench) -> None:
    bench.forger.change(
        bench.one(NOTICE, "delivery", "delivered"), lambda evidence: evidence["subjects"][0].update(ledger="ab" * 32)
    )
    assert bench.faults() == {Fault.SUBJECTS_DIFFER}


def test_where_the_notice_itself_stays_sealed_its_delivery_is_taken(bench: Bench, tmp_path: Path) -> None:
    for key in (tmp_path / "trust" / "periods").glob("*.key"):
        key.unlink()
    assert bench.faults() == set()


def _other_answer(evidence: dict[str, Any]) -> None:
    attempt = evidence["upstream"][-1]
    attempt["answer"]["base"] = attempt["answer"]["base"].replace('"@status": 200', '"@status": 202')


def _no_answer(evidence: dict[str, Any]) -> None:
    evidence["upstream"][-1]["answer"] = None


@pytest.mark.parametrize(
    ("change", "fault"),
    [(_other_answer, Fault.UPSTREAM_SIGNATURE_INVALID), (_no_answer, Fault.UPSTREAM_DIFFERS)],
)
def test_a_delivery_that_the_ministry_did_not_sign_for_is_found(
    bench: Bench, change: Callable[[dict[str, Any]], None], fault: Fault
) -> None:
    bench.forger.change(bench.one(NOTICE, "delivery", "delivered"), change)
    assert bench.faults() == {fault}
