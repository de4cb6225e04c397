"""One question by REST and by SOAP, from clients that others wrote: one canonical answer, comparable evidence (C3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.attacks.evidence import Book
from tests.foreign.conftest import TERMS, make_folder, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.exchange.live import LiveGateway

#: What is of one exchange alone: its id, its hour, and what was signed in it.
ITS_OWN = {"exchange_id", "received_at", "request", "answer", "upstream"}
SIGNED_BY_REST = {"base", "label", "parameters", "content_digest"}
SIGNED_BY_SOAP = {"form", "signed_info", "headers"}
BY_BOTH = {"signature", "algorithm", "signing", "tls"}


def test_one_question_in_both_forms(
    live: LiveGateway, tmp_path: Path, python_client: list[str], python_soap_client: list[str]
) -> None:
    how = {"soap": "1.2", "reference": "token"}
    folders = {
        "rest": make_folder(live, tmp_path / "rest", "ecdsa-p256-sha256"),
        "soap": make_folder(live, tmp_path / "soap", "ecdsa-sha256", TERMS | how),
    }
    commands = {"rest": python_client, "soap": python_soap_client}
    said: dict[str, dict[str, Any]] = {
        form: json.loads(run([*commands[form], str(folder)], folder))["verification"]
        for form, folder in folders.items()
    }
    # the same answer, but for its salt
    answer = said["rest"]["body"]
    assert set(answer) == {"outcome", "handle", "salt"}
    assert {name: answer[name] for name in ("outcome", "handle")} == said["soap"]["fields"]
    # and the same evidence, but for what is of one exchange or of one form
    rest, soap = (evidence(live, said[form][name]) for form, name in (("rest", "exchange-id"), ("soap", "Exchange-Id")))
    assert rest.keys() == soap.keys() > ITS_OWN
    assert {name: rest[name] for name in rest.keys() - ITS_OWN} == {name: soap[name] for name in soap.keys() - ITS_OWN}
    assert rest["request"].keys() == SIGNED_BY_REST | BY_BOTH
    assert soap["request"].keys() == SIGNED_BY_SOAP | BY_BOTH
    for part, names in (("request", ("signing", "tls")), ("answer", ("status", "signing"))):
        assert [rest[part][name] for name in names] == [soap[part][name] for name in names]
    assert rest["answer"].keys() == soap["answer"].keys()
    assert [attempt.keys() for attempt in rest["upstream"]] == [attempt.keys() for attempt in soap["upstream"]]


def evidence(live: LiveGateway, exchange_id: str) -> dict[str, Any]:
    """Of one exchange, as an auditor with the period's key opens it."""
    (kept,) = Book(live.folder / "gateway" / "log", live.folder / "trust").of(exchange_id, 20)
    return kept.evidence
