"""What stands in a Body: read as the contract has it, or refused, the field named and its value never (C7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from lxml import etree

from contracts.names import soap_path
from gateway.errors import Code, PasserelleError, Refusal
from gateway.translation.xml_error import XmlFormError
from gateway.translation.xml_form import XmlForm
from tests.translation.asked import (
    CONTRACTS,
    ENVELOPE,
    NIREC,
    RICH,
    SALT,
    asked_by_rest,
    asked_by_soap,
    contract_of,
    leaf,
    person,
    translation,
)

if TYPE_CHECKING:
    from gateway.model import VerifiedRequest

TRANSLATION = translation()
RICHLY = translation([RICH])
XSI = "http://www.w3.org/2001/XMLSchema-instance"
UNKNOWN = "unknown field"


def refused(request: VerifiedRequest, by: Any = TRANSLATION) -> tuple[Code, str | None]:
    with pytest.raises(Refusal) as found:
        by.translate_in(request)
    assert NIREC not in str(found.value)
    return found.value.code, found.value.component


def verify(payload: str, **changes: Any) -> VerifiedRequest:
    return asked_by_soap(payload, CONTRACTS["nirec"], "nirec.verify", **changes)


def rich(inside: str, attributes: str = 'code="a"') -> VerifiedRequest:
    payload = f'<RichAskRequest xmlns="urn:passerelle:rich:v1" xmlns:i="{XSI}" {attributes}>{inside}</RichAskRequest>'
    return asked_by_soap(payload, RICH, "rich.ask")


@pytest.mark.parametrize(
    ("payload", "component"),
    [
        (person().replace("<birth_date>", "<other>x</other><birth_date>"), UNKNOWN),
        (person().replace("<birth_date>", f"<n{NIREC}/><birth_date>"), UNKNOWN),
        (person().replace("<salt>", "<birth_date>2024-02-29</birth_date><salt>"), "birth_date"),
        (person().replace("<birth_date>", "<given_names>x</given_names><birth_date>"), "given_names"),
        (person(family_name=None).replace("<birth_date>", "<family_name>Roy</family_name><birth_date>"), "family_name"),
        (person(given_names=None), "given_names"),
        (person(family_name="Tremblay<b/>"), "family_name"),
        (person().replace("<birth_date>", "2024<birth_date>"), "NirecVerifyRequest"),
        (person().replace("<nirec>", f"{NIREC}<nirec>"), "NirecVerifyRequest"),
        (person().replace("<nirec>", '<nirec id="x">'), "nirec"),
        (person().replace("<nirec>", f'<nirec xmlns:i="{XSI}" i:type="string">'), "nirec"),
        (person().replace("<nirec>", f'<nirec xmlns:i="{XSI}" i:nil="false">'), "nirec"),
        (person().replace(f"<nirec>{NIREC}", f'<nirec xmlns:i="{XSI}" i:nil="true">'), "nirec"),
        (person().replace("<nirec>", '<nirec xml:lang="fr">'), "nirec"),
        (person().replace("<nirec>", '<nirec xmlns="">'), UNKNOWN),
        (person().replace("<nirec>", '<nirec xmlns="urn:passerelle:nirec:v2">'), UNKNOWN),
        (person().replace(' xmlns="', ' id="x" xmlns="', 1), UNKNOWN),
        (person().replace(' xmlns="', f' xmlns:i="{XSI}" i:type="NirecVerifyRequest" xmlns="', 1), UNKNOWN),
        (person(nirec=f" {NIREC}"), "nirec"),
        (person(nirec=f"{NIREC}\n"), "nirec"),
        (person(nirec="12"), "nirec"),
        (person(nirec="१२३४५६७८९०१२३"), "nirec"),
        (person(nirec=""), "nirec"),
        (person(birth_date="2024-02-29Z"), "birth_date"),
        (person(birth_date="2024-02-29-05:00"), "birth_date"),
        (person(birth_date="2023-02-29"), "birth_date"),
        (person(birth_date="20240229"), "birth_date"),
        (person(birth_date=""), "birth_date"),
        (person(family_name=""), "family_name"),
        (person(family_name="x" * 121), "family_name"),
        (person(family_name="a&#9;b"), "family_name"),
    ],
    ids=[
        "unknown_element", "unknown_element_named_like_a_nirec", "element_twice", "element_twice_apart",
        "wrong_order", "missing_element", "element_in_a_text", "text_between_elements", "text_before_elements",
        "unknown_attribute", "xsi_type", "nil_false_where_never_null", "nil_where_never_null", "xml_lang",
        "no_namespace", "namespace_of_another_version", "attribute_of_the_payload", "xsi_type_of_the_payload",
        "nirec_with_a_space", "nirec_with_a_line_feed", "nirec_of_another_form", "nirec_in_another_script",
        "nirec_empty", "date_with_a_zone", "date_with_an_offset", "date_of_no_calendar", "date_without_dashes",
        "date_empty", "name_empty_valid_by_no_contract", "name_too_long", "name_with_a_control_character",
    ],
)  # fmt: skip
def test_a_body_that_breaks_the_contract(payload: str, component: str) -> None:
    assert TRANSLATION.translate_in(verify(person())).fields["family_name"] == "Tremblay"
    assert refused(verify(payload)) == (Code.FIELD_INVALID, component)


@pytest.mark.parametrize(
    ("salt", "message_id"),
    [
        (None, ""),
        ("", ""),
        ("AAAA", ""),
        ("no base64", ""),
        (SALT.rstrip("="), ""),
        (f"{SALT}<b/>", ""),
        (SALT[:8] + " " + SALT[8:], ""),
        (SALT, f"urn:x:{SALT}"),
        (SALT, f"urn:uuid:{UUID(bytes=bytes(range(16)))}"),
        (SALT, f"URN:UUID:{str(UUID(bytes=bytes(range(16)))).upper()}"),
    ],
    ids=[
        "missing", "empty", "short", "no_base64", "no_padding", "with_an_element", "with_a_space",
        "equal_to_the_message_id", "bytes_of_the_uuid", "bytes_of_the_uuid_in_capitals",
    ],
)  # fmt: skip
def test_a_salt_in_a_body(salt: str | None, message_id: str) -> None:
    changes = {"message_id": message_id} if message_id else {}
    assert TRANSLATION.translate_in(verify(person())).salt == bytes(range(16))
    assert refused(verify(person(salt=salt), **changes)) == (Code.SALT_INVALID, "salt")


def test_white_space_around_a_salt_and_between_elements_is_xmls_own() -> None:
    pretty = person(salt=f"\n  {SALT}\t").replace("><", ">\n  <")
    assert TRANSLATION.translate_in(verify(pretty)).salt == bytes(range(16))


@pytest.mark.parametrize(
    ("changes", "code", "component"),
    [
        ({"target": "/soap/nirec/v2"}, Code.OPERATION_UNKNOWN, None),
        ({"target": "/soap/nirec/v1/"}, Code.OPERATION_UNKNOWN, None),
        ({"target": "/soap/nirec/v1?wsdl"}, Code.OPERATION_UNKNOWN, None),
        ({"target": "/soap/%6eirec/v1"}, Code.OPERATION_UNKNOWN, None),
        ({"target": "/v1/nirec/verifications"}, Code.OPERATION_UNKNOWN, None),
        ({"target": "/soap/echo/v1"}, Code.OPERATION_UNKNOWN, "Action"),
        ({"method": "PUT"}, Code.METHOD_NOT_ALLOWED, None),
        ({"action": ""}, Code.OPERATION_UNKNOWN, "Action"),
        ({"action": "urn:passerelle:nirec:v1/nirecverify"}, Code.OPERATION_UNKNOWN, "Action"),
        ({"action": "urn:passerelle:nirec:v1/NirecVerifyResponse"}, Code.OPERATION_UNKNOWN, "Action"),
        ({"envelope": ENVELOPE.replace("{}", "{}" + person())}, Code.BODY_MALFORMED, "Body"),
        ({"envelope": ENVELOPE.replace("{}", "{}<x/>")}, Code.BODY_MALFORMED, "Body"),
        ({"envelope": ENVELOPE.replace("{}", "text{}")}, Code.BODY_MALFORMED, "Body"),
        ({"envelope": ENVELOPE.replace("{}", "{}text")}, Code.BODY_MALFORMED, "Body"),
        ({"envelope": ENVELOPE.replace('Id="b"', 'Id="b" note="1"')}, Code.BODY_MALFORMED, "Body"),
    ],
    ids=[
        "another_version", "slash_after", "query", "encoded_letter", "path_of_rest", "another_service", "put",
        "no_action", "action_in_small_letters", "action_of_the_answer", "two_payloads", "element_beside",
        "text_before", "text_after", "attribute_of_the_body",
    ],
)  # fmt: skip
def test_a_message_that_is_no_operation(changes: dict[str, Any], code: Code, component: str | None) -> None:
    assert refused(verify(person(), **changes)) == (code, component)


@pytest.mark.parametrize(
    "payload",
    [
        person().replace("NirecVerifyRequest", "NirecVerifyResponse"),
        person().replace("NirecVerifyRequest", "nirecverifyrequest"),
        person().replace("nirec:v1", "nirec:v2"),
        person().replace("urn:passerelle:nirec:v1", "http://tempuri.org/"),
        person().replace(' xmlns="urn:passerelle:nirec:v1"', ""),
        '<EchoRequest xmlns="urn:passerelle:echo:v1"><message>a</message></EchoRequest>',
    ],
    ids=["answers_element", "small_letters", "another_version", "another_namespace", "no_namespace", "another_service"],
)
def test_path_action_and_payload_name_one_operation(payload: str) -> None:
    assert refused(verify(payload)) == (Code.OPERATION_UNKNOWN, "Body")


def test_an_action_of_another_operation_of_the_service() -> None:
    contract = CONTRACTS["subjects"]
    payload = (
        f'<SubjectMergeRequest xmlns="urn:passerelle:subjects:v1"><handle>{"0" * 64}</handle></SubjectMergeRequest>'
    )
    request = asked_by_soap(payload, contract, "subject.expect")
    assert request.received.target == soap_path(contract)
    assert refused(request) == (Code.OPERATION_UNKNOWN, "Body")


def test_a_message_past_the_contracts_limit() -> None:
    contract = CONTRACTS["acknowledgement"]
    request = asked_by_soap("<x/>" + " " * 18_000, contract, "exchange.acknowledge")
    assert refused(request) == (Code.BODY_TOO_LARGE, None)


def test_a_request_without_its_body_is_our_own_fault() -> None:
    with pytest.raises(PasserelleError) as found:
        TRANSLATION.translate_in(asked_by_rest(b"{}", form="soap11", target="/soap/nirec/v1"))
    assert not isinstance(found.value, Refusal)


ONE = "<one>1</one>"
TEXT = f"<text>x</text>{ONE}"


@pytest.mark.parametrize(
    ("request_", "component"),
    [
        (rich(TEXT, 'code="a" i:nil="true"'), UNKNOWN),
        (rich('<text i:nil="true"/><one>1</one>'), "text"),
        (rich(f'<text>x</text><maybe i:nil="true">x</maybe>{ONE}'), "maybe"),
        (rich(f'<text>x</text><maybe i:nil="true"> </maybe>{ONE}'), "maybe"),
        (rich(f'<text>x</text><maybe i:nil="true" a="b"/>{ONE}'), "maybe"),
        (rich(f'<text>x</text><maybe i:nil="false">x</maybe>{ONE}'), "maybe"),
        (rich(f'<text>x</text><maybe i:nil="yes"/>{ONE}'), "maybe"),
        (rich(f'<text>x</text><maybe i:nil="true"/><maybe>x</maybe>{ONE}'), "maybe"),
        (rich(f'{TEXT}<words><word i:nil="true"/></words>'), "words.0"),
        (rich(f'{TEXT}<inner i:nil="true"><deep/></inner>'), "inner"),
    ],
    ids=[
        "of_the_payload",
        "where_never_null",
        "with_a_text",
        "with_a_space",
        "with_an_attribute",
        "said_false",
        "neither_true_nor_false",
        "and_again_with_a_text",
        "of_an_item",
        "with_an_element",
    ],
)
def test_a_null_is_empty_and_where_it_may_be(request_: VerifiedRequest, component: str) -> None:
    assert RICHLY.translate_in(rich(f'<text>x</text><maybe i:nil="true"/>{ONE}')).fields["maybe"] is None
    assert refused(request_, RICHLY) == (Code.FIELD_INVALID, component)


RICHER = [
    (rich(TEXT, ""), "code"),
    (rich(TEXT, 'code="c"'), "code"),
    (rich(TEXT, 'code=" a"'), "code"),
    (rich(TEXT, 'code="a" Rank="1.0"'), "rank"),
    (rich(TEXT, 'code="a" rank="1"'), UNKNOWN),
    (rich(TEXT, 'code="a" i:code="a"'), UNKNOWN),
    (rich(f"<code>a</code>{TEXT}"), UNKNOWN),
    (rich("<text>x</text>"), "one"),
    (rich("<text>x</text><one>1</one><other>1</other>"), "one"),
    (rich(f"<text>x</text><maybe>{'é' * 21}</maybe>{ONE}"), "maybe"),
    (rich(f"<text>x</text><day>0999-01-01</day>{ONE}"), "day"),
    (rich(f"<text>x</text><day>12024-01-01</day>{ONE}"), "day"),
    (rich(f"<text>x</text><moment>2026-11-23T09:00:00</moment>{ONE}"), "moment"),
    (rich(f"<text>x</text><moment>2026-11-23T09:00:00+00:00</moment>{ONE}"), "moment"),
    (rich(f"<text>x</text><moment>2026-11-23T24:00:00Z</moment>{ONE}"), "moment"),
    (rich(f"<text>x</text><moment>2026-11-23T23:59:60Z</moment>{ONE}"), "moment"),
    (rich(f"<text>x</text><moment>2026-02-30T00:00:00Z</moment>{ONE}"), "moment"),
    (rich(f"<text>x</text><amount>1e3</amount>{ONE}"), "amount"),
    (rich(f"<text>x</text><amount>1,5</amount>{ONE}"), "amount"),
    (rich(f"<text>x</text><amount>.</amount>{ONE}"), "amount"),
    (rich(f"<text>x</text><amount/>{ONE}"), "amount"),
    (rich(f"<text>x</text><amount>{'9' * 19}</amount>{ONE}"), "amount"),
    (rich(f"<text>x</text><amount>NaN</amount>{ONE}"), "amount"),
    (rich(f"<text>x</text><count>9007199254740992</count>{ONE}"), "count"),
    (rich(f"<text>x</text><count>{'9' * 5000}</count>{ONE}"), "count"),
    (rich(f"<text>x</text><count>1_000</count>{ONE}"), "count"),
    (rich(f"<text>x</text><count>٣</count>{ONE}"), "count"),
    (rich(f"<text>x</text><count>1.0</count>{ONE}"), "count"),
    (rich(f"<text>x</text><open>TRUE</open>{ONE}"), "open"),
    (rich(f"<text>x</text><data>AB==</data>{ONE}"), "data"),
    (rich(f"<text>x</text><data>AAAA AAAA</data>{ONE}"), "data"),
    (rich(f"{TEXT}<words><word/><word/><word/><word/></words>"), "words"),
    (rich(f"{TEXT}<words><item/></words>"), f"words.{UNKNOWN}"),
    (rich(f"{TEXT}<words>x</words>"), "words"),
    (rich(f'{TEXT}<words a="b"/>'), "words"),
    (rich(f"{TEXT}<words/><words/>"), "words"),
    (rich(f"{TEXT}<word>x</word>"), UNKNOWN),
    (rich(f"{TEXT}<rows><item><item>1</item></item><item><item>x</item></item></rows>"), "rows.1.0"),
    (rich(f"{TEXT}<rows><item><item>1</item></item>, </rows>"), "rows"),
    (rich(f"{TEXT}<Places><place><name/></place></Places>"), "places.0.name"),
    (rich(f"{TEXT}<Places><place/></Places>"), "places.0.name"),
    (rich(f'{TEXT}<Places><place open="maybe"><name>x</name></place></Places>'), "places.0.open"),
    (rich(f"{TEXT}<Places><place><name>x</name><more/></place></Places>"), f"places.0.{UNKNOWN}"),
    (rich(f"{TEXT}<places/>"), UNKNOWN),
    (rich(f"{TEXT}<inner><deep>x</deep>y</inner>"), "inner"),
]


@pytest.mark.parametrize(
    ("request_", "component"), RICHER, ids=[f"{component}_{place}" for place, (_, component) in enumerate(RICHER)]
)
def test_a_richer_body_that_breaks_the_contract(request_: VerifiedRequest, component: str) -> None:
    assert refused(request_, RICHLY) == (Code.FIELD_INVALID, component)


def test_all_that_xml_may_spell_in_another_way() -> None:
    inside = (
        "<text> deux\n mots &amp; <![CDATA[<b>]]></text><maybe/><day>\n2024-02-29 </day>"
        "<moment> 2026-11-23T09:00:00.120Z</moment><amount>+01.50</amount><count>-007</count><open> 1 </open>"
        '<data>\tAAA=\n</data><other i:nil="1"/><words> </words><rows><item/><item> <item> +3 </item></item></rows>'
        '<Places> <place open="0"><name>é</name><since i:nil="true"></since></place></Places><inner/>'
    )
    assert RICHLY.translate_in(rich(inside, 'Rank=" 5 " code="b c"')).fields == {
        "code": "b c", "rank": 5, "text": " deux\n mots & <b>", "maybe": "", "day": "2024-02-29",
        "moment": "2026-11-23T09:00:00.120Z", "amount": "1.5", "count": -7, "open": True, "data": "AAA=", "other": None,
        "words": [], "rows": [[], [3]], "places": [{"name": "é", "since": None, "open": False}], "inner": {},
    }  # fmt: skip


@pytest.mark.parametrize("text", ["-0", "+0.00", ".0", "-.0", "0000"])
def test_nothing_is_one_decimal(text: str) -> None:
    request = rich(f"<text>x</text><amount>{text}</amount>{ONE}")
    assert RICHLY.translate_in(request).fields["amount"] == "0"


class Unparsed:
    """Elements that our parser never makes: what would come of them all the same."""

    form = XmlForm(RICHLY._soap._by_path["/soap/rich/v1"]["urn:passerelle:rich:v1/RichAsk"].request.shape, "urn:x", "R")


@pytest.mark.parametrize(
    "document",
    [
        '<R xmlns="urn:x" code="a"><text>x<!--y--></text><one/></R>',
        '<R xmlns="urn:x" code="a"><!--y--><text>x</text><one/></R>',
        '<R xmlns="urn:x" code="a"><text>x</text><?y z?><one/></R>',
        '<R xmlns="urn:x" code="a"><text>x</text><one><?y z?></one></R>',
        '<!DOCTYPE R [<!ENTITY e "x">]><R xmlns="urn:x" code="a"><text>&e;</text><one/></R>',
    ],
    ids=["comment_in_a_text", "comment", "instruction", "instruction_in_a_text", "entity"],
)
def test_what_the_parser_refuses_the_codec_refuses_too(document: str) -> None:
    parser = etree.XMLParser(resolve_entities=False)
    right = etree.fromstring('<R xmlns="urn:x" code="a"><text>x</text><one/></R>', parser)  # noqa: TID251  unhardened
    assert Unparsed.form.read(right) == {"code": "a", "text": "x", "one": ""}
    with pytest.raises(XmlFormError):
        Unparsed.form.read(etree.fromstring(document, parser))  # noqa: TID251  the same


@pytest.mark.parametrize(
    ("fields", "component"),
    [
        ({"code": "a", "one": ""}, "text"),
        ({"code": "a", "text": "x"}, "one"),
        ({"code": "a", "text": "x", "one": "", "other": None}, "one"),
        ({"code": "a", "text": "x", "one": "", NIREC: 1}, UNKNOWN),
        ({"code": "a", "text": None, "one": ""}, "text"),
        ({"code": "a\x00", "text": "x", "one": ""}, "code"),
        ({"code": "a", "text": "\ufffe", "one": ""}, "text"),
        ({"code": "a", "text": "\ud800", "one": ""}, "text"),
        ({"code": "a", "text": 1.5, "one": ""}, "text"),
        ({"code": "a", "text": "x", "one": "", "words": "abc"}, "words"),
        ({"code": "a", "text": "x", "one": "", "words": ["a", None]}, "words.1"),
        ({"code": "a", "text": "x", "one": "", "inner": []}, "inner"),
        ({"code": "a", "text": "x", "one": "", "places": [{"name": "a", "since": b"x"}]}, "places.0.since"),
    ],
)  # fmt: skip
def test_fields_that_are_no_message_are_not_written(fields: dict[str, Any], component: str) -> None:
    with pytest.raises(XmlFormError) as found:
        Unparsed.form.write(fields)
    assert found.value.component == component


def test_a_salt_that_is_in_no_contract() -> None:
    plain = {"type": "object", "additionalProperties": False, "required": [], "properties": {}}
    contract = contract_of(plain | {"properties": {"a": leaf("string", sensitivity="public")}}, service="plain")
    payload = f'<PlainAskRequest xmlns="urn:passerelle:plain:v1"><salt>{SALT}</salt></PlainAskRequest>'
    request = asked_by_soap(payload, contract, "plain.ask")
    assert refused(request, translation([contract])) == (Code.FIELD_INVALID, UNKNOWN)
