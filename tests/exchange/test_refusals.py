"""Each refusal over real sockets: signed, recorded, and without a call upstream (section 10)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from gateway.ledger.leaf import unpack_leaf
from gateway.ledger.note import LogKey
from gateway.ledger.reader import LogReader
from gateway.ledger.tiles import entries_path, unpack_entries
from tests.signing.drafts import COMPONENTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.exchange.live import LiveGateway
    from tests.signing.drafts import Draft


@pytest.fixture(autouse=True)
def no_upstream_call(live: LiveGateway) -> Iterator[None]:
    """Whatever is refused here never reaches the registry."""
    before = live.counter()
    yield
    assert live.counter() == before


def refused(live: LiveGateway, draft: Draft, tls: Path | None = None, **headers: str) -> dict[str, Any]:
    """The problem, after its signature was verified and it was seen to be recorded."""
    request = draft.signed()
    shown = live.exchange(request, tls, **headers)
    answer = live.verify(request, shown)
    assert shown.headers["content-type"] == "application/problem+json"
    assert answer.ledger_leaf is not None
    problem = shown.json()
    assert problem["exchange_id"] == shown.headers["exchange-id"]
    assert problem["status"] == shown.status
    return problem | {"bound": answer.bound, "covered": shown.headers["signature-input"]}


_AGREEMENTS = {
    "agreement_of_another_party": ({"agreement": "ENT-2026-01", "purpose": "inscription"}, "not_agreed"),
    "agreement_for_another_operation": ({"agreement": "ESSAI-MIN", "purpose": "essai"}, "not_agreed"),
    "unknown_agreement": ({"agreement": "NONE"}, "not_agreed"),
    "another_purpose": ({"purpose": "curiosite"}, "purpose_not_agreed"),
    "agreement_that_is_no_word": ({"agreement": "a b"}, "field_invalid"),
    "empty_purpose": ({"purpose": ""}, "field_invalid"),
}


@pytest.mark.parametrize("case", _AGREEMENTS)
def test_deny_by_default(live: LiveGateway, case: str) -> None:
    changes, code = _AGREEMENTS[case]
    assert refused(live, live.verification().but(**changes))["code"] == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"method": "PUT"}, "method_not_allowed"),
        ({"method": "DELETE"}, "method_not_allowed"),
        ({"headers": {"content-type": "text/xml"}}, "media_type_unsupported"),
        ({"headers": {"content-type": "application/json; charset=utf-16"}}, "media_type_unsupported"),
    ],
    ids=["put", "delete", "xml", "another_charset"],
)
def test_another_method_or_media_type(live: LiveGateway, changes: dict[str, Any], code: str) -> None:
    assert refused(live, live.draft(**changes))["code"] == code


def test_get_of_an_operation_is_refused_and_signed(live: LiveGateway) -> None:
    components = tuple(name for name in COMPONENTS if not name.startswith("content"))
    draft = live.draft(method="GET", body=b"", components=components)
    request = draft.signed()
    headers = {name: value for name, value in request.headers.items() if not name.startswith("content")}
    request = type(request)("GET", request.target, headers, b"", request.parameters, request.signature, request.base)
    shown = live.exchange(request)
    assert live.verify(request, shown).ledger_leaf is not None
    assert shown.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("fields", "component"),
    [
        ({"nirec": "123"}, "nirec"),
        ({"nirec": "12345678901٢3"}, "nirec"),
        ({"nirec": "1234567890123\n"}, "nirec"),
        ({"birth_date": "2026-13-01"}, "birth_date"),
        ({"birth_date": None}, "birth_date"),
        ({"family_name": ""}, "family_name"),
        ({"family_name": "a\u0000b"}, "family_name"),
        ({"given_names": ["a"]}, "given_names"),
        ({"1628500667039": "x"}, "unknown field"),
    ],
    ids=[
        "short_nirec", "digits_of_another_script", "line_feed_after", "no_date", "date_missing", "empty_name",
        "control_character", "list", "unknown_field_named_like_a_nirec",
    ],
)  # fmt: skip
def test_a_field_at_fault_is_named_and_never_quoted(live: LiveGateway, fields: dict[str, Any], component: str) -> None:
    problem = refused(live, live.verification(**fields))
    assert (problem["code"], problem.get("component"), problem["bound"]) == ("field_invalid", component, False)
    assert "1628500667039" not in json.dumps(problem)


def test_the_replays_were_answered_by_two_workers(live: LiveGateway) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: live.exchange(live.draft().signed()), range(16)))
    ids = {shown.headers["exchange-id"] for shown in answers}
    client = live.client("ministry")
    last = live.verified(live.draft().signed())
    assert client.prove(last, within=5) is not None
    writers = {leaf.writer for leaf in leaves(live) if str(leaf.exchange_id) in ids}
    assert len(writers) == 2


def leaves(live: LiveGateway) -> list[Any]:
    """Every leaf in the published log."""
    log = live.folder / "gateway" / "log"
    _, checkpoint = LogReader(log, LogKey.parse((live.keys / "log.vkey").read_text())).checkpoint()
    found = []
    for index in range(-(-checkpoint.size // 256)):
        width = min(256, checkpoint.size - 256 * index)
        found += unpack_entries((log / entries_path(index, width)).read_bytes())
    return [unpack_leaf(leaf) for leaf in found]
