"""A refusal as a SOAP Fault: the same words as a problem, each version's shape, canonical as it stands in the Body."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from gateway.errors import Code, Refusal
from gateway.messages.table import ErrorTable
from gateway.model import Received
from gateway.signing import soap_names as n
from gateway.signing.xml import canonical, parse

if TYPE_CHECKING:
    from lxml import etree

    from gateway.model import Form

VERSIONS: dict[Form, n.Soap] = {"soap11": n.SOAP_11, "soap12": n.SOAP_12}
PX = "{urn:passerelle:exchange:v1}"
FORMS = pytest.mark.parametrize("form", ["soap11", "soap12"])


def received(form: Form, language: str = "") -> Received:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    return Received(UUID(int=0), "POST", "/soap/echo/v1", {"accept-language": language}, b"", b"", at, form=form)


def fault(form: Form, refusal: Refusal, language: str = "") -> tuple[int, etree._Element]:
    content = ErrorTable().content(refusal, "an-id", received(form, language))
    opening = f'<soap:Body xmlns:soap="{VERSIONS[form].namespace}">'.encode()
    body = opening + content.body + b"</soap:Body>"
    root = parse(body)
    assert canonical(root) == body
    assert root[0].tag == VERSIONS[form].fault
    return content.status, root[0]


@FORMS
@pytest.mark.parametrize("code", Code)
def test_every_code_has_the_problem_s_words(form: Form, code: Code) -> None:
    table, refusal = ErrorTable(), Refusal(code, component="salt<", reason="expired")
    status, element = fault(form, refusal, "en")
    problem = json.loads(table.render(refusal, "an-id", "en").body)
    row = table.row(code)
    told = [(str(node.tag).removeprefix(PX), node.text) for node in element.iter() if str(node.tag).startswith(PX)][1:]
    more = [] if row.retry_after is None else [("retry_after", str(row.retry_after))]
    words = row.next_soap or row.next
    assert told == [
        ("code", code.value),
        ("exchange_id", "an-id"),
        ("title", problem["title"]),
        ("title", problem["title_fr"]),
        ("detail", words["en"]),
        ("detail", words["fr"]),
        ("component", "salt<"),
        ("reason", "expired"),
        *more,
    ]
    assert status == (400 if form == "soap12" and row.status < 500 else 500)


def test_soap_11_says_it_in_the_caller_s_language() -> None:
    _, element = fault("soap11", Refusal(Code.REPLAYED))
    assert [child.tag for child in element] == ["faultcode", "faultstring", "detail"]
    assert element[0].text == "soap:Client"
    assert element[1].text == ErrorTable().row(Code.REPLAYED).title["fr"]
    assert fault("soap11", Refusal(Code.REPLAYED), "en")[1][1].text == ErrorTable().row(Code.REPLAYED).title["en"]
    assert fault("soap11", Refusal(Code.INTERNAL))[1][0].text == "soap:Server"


def test_soap_12_says_it_in_both() -> None:
    _, element = fault("soap12", Refusal(Code.REPLAYED))
    names = [str(child.tag).removeprefix(f"{{{n.SOAP12}}}") for child in element]
    assert names == ["Code", "Reason", "Detail"]
    assert element[0][0].text == "soap:Sender"
    assert [text.get("{http://www.w3.org/XML/1998/namespace}lang") for text in element[1]] == ["fr", "en"]
    assert fault("soap12", Refusal(Code.UPSTREAM_TIMEOUT))[1][0][0].text == "soap:Receiver"


@FORMS
def test_a_header_that_is_not_understood_has_soap_s_own_code(form: Form) -> None:
    _, element = fault(form, Refusal(Code.HEADER_NOT_UNDERSTOOD))
    assert element[0].xpath("string()") == "soap:MustUnderstand"


@FORMS
def test_what_cannot_be_signed_leaves_as_a_whole_message(form: Form) -> None:
    content = ErrorTable().unsigned(Refusal(Code.NOT_RECORDED), "an-id", received(form))
    root = parse(content.body)
    assert [root.tag, root[0].tag, root[0][0].tag] == [
        VERSIONS[form].envelope,
        VERSIONS[form].body,
        VERSIONS[form].fault,
    ]
    assert ("Retry-After", "5") in content.headers


def test_the_words_of_next_soap_are_in_both_languages() -> None:
    rows = [row for code in Code if (row := ErrorTable().row(code)).next_soap is not None]
    assert rows
    for row in rows:
        assert row.next_soap is not None
        assert row.next_soap.keys() == {"fr", "en"}
        assert row.next_soap["fr"] != row.next_soap["en"]
