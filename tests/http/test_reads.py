"""Reads that carry no personal data: mutual TLS, no exchange, and a receipt for its own party only."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING

import jwt
import pytest

from certs.profiles import Profile
from gateway.ledger.note import LogKey, verify_note
from tests.adapters.fakes import until
from tests.exchange.live import status_of

if TYPE_CHECKING:
    from tests.exchange.live import LiveGateway


def test_the_log_is_read_over_mutual_tls(live: LiveGateway) -> None:
    note = live.get("/log/checkpoint")
    assert note.headers["content-type"].startswith("text/plain")
    size = verify_note(note.body, LogKey.parse((live.keys / "log.vkey").read_text())).size
    tile = live.get(f"/log/tile/0/000.p/{size}" if size < 256 else "/log/tile/0/000")
    # the log may have grown since, and partial tiles of a former size then go
    assert tile.status in (200, 404)
    assert live.get("/log/tile/0/999").status == 404


@pytest.mark.parametrize(
    "target",
    [
        "/log/",
        "/log",
        "/log/../keys/log.key",
        "/log/%2e%2e/keys/log.key",
        "/log/..%2fkeys/log.key",
        "/log/tile/0/../../../keys/log.key",
        "/log/checkpoint/",
        "/log/checkpoint%00",
        "/log//checkpoint",
        "/log/checkpoint?x",
        "/.well-known/../log/checkpoint",
        "/openapi.yaml.bak",
        "/var/demo",
        "/",
    ],
)
def test_nothing_else_is_a_file(live: LiveGateway, target: str) -> None:
    shown = live.get(target)
    assert shown.status in (401, 404)
    assert b"PRIVATE KEY" not in shown.body
    assert "code" in shown.json()


def test_a_receipt_is_given_to_its_own_party_only(live: LiveGateway) -> None:
    answer = live.verified(live.draft("ministry").signed())
    target = f"/v1/exchanges/{answer.exchange_id}/receipt"
    assert until(lambda: live.get(target).status == 200, 5)
    receipt = live.get(target)
    assert receipt.headers["content-type"] == "application/jose"
    keys = json.loads(live.get("/.well-known/jwks.json").body)
    claims = jwt.decode(receipt.body.decode(), jwt.PyJWK(keys["keys"][0]), algorithms=["ES256"])
    assert (claims["sub"], claims["ledger_leaf"]) == ("ministry", answer.ledger_leaf)
    other = live.get(target, live.tls("cooperative"))
    assert (other.status, other.json()["code"]) == (404, "receipt_unknown")


def test_a_receipt_comes_with_retry_after_until_the_leaf_is_sequenced(live: LiveGateway) -> None:
    answer = live.verified(live.draft().signed())
    shown = live.get(f"/v1/exchanges/{answer.exchange_id}/receipt")
    assert shown.status == 200 or (shown.status, shown.headers["retry-after"]) == (202, "1")


@pytest.mark.parametrize(
    "exchange_id",
    ["b3b9a6a0-7a5c-4a7e-8f59-0d9d3f6d0f0e", "-" * 36, "00000000-0000-0000-0000-000000000000"],
    ids=["unknown", "no_uuid", "zero"],
)
def test_an_unknown_receipt(live: LiveGateway, exchange_id: str) -> None:
    shown = live.get(f"/v1/exchanges/{exchange_id}/receipt")
    assert (shown.status, shown.json()["code"]) == (404, "receipt_unknown")


@pytest.mark.parametrize("target", ["/log/checkpoint", "/.well-known/jwks.json"])
def test_reads_are_for_parties_of_the_policy(live: LiveGateway, target: str) -> None:
    assert live.get(target).status == 200
    stranger = live.issue("ministry", Profile.TLS_CLIENT, ["stranger.passerelle.test"])
    shown = live.get(target, stranger)
    assert (shown.status, shown.json()["code"]) == (403, "party_unknown")


def test_health_is_on_loopback_and_says_no_more_than_it_must(live: LiveGateway) -> None:
    base = f"http://127.0.0.1:{live.ports.health}"
    assert status_of(f"{base}/healthz") == 200
    assert status_of(f"{base}/") == 404
    with urllib.request.urlopen(f"{base}/readyz", timeout=30) as answer:  # noqa: S310  loopback
        assert all(json.load(answer).values())
        assert "Python" not in answer.headers["Server"]


def test_the_words_are_french_unless_english_is_preferred(live: LiveGateway) -> None:
    french, english = (
        live.exchange(live.draft(agreement="NONE").signed(), accept_language=language)
        for language in ("de, fr", "en-CA, fr;q=0.5")
    )
    assert french.headers["content-language"] == "fr, en"
    assert english.headers["content-language"] == "en, fr"
    assert french.json()["title"] == english.json()["title_fr"]
    assert french.json()["title_en"] == english.json()["title"]
