"""A gateway that lies about exchanges by SOAP: what its caller signed, what it answered, each by name (S3, S4, C6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from gateway.audit.soap_blocks import span
from gateway.audit.verdict import Fault, Problem
from gateway.signing.soap_facts import SignedPartFacts
from tests.audit.soap_forgeries import FORGERIES

if TYPE_CHECKING:
    from tests.audit.bench import Bench

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize("name", FORGERIES)
def test_what_a_gateway_forges(bench: Bench, name: str) -> None:
    fault, forge = FORGERIES[name]
    forge(bench)
    assert bench.faults() == {fault}


@pytest.mark.parametrize(
    ("created", "expires"),
    [(NOW, NOW), (NOW, NOW - timedelta(seconds=1)), (NOW, NOW + timedelta(seconds=301)), (None, None)],
    ids=["nothing", "less", "too_much", "none"],
)
def test_a_timestamp_that_spans_nothing_or_too_much(created: datetime | None, expires: datetime | None) -> None:
    facts = SignedPartFacts(frozenset(), None, None, None, None, created, expires, "", b"", None)
    with pytest.raises(Problem) as found:
        span(facts)
    assert found.value.fault is Fault.TIME_DIFFERS
