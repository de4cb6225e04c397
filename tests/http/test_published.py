"""WSDL, schema, OpenAPI and pages as the gateway serves them: mutual TLS, our own origin, nothing that runs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from certs.profiles import Profile
from contracts.generate.error_table import read_errors
from contracts.loader import load_contracts
from gateway.http.published import published
from gateway.messages.table import table_content
from gateway.signing.xml import parse
from tests.exchange.live import ROOT

if TYPE_CHECKING:
    from tests.exchange.live import LiveGateway

TARGETS = {
    "/soap/nirec/v1?wsdl": "text/xml; charset=utf-8",
    "/soap/nirec/v1?xsd=1": "text/xml; charset=utf-8",
    "/openapi.json": "application/json",
    "/docs/": "text/html; charset=utf-8",
    "/docs/fr": "text/html; charset=utf-8",
    "/docs/nirec/v1/en": "text/html; charset=utf-8",
    "/docs/errors/fr": "text/html; charset=utf-8",
}


@pytest.mark.parametrize("target", TARGETS)
def test_a_document_is_served_to_parties_and_to_nobody_else(live: LiveGateway, target: str) -> None:
    shown = live.get(target)
    assert (shown.status, shown.headers["content-type"]) == (200, TARGETS[target])
    assert "script" not in shown.headers["content-security-policy"]
    assert b"<script" not in shown.body
    stranger = live.issue("ministry", Profile.TLS_CLIENT, ["stranger.passerelle.test"])
    refused = live.get(target, stranger)
    assert refused.status in (403, 500)
    assert b"party_unknown" in refused.body
    for wrong in (f"{target}&", f"{target}/", target.upper()):
        assert live.get(wrong).status != 200


def test_the_addresses_in_them_are_ours(live: LiveGateway) -> None:
    assert f'location="{live.origin}/soap/nirec/v1"'.encode() in live.get("/soap/nirec/v1?wsdl").body
    assert json.loads(live.get("/openapi.json").body)["servers"][0]["url"] == live.origin


def test_every_link_in_a_page_leads_to_a_document_that_is_served() -> None:
    contracts = load_contracts(ROOT / "contracts")
    pages = published(contracts, read_errors(table_content()), "https://passerelle.test")
    links = [
        (target, link)
        for target, page in pages.items()
        if page.content_type.startswith("text/html")
        for link in re.findall(r'href="([^"]+)"', page.body.decode())
    ]
    assert len(links) > 20
    for target, link in links:
        path, _, anchor = link.partition("#")
        document = pages[path or target]
        assert not anchor or f'id="{anchor}"' in document.body.decode(), (target, link)


def test_a_wsdl_is_one_that_our_own_parser_reads() -> None:
    pages = published(load_contracts(ROOT / "contracts"), read_errors(table_content()), "https://passerelle.test")
    wsdls = [page.body for target, page in pages.items() if target.endswith("?wsdl")]
    assert len(wsdls) >= 4
    for wsdl in wsdls:
        assert parse(wsdl).tag == "{http://schemas.xmlsoap.org/wsdl/}definitions"
