"""Each refusal over real sockets: signed, recorded, and without a call upstream (section 10)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from certs.profiles import Profile
from gateway.ledger.leaf import unpack_leaf
from gateway.ledger.note import LogKey
from gateway.ledger.reader import LogReader
from gateway.ledger.tiles import entries_path, unpack_entries
from tests.exchange.live import read_issued
from tests.signing.drafts import COMPONENTS, fresh_nonce, fresh_salt
from tests.signing.test_request import _CHANGES, _DRAFTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.exchange.live import LiveGateway, Shown
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


@pytest.mark.parametrize("attack", _DRAFTS)
def test_bad_signatures(live: LiveGateway, attack: str) -> None:
    changes, code, component = _DRAFTS[attack]
    problem = refused(live, live.verification().but(**changes))
    assert (problem["code"], problem.get("component")) == (code.value, component)
    assert '"content-digest";req' not in problem["covered"]
    assert '"signature";req' not in problem["covered"]


@pytest.mark.parametrize("seconds", [-320, 60], ids=["created_long_ago", "created_in_the_future"])
def test_created_out_of_its_window(live: LiveGateway, seconds: int) -> None:
    draft = live.verification()
    problem = refused(live, draft.but(created=draft.created + seconds))
    assert (problem["code"], problem["component"]) == ("created_out_of_window", "created")


def test_tampered_body(live: LiveGateway) -> None:
    request = live.verification().signed()
    change, code, component = _CHANGES["digest_covered_but_body_differs"]
    spoilt = live.draft().but(body=change(request)["body"]).signed()
    shown = live.exchange(type(request)("POST", request.target, request.headers, spoilt.body, "", b"", b""))
    assert (shown.json()["code"], shown.json()["component"]) == (code.value, component)
    # C6: the answer covers none of the digests
    assert '"content-digest";req' not in shown.headers["signature-input"]


def test_keyid_of_another_party(live: LiveGateway) -> None:
    problem = refused(live, live.verification().but(key=live.signing("cooperative")))
    assert (problem["code"], problem["component"]) == ("key_of_another_party", "keyid")


def test_a_tls_key_used_for_signing(live: LiveGateway) -> None:
    unknown = refused(live, live.verification().but(key=read_issued(live.tls())))
    assert (unknown["code"], unknown["component"]) == ("key_unknown", "keyid")
    # even when somebody put it among the signers
    problem = refused(live, live.verification().but(key=live.more["tls"]))
    assert (problem["code"], problem["component"]) == ("key_refused", "keyid")


def test_a_bearer_token_is_refused_and_kept_nowhere(live: LiveGateway) -> None:
    problem = refused(live, live.verification(), authorization="Bearer secret-token-123")
    assert problem["code"] == "authorization_refused"


_SALTS: dict[str, Any] = {
    "missing": None,
    "empty": "",
    "short": "AAECAwQFBgcICQoLDA0=",
    "all_the_same": "AAAAAAAAAAAAAAAAAAAAAA==",
    "loose_base64": "AAECAwQFBgcICQoLDA0OD1==",
    "no_base64": "sel",
    "number": 12345678901234567,
    "too_long": "A" * 100,
}


@pytest.mark.parametrize("attack", _SALTS)
def test_salt(live: LiveGateway, attack: str) -> None:
    problem = refused(live, live.verification(salt=_SALTS[attack]))
    assert problem["code"] in ("salt_invalid", "body_malformed")
    assert problem["code"] == ("body_malformed" if attack == "number" else "salt_invalid")
    assert problem["bound"] is False
    assert '"content-digest";req' not in problem["covered"]


def test_salt_equal_to_the_nonce(live: LiveGateway) -> None:
    salt = fresh_nonce()
    problem = refused(live, live.verification(salt=salt).but(parameters={"nonce": salt}))
    assert (problem["code"], problem["bound"]) == ("salt_invalid", False)


def test_a_repeated_salt_is_refused_without_a_digest_of_the_request(live: LiveGateway) -> None:
    salt = fresh_salt()
    # Claimed before it is authorised, so that a refusal spends it too; nothing goes upstream here.
    first = live.verification(salt=salt).but(agreement="AUTRE")
    assert refused(live, first)["code"] == "not_agreed"
    problem = refused(live, live.verification(salt=salt))
    assert (problem["code"], problem["bound"]) == ("salt_repeated", False)
    assert '"content-digest";req' not in problem["covered"]


def test_a_refusal_after_the_salt_was_claimed_is_bound_to_the_request(live: LiveGateway) -> None:
    assert refused(live, live.verification().but(agreement="AUTRE"))["bound"] is True


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


_TARGETS = [
    "/v1/%65cho",
    "/v1/./echo",
    "/v1/../v1/echo",
    "/v1/%2e%2e/v1/echo",
    "/v1%2fecho",
    "//v1/echo",
    "/v1//echo",
    "/v1/echo/",
    "/v1/echo?",
    "/v1/echo?a=b",
    "/v1/echo;a=b",
    "/V1/ECHO",
    "/v1/nirec/verifications/../../echo",
    "/log/../v1/echo",
    "/.well-known/%2e%2e/v1/echo",
]


@pytest.mark.parametrize("target", _TARGETS)
def test_a_path_in_another_spelling_is_no_operation(live: LiveGateway, target: str) -> None:
    problem = refused(live, live.draft(target=target))
    assert problem["code"] == "operation_unknown"


def test_absolute_form_is_not_what_was_signed(live: LiveGateway) -> None:
    problem = refused(live, live.draft(target=f"{live.origin}/v1/echo"))
    assert problem["code"] == "operation_unknown"


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


_BODIES: dict[str, bytes] = {
    "duplicate_keys": b'{"message":"a","message":"b"}',
    "duplicate_keys_by_escape": b'{"message":"a","m\\u0065ssage":"b"}',
    "nan": b'{"message":NaN}',
    "infinity": b'{"message":-Infinity}',
    "big_number": b'{"message":123456789012345678901234567890}',
    "number_past_the_range": b'{"message":1e999}',
    "deep": b'{"message":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "deep_and_open": b"[" * 60000,
    "invalid_utf8": b'{"message":"\xff"}',
    "utf16": '{"message":"a"}'.encode("utf-16"),
    "byte_order_mark": b'\xef\xbb\xbf{"message":"a"}',
    "trailing_text": b'{"message":"a"} {}',
    "no_object": b'["a"]',
    "no_json": b"message=a",
    "single_quotes": b"{'message':'a'}",
    "comment": b'{"message":"a"/**/}',
    "control_character": b'{"message":"a\x00"}',
}


@pytest.mark.parametrize("attack", _BODIES)
def test_json_that_is_not_accepted(live: LiveGateway, attack: str) -> None:
    assert refused(live, live.draft(body=_BODIES[attack]))["code"] == "body_malformed"


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


def test_oversize_body(live: LiveGateway) -> None:
    body = json.dumps({"message": "a" * 66_000}).encode()
    problem = refused(live, live.draft(body=body))
    assert (problem["code"], problem["status"]) == ("body_too_large", 413)


def _codes(answers: list[Shown]) -> list[str]:
    return sorted("ok" if shown.status == 200 else shown.json()["code"] for shown in answers)


def test_replay_is_refused_by_every_worker(live: LiveGateway) -> None:
    request = live.draft().signed()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: live.exchange(request), range(16)))
    assert _codes(answers) == ["ok", *["replayed"] * 15]
    for shown in answers:
        assert live.verify(request, shown).ledger_leaf is not None
    assert len({shown.headers["exchange-id"] for shown in answers}) == 16


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


def test_a_party_that_the_policy_does_not_name(live: LiveGateway) -> None:
    stranger = live.issue("ministry", Profile.TLS_CLIENT, ["stranger.passerelle.test"])
    first = refused(live, live.draft(), stranger)
    again = refused(live, live.draft(), stranger)
    assert first["code"] == again["code"] == "party_unknown"
    # recorded at most once per certificate and minute: a second answer names the first's record
    assert len({first["exchange_id"], again["exchange_id"]}) <= 2


def test_the_wrong_party_for_its_certificate(live: LiveGateway) -> None:
    problem = refused(live, live.draft("ministry"), live.tls("cooperative"))
    assert problem["code"] == "key_of_another_party"


def test_a_name_of_another_authoritys_party(live: LiveGateway) -> None:
    # The cooperative's authority issues a certificate that says it is the ministry.
    impostor = live.issue("cooperative", Profile.TLS_CLIENT, ["ministry.passerelle.test"])
    assert refused(live, live.draft("ministry"), impostor)["code"] == "party_unknown"
