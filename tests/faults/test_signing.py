"""Our own signing certificate refused, or its lists missing, while we run: nobody is asked, nothing is released."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography import x509

from tests.adapters.fakes import until
from tests.faults.night import Callers, Night

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

import pytest


@pytest.fixture(scope="module", autouse=True)
def registry(shared_night: Night) -> Iterator[None]:
    shared_night.start_sandbox()
    yield
    shared_night.stop("sandbox")


def put(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    os.replace(fresh, path)  # noqa: PTH105  as an operator's script does


def refused(night: Night) -> bool:
    """Whether a verification is told not_recorded; signed, and without a leaf."""
    request = night.verification().signed()
    shown = night.exchange(request)
    if shown.status == 200:
        return False
    assert (shown.status, shown.json()["code"]) == (503, "not_recorded")
    assert night.verify(request, shown).ledger_leaf is None
    return True


def test_a_signing_certificate_that_is_revoked_while_it_runs(night: Night) -> None:
    path = night.keys / "revocation" / "passerelle.issuing.crl"
    good = path.read_bytes()
    ours = x509.load_pem_x509_certificate((night.keys / "signing.pem").read_bytes())
    _, crl = night.authorities["passerelle"].revocation_lists([ours])
    assert not refused(night)
    workers = night.workers()
    with Callers(night) as callers:
        assert callers.more(10)
        put(path, crl)
        assert callers.more(12, 30, status=503)
        assert until(lambda: all(refused(night) for _ in range(16)), 10)
        before = night.counter()
        for _ in range(6):
            assert refused(night)
        assert night.counter() == before, "the registry was asked for an answer that could not be given"
        put(path, good)
        assert callers.more(10, 30)
    assert until(lambda: not any(refused(night) for _ in range(8)), 10)
    assert night.workers() == workers
    assert [line for line in night.lines() if line.get("event") == "exchange_fault"]
    assert night.reckon(callers.sent).lost == 0


def test_a_worker_that_starts_meanwhile_takes_no_other_with_it(night: Night) -> None:
    path = night.keys / "revocation" / "passerelle.issuing.crl"
    good = path.read_bytes()
    arbiter, victim = night.role("workers"), night.workers()[0]
    path.unlink()
    assert until(lambda: all(refused(night) for _ in range(8)), 10)
    os.kill(victim, 9)
    assert until(lambda: victim not in night.workers() and len(night.workers()) >= 2, 30)
    # by both of them: the one that stayed may have had none of the first eight, nor looked at its lists yet
    assert until(lambda: all(refused(night) for _ in range(16)), 10)
    put(path, good)
    # each worker looks at the lists once a second
    assert until(lambda: not any(refused(night) for _ in range(8)), 10)
    assert night.role("workers") == arbiter
