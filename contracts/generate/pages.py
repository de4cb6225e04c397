"""A service's reference page, in French and in English: both forms, fields, limits, examples, errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.generate import xml
from contracts.generate.document import Code, Heading, Paragraph, Table, html, markdown
from contracts.generate.error_table import errors_of
from contracts.generate.examples import example, json_body, xml_element
from contracts.generate.fields import request_fields, response_fields
from contracts.generate.places import InRepository, Served
from contracts.generate.words import Words
from contracts.names import soap_names, soap_namespace, soap_path
from contracts.rest import rest_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contracts.declaration import Contract, Language, Operation
    from contracts.generate.document import Block
    from contracts.generate.error_table import ErrorEntry
    from contracts.generate.places import Places


def markdown_page(contract: Contract, language: Language, errors: Sequence[ErrorEntry]) -> str:
    """The page that stands beside contract.yaml."""
    return markdown(_page(contract, Words(language), errors, InRepository()))


def html_page(contract: Contract, language: Language, errors: Sequence[ErrorEntry]) -> str:
    """The page that the gateway serves at ``places.Served().page(contract, language)``."""
    return html(_page(contract, Words(language), errors, Served()), language)


def html_index(contracts: Sequence[Contract], language: Language) -> str:
    """The list of services that the gateway serves."""
    words, places = Words(language), Served()
    rows = [
        [
            f"[{contract.title[language]}]({places.page(contract, language)})",
            f"v{contract.version}",
            ", ".join(f"`{name}`" for name in contract.operations),
            f"[WSDL]({places.wsdl(contract)})",
        ]
        for contract in contracts
    ]
    links = f"[{words('openapi')}]({places.openapi()}) · [{words('errors_title')}]({places.errors(language)})"
    blocks: list[Block] = [
        Heading(1, words("index")),
        Paragraph(words("index_intro", other=places.index(words.other))),
        Table([words("service"), "Version", "Operations" if language == "en" else "Opérations", "SOAP"], rows),
        Paragraph(links),
    ]
    return html(blocks, language)


def _page(contract: Contract, words: Words, errors: Sequence[ErrorEntry], places: Places) -> list[Block]:
    language = words.language
    blocks: list[Block] = [
        Heading(1, f"{contract.title[language]} (`{contract.service}` v{contract.version})"),
        Paragraph(words("generated", other=places.page(contract, words.other))),
        *_leaving(contract, words),
        Paragraph(words("intro", profile=places.profile(), errors=places.errors(language))),
        Heading(2, words("forms")),
        Table([words("property"), words("value")], _descriptions(contract, words, places)),
    ]
    for name, operation in contract.operations.items():
        blocks += _operation(contract, name, words)
        blocks += _messages(contract, name, words)
        blocks += _errors(name, operation, words, errors, places)
    return blocks


def _leaving(contract: Contract, words: Words) -> list[Block]:
    said = contract.deprecated
    if said is None:
        return []
    text = words("deprecated", since=said.since.isoformat(), sunset=said.sunset.isoformat())
    return [Paragraph(f"{text} {words('successor', successor=said.successor)}" if said.successor else text)]


def _descriptions(contract: Contract, words: Words, places: Places) -> list[list[str]]:
    return [
        [words("openapi"), f"[`openapi.json`]({places.openapi()})"],
        [words("wsdl"), f"[`{contract.service}.wsdl`]({places.wsdl(contract)})"],
        [words("xsd"), f"[`{contract.service}.xsd`]({places.xsd(contract)})"],
        [words("namespace"), f"`{soap_namespace(contract)}`"],
    ]


def _operation(contract: Contract, name: str, words: Words) -> list[Block]:
    operation, names = contract.operations[name], soap_names(contract, name)
    limits, unit = operation.limits, words("bytes")
    rows = [
        [words("rest"), f"`{operation.rest.method} {operation.rest.path}`"],
        [words("soap"), f"`POST {soap_path(contract)}`"],
        [words("elements"), f"`{names.request}`, `{names.response}`"],
        [words("action"), f"`{names.action}`"],
        [words("answer_action"), f"`{names.answer_action}`"],
        [words("idempotent"), words("yes" if operation.idempotent else "no")],
        [words("request_bytes"), f"{limits.request_bytes} {unit}"],
        [words("response_bytes"), f"{limits.response_bytes} {unit}"],
        [words("deadline"), f"{limits.deadline_seconds:g} {words('seconds')}"],
    ]
    return [
        Heading(2, f"`{name}`: {operation.title[words.language]}", name),
        Paragraph(operation.description[words.language]),
        Table([words("property"), words("value")], rows),
    ]


def _messages(contract: Contract, name: str, words: Words) -> list[Block]:
    operation = contract.operations[name]
    asked = example(operation.request, f"{name}.request")
    answered = example(operation.response, f"{name}.response")
    body = json_body(operation, "request", asked)
    line = f"{operation.rest.method} {rest_target(operation, asked)}\n"
    return [
        Heading(3, words("request"), f"{name}.request"),
        *request_fields(operation, words),
        Heading(3, words("response"), f"{name}.response"),
        *response_fields(operation, words),
        Heading(3, words("example"), f"{name}.example"),
        Paragraph(words("example_request")),
        Code("http", line if body is None else f"{line}\n{body.decode()}"),
        Code("xml", _fragment(contract, name, "request", asked)),
        Paragraph(words("example_response")),
        Code("json", (json_body(operation, "response", answered) or b"").decode()),
        Code("xml", _fragment(contract, name, "response", answered)),
    ]


def _fragment(contract: Contract, name: str, part: str, fields: dict[str, object]) -> str:
    return xml.fragment(xml_element(contract, name, part, fields))


def _errors(name: str, operation: Operation, words: Words, errors: Sequence[ErrorEntry], places: Places) -> list[Block]:
    language = words.language
    rows = [
        [f"[`{entry.code}`]({places.errors(language, entry.code)})", str(entry.status), entry.title[language]]
        for entry in errors_of(operation, errors)
        if entry.code in operation.errors
    ]
    return [
        Heading(3, words("errors"), f"{name}.errors"),
        Table([words(word) for word in ("code", "status", "title")], rows),
        Paragraph(words("errors_intro", errors=places.errors(language))),
    ]
