"""One operation, two forms: the same canonical message in, the same answer out (C3)."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from contracts.loader import Deprecation
from contracts.names import soap_names
from gateway.errors import Code, Refusal
from gateway.model import Nirec
from gateway.signing.xml import canonical, parse
from gateway.translation.again import canonical_answer, canonical_request
from gateway.translation.operations import compile_operation
from tests.translation.asked import (
    CONTRACTS,
    PERSON,
    RICH,
    SALT,
    asked_by_rest,
    asked_by_soap,
    contract_of,
    granted,
    leaf,
    translation,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from contracts.loader import Contract
    from gateway.model import Message

HANDLE, LEAF = "0" * 64, "A" * 43 + "="
ACKNOWLEDGED = {"answer_digest": f"sha-256=:{LEAF}:", "handle": None, "ledger_leaf": LEAF}
EXCHANGE = "6f1c1e34-0000-4000-8000-000000000001"
RICHEST: dict[str, Any] = {
    "code": "b c", "rank": -5, "text": " é\n\t\r 😀", "maybe": None, "day": "2024-02-29", "amount": "-0.05",
    "moment": "2026-11-23T09:00:00.5Z", "count": 2**53 - 1, "open": False, "data": "", "other": 0, "words": ["", " "],
    "rows": [[], [1, 2]], "places": [{"name": "x", "since": None, "open": True}, {"name": "y"}], "inner": None,
}  # fmt: skip
ASKED: list[tuple[Contract, str, str, str, dict[str, Any]]] = [
    (CONTRACTS["echo"], "echo", "POST", "/v1/echo", {"message": "À l'an 2 <&>\n"}),
    (CONTRACTS["nirec"], "nirec.verify", "POST", "/v1/nirec/verifications", PERSON),
    (CONTRACTS["subjects"], "subject.expect", "POST", "/v1/subjects", {"reference": "dossier 1", "salt": SALT}),
    (CONTRACTS["subjects"], "subject.birth", "POST", "/v1/subjects/births", {"handle": HANDLE} | PERSON),
    (CONTRACTS["subjects"], "subject.merge", "POST", "/v1/subjects/merges",
     {"handle": HANDLE, "other_handle": "1" * 64, "reason": "new_number"}),
    (CONTRACTS["acknowledgement"], "exchange.acknowledge", "POST", f"/v1/exchanges/{EXCHANGE}/acknowledgement",
     ACKNOWLEDGED),
    (CONTRACTS["waitlist"], "waitlist.statistics", "GET", "/v1/waitlist/statistics?as_of=2026-10-31&region=06", {}),
    (RICH, "rich.ask", "POST", "/v1/rich", RICHEST),
]  # fmt: skip
BY_BOTH = translation([*CONTRACTS.values(), RICH])


def in_xml(contract: Contract, operation: str, fields: dict[str, Any], side: str = "request") -> str:
    compiled = compile_operation(contract, operation)
    return canonical(getattr(compiled, side).xml.write(fields)).decode()


def revealed(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value.reveal() if isinstance(value, Nirec) else value for name, value in fields.items()}


def shown(message: Message) -> dict[str, object]:
    """All of a message but the request that it came in."""
    said = replace(message.acknowledges, body=None) if message.acknowledges else None
    names = (
        "operation",
        "salt",
        "agreement",
        "purpose",
        "disclosable",
        "upstream",
        "reduction",
        "headers",
        "key",
        "states",
    )
    return {name: getattr(message, name) for name in names} | {"fields": revealed(message.fields), "acknowledges": said}


@pytest.mark.parametrize(("contract", "operation", "method", "target", "body"), ASKED, ids=[row[1] for row in ASKED])
def test_the_same_request_is_the_same_message(
    contract: Contract, operation: str, method: str, target: str, body: dict[str, Any]
) -> None:
    data = json.dumps(body, sort_keys=True, separators=(",", ":")).encode() if method == "POST" else b""
    by_rest = BY_BOTH.translate_in(asked_by_rest(data, method=method, target=target))
    fields = revealed(by_rest.fields)
    if by_rest.salt is not None:
        fields["salt"] = SALT
    payload = in_xml(contract, operation, fields)
    request = asked_by_soap(payload, contract, operation)
    by_soap = BY_BOTH.translate_in(request)
    assert shown(by_soap) == shown(by_rest)
    assert set(fields) >= set(body)
    assert (by_soap.acknowledges is None) == (operation != "exchange.acknowledge")
    if by_soap.acknowledges is not None:
        assert by_soap.acknowledges.body == canonical(parse(request.received.body)[0])


@pytest.mark.parametrize(("contract", "operation", "method", "target", "body"), ASKED, ids=[row[1] for row in ASKED])
def test_kept_bytes_say_what_the_gateway_read(
    contract: Contract, operation: str, method: str, target: str, body: dict[str, Any]
) -> None:
    data = json.dumps(body).encode() if method == "POST" else b""
    by_rest = canonical_request(contract, operation, data, target)
    payload = parse(in_xml(contract, operation, revealed(by_rest)).encode())
    by_soap = canonical_request(contract, operation, payload)
    assert PERSON["nirec"] not in repr(by_soap) + repr(by_rest)
    assert revealed(by_soap) == revealed(by_rest)
    assert set(body) <= set(by_rest)
    with pytest.raises(Refusal):
        canonical_request(contract, operation, b"[", target)


def test_an_answer_is_the_same_in_both_forms() -> None:
    fields = {name: value for name, value in RICHEST.items() if name != "salt"}
    by_rest = BY_BOTH.translate_in(asked_by_rest(json.dumps(RICHEST).encode(), target="/v1/rich"))
    by_soap = BY_BOTH.translate_in(asked_by_soap(in_xml(RICH, "rich.ask", RICHEST), RICH, "rich.ask"))
    in_json = BY_BOTH.translate_out(granted(by_rest), dict(fields))
    data = BY_BOTH.translate_out(granted(by_soap), dict(fields))
    assert canonical_answer(RICH, "rich.ask", in_json) == canonical_answer(RICH, "rich.ask", parse(data)) == fields
    assert data == canonical(parse(data))
    assert data.startswith(b'<RichAskResponse xmlns="urn:passerelle:rich:v1" Rank="-5" code="b c">')


def test_an_answer_by_soap_has_a_fresh_salt_and_only_what_the_contract_knows() -> None:
    contract = CONTRACTS["nirec"]
    message = BY_BOTH.translate_in(asked_by_soap(in_xml(contract, "nirec.verify", PERSON), contract, "nirec.verify"))
    answers = [BY_BOTH.translate_out(granted(message), {"outcome": "confirmed"}) for _ in range(2)]
    read = [canonical_answer(contract, "nirec.verify", parse(answer)) for answer in answers]
    assert [answer["outcome"] for answer in read] == ["confirmed"] * 2
    assert len({answer["salt"] for answer in read}) == 2
    assert len(b64decode(str(read[0]["salt"]))) == 16
    with pytest.raises(Refusal) as refused:
        BY_BOTH.translate_out(granted(message), {"outcome": "perhaps"})
    assert refused.value.code is Code.UPSTREAM_MALFORMED


def test_an_answer_is_no_larger_than_the_contract_says_in_either_form() -> None:
    message = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"a": leaf("string", sensitivity="public")},
    }
    contract = contract_of(message)
    both = translation([contract])
    for request, around in (
        (asked_by_rest(b'{"a":"1"}', target="/v1/rich"), b'{"a":""}'),
        (
            asked_by_soap(in_xml(contract, "rich.ask", {"a": "1"}), contract, "rich.ask"),
            in_xml(contract, "rich.ask", {"a": ""}, "answer").encode(),
        ),
    ):
        grant = granted(both.translate_in(request))
        room = 65536 - len(around)
        assert len(both.translate_out(grant, {"a": "x" * room})) == 65536
        with pytest.raises(Refusal) as refused:
            both.translate_out(grant, {"a": "x" * (room + 1)})
        assert refused.value.code is Code.UPSTREAM_MALFORMED


def test_an_answer_that_a_contract_does_not_know_is_none() -> None:
    payload = '<EchoResponse xmlns="urn:passerelle:echo:v1"><note>x</note></EchoResponse>'
    for content in (b'{"note":"x"}', b'{"message":"x","note":"y"}', b"{", parse(payload.encode())):
        with pytest.raises(Refusal):
            canonical_answer(CONTRACTS["echo"], "echo", content)


@pytest.mark.parametrize("text", ["\\u0000", "\\u001f", "\\ufffe", "\\uffff", "\x7f\\u000b"])
def test_what_xml_cannot_hold_json_may_not_say(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        BY_BOTH.translate_in(asked_by_rest(f'{{"message":"{text}"}}'.encode(), target="/v1/echo"))
    assert (refused.value.code, refused.value.component) == (Code.FIELD_INVALID, "message")


@pytest.mark.parametrize(
    ("given", "component"),
    [
        ('"count":5.5', "count"), ('"count":9007199254740992', None), ('"amount":"1.50"', "amount"),
        ('"amount":1.5', "amount"), ('"open":1', "open"), ('"open":"true"', "open"), ('"data":"AB=="', "data"),
        ('"moment":"2026-11-23T09:00:00+00:00"', "moment"), ('"moment":"2026-11-23t09:00:00z"', "moment"),
        ('"day":"0000-01-01"', "day"), ('"text":null', "text"), ('"words":[null]', "words.0"),
        ('"places":[{"name":"a","since":1}]', "places.0.since"), ('"places":[{}]', "places.0.name"),
        ('"other":1', "one"), ('"inner":{"more":1}', "inner.unknown field"),
    ],
)  # fmt: skip
def test_json_that_xml_could_not_say(given: str, component: str | None) -> None:
    body = '{"code":"a","text":"x","one":"1",%s}'
    first = given.partition(":")[0]
    plain = body.replace('"text":"x",', "" if first == '"text"' else '"text":"x",') % given
    with pytest.raises(Refusal) as refused:
        BY_BOTH.translate_in(asked_by_rest(plain.encode(), target="/v1/rich"))
    code = Code.BODY_MALFORMED if component is None else Code.FIELD_INVALID
    assert (refused.value.code, refused.value.component) == (code, component)


@pytest.mark.parametrize("text", ["5", "5.0", "50e-1", "0.5e1"])
def test_a_whole_number_is_one_however_json_writes_it(text: str) -> None:
    body = f'{{"code":"a","text":"x","one":"1","count":{text}}}'
    count = BY_BOTH.translate_in(asked_by_rest(body.encode(), target="/v1/rich")).fields["count"]
    assert (count, type(count)) == (5, int)


def test_versions_side_by_side() -> None:
    message = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"a": leaf("string", sensitivity="public")},
    }
    newer = message | {"properties": {"a": leaf("integer", sensitivity="public")}}
    one, two = contract_of(message), contract_of(newer, version="2", path="/v2/rich")
    both = translation([one, two])
    asked = [
        both.translate_in(asked_by_rest(b'{"a":"1"}', target="/v1/rich")),
        both.translate_in(asked_by_rest(b'{"a":1}', target="/v2/rich")),
        both.translate_in(asked_by_soap(in_xml(one, "rich.ask", {"a": "1"}), one, "rich.ask")),
        both.translate_in(asked_by_soap(in_xml(two, "rich.ask", {"a": 1}), two, "rich.ask")),
    ]
    assert [item.operation.version for item in asked] == ["1", "2", "1", "2"]
    assert [item.fields["a"] for item in asked] == ["1", 1, "1", 1]
    for item in asked:
        answer = {"a": item.fields["a"]}
        assert both.translate_out(granted(item), dict(answer))
        with pytest.raises(Refusal):
            both.translate_out(granted(item), {"a": 1 if answer["a"] == "1" else "1"})
    assert soap_names(one, "rich.ask").namespace != soap_names(two, "rich.ask").namespace


def test_a_version_on_its_way_out_says_so_in_both_forms() -> None:
    contract = CONTRACTS["echo"]
    leaves = Deprecation(since=date(2026, 1, 1), sunset=date(2027, 1, 1))
    old = contract.model_copy(update={"deprecated": leaves})
    leaving = translation([old])
    for request in (
        asked_by_rest(b'{"message":"a"}', target="/v1/echo"),
        asked_by_soap(in_xml(old, "echo", {"message": "a"}), old, "echo"),
    ):
        assert leaving.translate_in(request).headers == (
            ("Deprecation", "@1767225600"), ("Sunset", "Fri, 01 Jan 2027 00:00:00 GMT"),
        )  # fmt: skip
        assert BY_BOTH.translate_in(request).headers == ()


@pytest.mark.parametrize(
    ("target", "code", "component"),
    [
        ("", Code.FIELD_INVALID, "as_of"),
        ("?", Code.FIELD_INVALID, "unknown field"),
        ("?as_of", Code.FIELD_INVALID, "as_of"),
        ("?as_of=", Code.FIELD_INVALID, "as_of"),
        ("?as_of=2026-10-31&", Code.FIELD_INVALID, "unknown field"),
        ("?as_of=2026-10-31&as_of=2026-10-31", Code.FIELD_INVALID, "as_of"),
        ("?as_of=2026-10-31&more=1", Code.FIELD_INVALID, "unknown field"),
        ("?as%5Fof=2026-10-31", Code.FIELD_INVALID, "unknown field"),
        ("?as_of=2026%2D10-31", Code.FIELD_INVALID, "as_of"),
        ("?as_of=2026-10-31+", Code.FIELD_INVALID, "as_of"),
        ("?as_of=%202026-10-31", Code.FIELD_INVALID, "as_of"),
        ("?as_of=%ff", Code.FIELD_INVALID, "as_of"),
        ("?as_of=2026-02-30", Code.FIELD_INVALID, "as_of"),
        ("?as_of=2026-10-31&region=99", Code.FIELD_INVALID, "region"),
        ("/?as_of=2026-10-31", Code.OPERATION_UNKNOWN, None),
    ],
    ids=[
        "none", "empty", "name_alone", "no_value", "ampersand_after", "field_twice", "unknown_field",
        "encoded_letter_of_a_name", "encoded_dash", "plus_for_a_space", "space", "no_utf_8", "no_day",
        "not_in_the_list", "slash_after_the_path",
    ],
)  # fmt: skip
def test_a_query_has_one_spelling(target: str, code: Code, component: str | None) -> None:
    right = asked_by_rest(b"", method="GET", target="/v1/waitlist/statistics?region=06&as_of=2026-10-31")
    assert BY_BOTH.translate_in(right).fields == {"as_of": "2026-10-31", "region": "06"}
    with pytest.raises(Refusal) as refused:
        BY_BOTH.translate_in(asked_by_rest(b"", method="GET", target=f"/v1/waitlist/statistics{target}"))
    assert (refused.value.code, refused.value.component) == (code, component)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"method": "POST", "target": "/v1/waitlist/statistics?as_of=2026-10-31"}, Code.METHOD_NOT_ALLOWED),
        ({"body": b"{}", "target": "/v1/waitlist/statistics?as_of=2026-10-31"}, Code.BODY_MALFORMED),
        ({"target": "/v1/echo?message=a"}, Code.METHOD_NOT_ALLOWED),
        ({"method": "POST", "body": b'{"message":"a"}', "target": "/v1/echo?message=a"}, Code.OPERATION_UNKNOWN),
    ],
    ids=["another_method", "a_body", "get_of_a_post", "query_of_an_operation_without"],
)
def test_get_has_a_query_and_no_body(changes: dict[str, Any], code: Code) -> None:
    given = {"method": "GET", "body": b""} | changes
    with pytest.raises(Refusal) as refused:
        BY_BOTH.translate_in(asked_by_rest(given.pop("body"), **given))
    assert refused.value.code is code
