"""What ends and when: answers beside lists, what nobody needs any more, the policy, agreements; and who is told."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import structlog

from certs.authority import DevAuthority
from certs.files import write_public
from certs.profiles import Profile
from gateway.settings import Folders
from gateway.watch.certificates import certificates, ends
from gateway.watch.expiries import Expiries
from gateway.watch.facts import CertificateFacts, FetchFacts
from gateway.watch.refreshing import fetches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Shelf:
    """An authority's revocation folder, and what is told of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = DevAuthority("ministry", NOW)
        self.leaf = self.authority.issue(Profile.SIGNING, ["ministry.test"]).certificate

    def put(self, **files: bytes) -> None:
        for name, content in files.items():
            write_public(self.folder / f"ministry.{name.replace('_', '.')}", content)

    def told(self, at: datetime, grace: timedelta = timedelta(0)) -> dict[tuple[str, str], float]:
        pems = {"root": self.authority.root.pem.decode(), "issuing": self.authority.issuing.pem.decode()}
        found = certificates(Folders(revocation=self.folder), pems, at, grace)
        return {(item.kind, item.name): item.days for item in found if item.kind in ("list", "answer")}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_an_answer_stands_for_a_list_and_one_of_them_is_missed(shelf: Shelf) -> None:
    root, _ = shelf.authority.revocation_lists()
    shelf.put(root_crl=root)
    assert shelf.told(NOW) == {("list", "ministry.root"): 30.0, ("list", "issuing"): -1.0}
    shelf.put(leaf_ocsp=shelf.authority.answer(shelf.leaf))
    assert shelf.told(NOW) == {("list", "ministry.root"): 30.0, ("answer", "ministry.leaf"): 1.0}
    shelf.put(other_ocsp=b"nothing")
    assert shelf.told(NOW)["answer", "ministry.other"] == -1.0


def test_what_went_stale_and_nobody_needs_is_not_told(shelf: Shelf) -> None:
    root, issuing = shelf.authority.revocation_lists()
    stranger = DevAuthority("gone", NOW).revocation_lists(at=NOW - 40 * DAY)[1]
    shelf.put(root_crl=root, issuing_crl=issuing, gone_crl=stranger, leaf_ocsp=shelf.authority.answer(shelf.leaf))
    shelf.put(old_crl=shelf.authority.revocation_lists(at=NOW - 31 * DAY)[1])
    assert set(shelf.told(NOW + 2 * DAY)) == {("list", "ministry.root"), ("list", "ministry.issuing")}
    # without a fresh list of its issuer, a stale answer is what is missed
    (shelf.folder / "ministry.issuing.crl").unlink()
    assert shelf.told(NOW + 2 * DAY)["answer", "ministry.leaf"] == -1.0


def test_the_grace_goes_with_revocation_data(shelf: Shelf) -> None:
    shelf.put(root_crl=shelf.authority.revocation_lists()[0])
    pems = {"root": shelf.authority.root.pem.decode()}
    found = certificates(Folders(revocation=shelf.folder), pems, NOW, 6 * HOUR)
    assert {item.kind: item.grace_days for item in found}["list"] == 0.25
    assert {item.kind: item.grace_days for item in found}["authority"] == 0.0


def test_the_policy_and_its_agreements_end_too() -> None:
    found = ends({("policy", "version 3"): NOW + DAY, ("agreement", "ENT-1"): NOW - DAY}, NOW)
    assert [(item.kind, item.name, item.days, item.ours) for item in found] == [
        ("policy", "version 3", 1.0, True),
        ("agreement", "ENT-1", -1.0, False),
    ]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[tuple[str, object]]]]:
    """What was logged since the last time it was asked: level and threshold."""
    structlog.configure(
        logger_factory=structlog.stdlib.LoggerFactory(),
        processors=[structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
    )

    def since() -> list[tuple[str, object]]:
        rows = [(row.levelname, vars(row)["threshold"]) for row in caplog.records if row.message == "ends_soon"]
        caplog.clear()
        return rows

    with caplog.at_level(logging.INFO, logger="expiries"):
        yield since
    structlog.reset_defaults()


def test_it_is_said_once_at_each_threshold(said: Callable[[], list[tuple[str, object]]]) -> None:
    expiries, found = Expiries(), []
    for days in (31.0, 30.0, 29.9, 20.0, 13.9, 13.8, 3.0, 2.9, 1.0, -1.0):
        expiries.look([CertificateFacts("ours", "signing", "2026-12-01", days, ours=True)])
        found.append(said())
    assert [rows for rows in found if rows] == [[("WARNING", 30.0)], [("WARNING", 14.0)], [("ERROR", 3.0)]]
    assert found[2]
    assert found[4]
    assert found[7]
    # another certificate of the same name, and one first seen late: only the nearest threshold
    expiries.look([CertificateFacts("ours", "signing", "2027-12-01", 10.0, ours=True)])
    assert said() == [("WARNING", 14.0)]


@pytest.mark.parametrize(
    ("kind", "days", "expected"),
    [
        ("list", 2.1, []),
        ("list", 1.9, [("ERROR", 2.0)]),
        ("answer", 0.5, []),
        ("agreement", 2.0, [("ERROR", 3.0)]),
        ("agreement", -1.0, []),
        ("policy", 13.0, [("WARNING", 14.0)]),
    ],
)
def test_it_is_said_of_each_kind_as_its_life_asks(
    said: Callable[[], list[tuple[str, object]]], kind: str, days: float, expected: list[tuple[str, object]]
) -> None:
    Expiries().look([CertificateFacts(kind, "x", "2026-12-01", days, ours=False)])
    assert said() == expected


def test_the_refreshers_report_is_read_back_and_a_broken_one_is_none(tmp_path: Path) -> None:
    row = {
        "file": "ministry.ab.crl",
        "url": "http://lists.test",
        "fetched_at": str(NOW - HOUR),
        "failing_since": str(NOW - timedelta(minutes=1)),
        "until": None,
        "reason": "rollback",
        "refused": True,
        "tries": 2,
    }
    path = tmp_path / "revocation.json"
    assert fetches(path, NOW) == ()
    path.write_text(json.dumps([row, row | {"fetched_at": None, "failing_since": None, "reason": None}]))
    first, second = fetches(path, NOW)
    assert first == FetchFacts("ministry.ab.crl", "http://lists.test", 3600.0, 60.0, "rollback", refused=True)
    assert (second.fetched_seconds, second.failing_seconds, second.reason) == (None, None, None)
    for broken in ("{", "[1]", '[{"file": "x"}]', '{"a": 1}'):
        path.write_text(broken)
        assert fetches(path, NOW) == ()
