"""What the gateway publishes of its services: WSDL, schema, OpenAPI and readable pages, made once at start (C2).

Reads like those of the log: mutual TLS, no exchange. The addresses in them are below our own origin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from contracts.generate.error_pages import html_errors
from contracts.generate.openapi import openapi
from contracts.generate.pages import html_index, html_page
from contracts.generate.places import Served
from contracts.generate.wsdl import wsdl
from contracts.generate.xsd import xsd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from contracts.declaration import Contract
    from contracts.generate.error_table import ErrorEntry

_LANGUAGES: tuple[Literal["fr", "en"], ...] = ("fr", "en")
_XML = "text/xml; charset=utf-8"
#: The list of services, in French as everything is unless English is asked for.
_FRONT = "/docs/"


class Page(NamedTuple):
    """A document as it is served."""

    content_type: str
    body: bytes


def published(contracts: Sequence[Contract], errors: Sequence[ErrorEntry], origin: str) -> Mapping[str, Page]:
    """Every document by its raw target."""
    places = Served()
    pages = {places.openapi(): Page("application/json", openapi(contracts, errors, origin))}
    for contract in contracts:
        pages[places.wsdl(contract)] = Page(_XML, wsdl(contract, origin))
        pages[places.xsd(contract)] = Page(_XML, xsd(contract))
        for language in _LANGUAGES:
            pages[places.page(contract, language)] = _html(html_page(contract, language, errors))
    for language in _LANGUAGES:
        pages[places.index(language)] = _html(html_index(contracts, language))
        pages[places.errors(language)] = _html(html_errors(errors, language))
    pages[_FRONT] = pages[places.index("fr")]
    return pages


def _html(text: str) -> Page:
    return Page("text/html; charset=utf-8", text.encode())
