"""Schemathesis against the document that we serve: every answer is one that the document has, and none is a 500."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.exchange.live import LiveGateway
    from tests.http.generated import Generated


@pytest.fixture
def generated(live: LiveGateway) -> Iterator[Generated]:
    # imported only where it runs: it takes a second in each process that collects tests
    made: Generated = import_module("tests.http.generated").Generated(live, "cooperative")
    yield made
    made.close()


def test_valid_requests_are_answered_as_the_document_says(generated: Generated) -> None:
    answered = generated.valid()
    assert answered.keys() >= generated.terms.keys()
    for path in ("/v1/echo", "/v1/nirec/verifications", "/v1/subjects"):
        assert 200 in answered[path], (path, answered[path])
    assert 500 not in set().union(*answered.values())


@pytest.mark.parametrize("agreed", [True, False], ids=["what_is_agreed", "anything"])
def test_invalid_requests_are_refused_as_the_document_says(
    live: LiveGateway, generated: Generated, *, agreed: bool
) -> None:
    before = live.counter()
    statuses = set().union(*generated.invalid(agreed=agreed).values())
    assert statuses >= {400, 422}
    assert statuses.isdisjoint({200, 500})
    assert live.counter() == before
