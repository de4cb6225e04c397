"""Whatever the database offers, a process moves along the officers' chain alone; and the switch follows it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from gateway.composition import Composition
from gateway.development import Development, Ports
from gateway.errors import ConfigurationError, LedgerError, StorageUnavailableError
from gateway.in_force import MOST_NOTED, Attempt
from gateway.ledger.encoding import canonical_json
from gateway.ledger.storage import PolicyRows
from gateway.settings import load_settings
from gateway.storage import open_database
from gateway.system import SystemClock, SystemRandomness
from tests.audit.test_policy_change import spoilt
from tests.intruder import Root
from tests.officers import Officers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.in_force import Follower


@dataclass
class MovedClock:
    """The system's clock, moved by as much as a test says."""

    ahead: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return SystemClock().now() + self.ahead

    def monotonic(self) -> float:
        return SystemClock().monotonic()


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "set-up"
    Development(folder, Ports(), SystemClock(), SystemRandomness()).create(births=300)
    return folder


@dataclass
class Followed:
    """A process that follows a set-up of a test's own."""

    folder: Path
    clock: MovedClock = field(default_factory=MovedClock)

    def __post_init__(self) -> None:
        settings = load_settings(self.folder / "passerelle.toml", {})
        self.officers, self.root = Officers(self.folder), Root(self.folder)
        self.composition = Composition(settings, self.clock, SystemRandomness())
        self.database = open_database(self.composition.url, durable=False)
        self.rows = PolicyRows(self.database)

    @property
    def follower(self) -> Follower:
        return self.composition.follower

    @property
    def version(self) -> int:
        return self.follower.current.bundle.version

    def follow(self) -> bool:
        return self.follower.follow(self.rows)

    def attempts(self) -> list[str]:
        return [attempt.reason for attempt in self.follower.attempts()]

    def again(self) -> Followed:
        """Another process, which begins now."""
        self.database.dispose()
        return Followed(self.folder, self.clock)

    def published(self) -> None:
        """Everything so far is in the published log."""
        import threading  # noqa: PLC0415  beside its one use

        stop = threading.Event()
        stop.set()
        self.composition.sequence(stop)


@pytest.fixture
def followed(pristine: Path, tmp_path: Path) -> Iterator[Followed]:
    shutil.copytree(pristine, tmp_path / "set-up")
    made = Followed(tmp_path / "set-up")
    assert made.version == 1
    yield made
    made.database.dispose()


def suspended(bundle: dict[str, Any]) -> None:
    bundle["parties"]["ministry"]["suspended"] = True


def with_delay(bundle: dict[str, Any]) -> None:
    bundle["officers"]["widening_delay_hours"] = 24


def named_more(bundle: dict[str, Any]) -> None:
    bundle["parties"]["ministry"]["names"].append("more.passerelle.test")


def test_an_activation_by_the_officers_is_followed(followed: Followed) -> None:
    assert not followed.follow()
    digest = followed.officers.change(suspended)
    assert followed.follow()
    assert (followed.follower.current.sha256, followed.version) == (digest, 2)
    assert not followed.follow()
    assert followed.attempts() == []
    assert followed.again().version == 2


def test_a_proposal_alone_changes_nothing(followed: Followed) -> None:
    content = followed.officers.next(suspended)
    followed.officers.propose(content)
    assert not followed.follow()
    assert followed.version == 1


def test_what_officers_say_of_a_loss_changes_no_policy_and_is_no_attempt(followed: Followed) -> None:
    with followed.officers.log() as log:
        log.acts()
        log.lose(b"what\n", [b"one\n"])
    assert not followed.follow()
    assert (followed.version, followed.attempts()) == (1, [])


class Cases:
    """What an attacker with root on the database inserts, and the reason for which it changes nothing."""

    @staticmethod
    def activated_without_approvals(it: Followed, content: bytes) -> str:
        it.root.put(content)
        it.root.act("proposed", content)
        it.root.act("activated", content)
        return "approvals_too_few"

    @staticmethod
    def activated_with_forged_approvals(it: Followed, content: bytes) -> str:
        it.root.put(content)
        it.root.act("proposed", content)
        it.root.act("activated", content, [spoilt(document) for document in it.officers.approvals(content)])
        return "approval_signature_wrong"

    @staticmethod
    def activated_by_one_officer(it: Followed, content: bytes) -> str:
        it.root.put(content)
        it.root.act("proposed", content)
        it.root.act("activated", content, it.officers.approvals(content, ["officer-1"]))
        return "approvals_too_few"

    @staticmethod
    def activated_and_never_proposed(it: Followed, content: bytes) -> str:
        it.root.put(content)
        it.root.act("activated", content, it.officers.approvals(content))
        return "not_proposed"

    @staticmethod
    def activated_under_the_bytes_of_another(it: Followed, content: bytes) -> str:
        approved = it.officers.next(suspended)
        it.root.put(content, sha256(approved).hexdigest())
        it.root.act("proposed", approved)
        return "content_differs"

    @staticmethod
    def proposed_without_its_bytes(it: Followed, content: bytes) -> str:
        it.root.act("proposed", content)
        return "content_missing"

    @staticmethod
    def no_json(it: Followed, _content: bytes) -> str:
        it.root.record(b"junk")
        return "act_malformed"

    @staticmethod
    def an_act_that_is_none(it: Followed, _content: bytes) -> str:
        it.root.record(canonical_json({"v": 1, "kind": "policy", "act": "decreed"}))
        return "act_malformed"

    @staticmethod
    def another_genesis(it: Followed, content: bytes) -> str:
        it.root.put(content)
        evidence = {"v": 1, "kind": "genesis", "origin": "o", "policy": sha256(content).hexdigest(), "log_key": "k"}
        it.root.record(canonical_json(evidence), kind="genesis")
        return "act_malformed"


@pytest.mark.parametrize("case", [name for name in vars(Cases) if not name.startswith("_")])
def test_what_a_bad_database_offers_changes_nothing(case: str, followed: Followed) -> None:
    reason = getattr(Cases, case)(followed, followed.officers.next(named_more))
    for _ in range(2):
        assert not followed.follow()
        assert followed.version == 1
    assert followed.attempts() == [reason]
    started = followed.again()
    assert started.version == 1
    assert started.attempts() == [reason]
    # and the officers' own change still comes through
    started.officers.change(suspended)
    assert started.follow()


def test_an_older_policy_does_not_come_back(followed: Followed) -> None:
    before = followed.officers.content()
    followed.officers.change(suspended)
    assert followed.follow()
    approvals = followed.officers.approvals(followed.officers.next(lambda _: None))
    followed.root.act("proposed", before, previous="00" * 32)
    followed.root.act("activated", before, approvals, previous="00" * 32)
    assert not followed.follow()
    assert followed.version == 2
    assert set(followed.attempts()) == {"version_reused", "previous_differs"}


def test_a_deleted_activation_stays_in_force_and_is_told(followed: Followed) -> None:
    followed.officers.change(suspended)
    assert followed.follow()
    followed.root.delete(next(followed.root.acts()))
    assert not followed.follow()
    assert followed.version == 2
    assert followed.follower.attempts() == (Attempt(None, "acts_missing"),)
    assert not followed.follow()
    assert followed.attempts() == []


def test_an_act_in_the_place_of_one_that_was_deleted_is_seen(followed: Followed) -> None:
    followed.officers.log().refuse(None, "one")
    followed.follow()
    followed.root.delete(next(followed.root.acts()))
    followed.officers.change(suspended)  # the first of its rows has the number of the one that is gone
    assert followed.follow()
    assert followed.version == 2


def test_nobody_starts_on_a_database_that_lacks_what_is_published(followed: Followed) -> None:
    followed.officers.change(suspended)
    followed.published()
    assert followed.again().version == 2
    followed.root.delete(next(followed.root.acts()))
    with pytest.raises(LedgerError, match="lacks 1 of the"):
        _ = followed.again().version


def test_nobody_starts_on_an_old_copy_of_the_database(followed: Followed, tmp_path: Path) -> None:
    followed.published()
    shutil.copytree(followed.folder / "gateway" / "db", tmp_path / "old")
    followed.officers.change(suspended)
    followed.published()
    followed.database.dispose()
    shutil.rmtree(followed.folder / "gateway" / "db")
    shutil.copytree(tmp_path / "old", followed.folder / "gateway" / "db")
    with pytest.raises(LedgerError, match="database_behind"):
        _ = Followed(followed.folder).version


def test_a_genesis_put_before_the_first_row_is_not_the_first(followed: Followed) -> None:
    followed.published()
    content = followed.officers.next(named_more)
    Cases.another_genesis(followed, content)
    followed.root.run("UPDATE records SET id = -1 WHERE kind = 7 AND idx IS NULL")
    started = followed.again()
    assert started.version == 1
    assert started.attempts() == ["act_malformed"]


def test_a_bundle_whose_bytes_were_replaced_is_taken_from_the_published_log(followed: Followed) -> None:
    digest = followed.officers.change(suspended)
    followed.published()
    followed.root.put(followed.officers.next(named_more), digest)
    started = followed.again()
    assert (started.version, started.follower.current.sha256) == (2, digest)
    assert started.composition.objects()[digest] == started.follower.content(started.rows)
    assert sha256(started.composition.objects()[digest]).hexdigest() == digest
    assert started.attempts() == ["content_differs"]


def test_a_delay_is_not_shortened_by_dating_the_leaf(followed: Followed) -> None:
    followed.officers.change(with_delay)
    assert followed.follow()
    content = followed.officers.next(named_more)
    followed.root.put(content)
    followed.root.act("proposed", content)
    tomorrow = datetime.now(UTC) + timedelta(hours=25)  # noqa: TID251  the attacker's own clock
    followed.root.act("activated", content, followed.officers.approvals(content), at=tomorrow)
    assert not followed.follow()
    assert (followed.version, followed.attempts()) == (2, ["act_ahead"])
    followed.clock.ahead = timedelta(hours=25)  # the day has passed, and officers did approve it
    assert followed.follow()
    assert followed.version == 3


def test_a_widening_before_its_delay_is_over_changes_nothing(followed: Followed) -> None:
    followed.officers.change(with_delay)
    followed.officers.change(named_more)
    followed.follow()
    assert (followed.version, followed.attempts()) == (2, ["widening_too_early"])


def test_the_readable_copy_decides_nothing_and_an_edit_of_it_is_recorded_once(followed: Followed) -> None:
    edited = followed.officers.next(named_more)
    (followed.folder / "gateway" / "policy.yaml").write_bytes(edited)
    for _ in range(2):
        started = followed.again()
        started.composition.prepare()
        assert started.version == 1
    with followed.officers.log() as log:
        refused = [(act.policy, act.reason, act.by) for act in log.acts() if act.act == "refused"]
    assert refused == [(sha256(edited).hexdigest(), "file_differs", "start")]


def test_published_acts_count_in_the_order_of_the_log_whatever_number_their_rows_have(followed: Followed) -> None:
    followed.officers.change(suspended)
    followed.published()
    activated, *_, proposed = list(followed.root.acts())
    for old, new in ((activated, -1), (proposed, 10_000)):
        followed.root.run("UPDATE records SET id = ? WHERE id = ?", new, old)
    started = followed.again()
    assert started.version == 2
    assert started.attempts() == []


def test_an_act_whose_record_was_replaced_is_taken_from_the_published_log(followed: Followed) -> None:
    followed.officers.change(suspended)
    followed.published()
    for record in (b"junk", None):
        followed.root.run("UPDATE records SET record = ? WHERE id = ?", record, next(followed.root.acts()))
        started = followed.again()
        assert started.version == 2
        assert started.attempts() == ["act_malformed"]


def test_rows_without_end_fill_neither_the_log_nor_the_memory(followed: Followed) -> None:
    content = followed.officers.next(named_more)
    for number in range(MOST_NOTED + 5):
        followed.root.act("activated", content, policy=f"{number:064x}")
    assert not followed.follow()
    assert len(followed.follower.attempts()) == MOST_NOTED
    followed.officers.change(suspended)
    assert followed.follow()


def test_an_act_from_ahead_waits_for_a_database_that_fails_when_its_time_comes(followed: Followed) -> None:
    first = followed.officers.content()
    content = followed.officers.next(suspended, first)
    followed.officers.propose(content)
    followed.follow()
    soon = datetime.now(UTC) + timedelta(hours=1)  # noqa: TID251  a clock that is ahead
    followed.root.act("activated", content, followed.officers.approvals(content), at=soon)
    later = followed.officers.next(with_delay, first)
    followed.root.put(later)
    followed.root.act("proposed", later, at=soon)
    followed.follow()
    followed.clock.ahead = timedelta(hours=1)
    followed.root.run("ALTER TABLE objects RENAME TO away")
    with pytest.raises(StorageUnavailableError):
        followed.follow()
    followed.root.run("ALTER TABLE away RENAME TO objects")
    followed.follow()
    assert followed.version == 2
    assert "version_reused" in followed.attempts()  # the proposal that came after it was looked at too


def test_without_a_database_nobody_starts_and_none_is_made(followed: Followed) -> None:
    path = followed.root.path
    path.unlink()
    with pytest.raises(ConfigurationError, match="file_unreadable"):
        _ = Composition(followed.composition.settings, followed.clock, SystemRandomness()).bundle
    assert not path.exists()


def test_a_database_without_a_log_is_refused(followed: Followed) -> None:
    followed.root.run("DELETE FROM records")
    with pytest.raises(LedgerError, match="no log was begun"):
        _ = followed.again().version
