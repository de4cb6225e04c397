"""Acknowledgements by SOAP (L12): evidence keeps the Body that the caller signed; the gateway cannot make one up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lxml import etree

from gateway.audit.audit import audit
from gateway.audit.verdict import Fault
from gateway.ledger.encoding import decode64, encode64
from tests.audit.forge import Forger
from tests.audit.kept_by_both import NIL
from tests.audit.soap_forge import SoapExchange, text_element
from tests.audit.translated import Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("acknowledged"))


class Acknowledged:
    """The acknowledgement by REST, made by SOAP instead; the caller signs ``fields`` where they are another."""

    def __init__(self, run: Run, folder: Path) -> None:
        self._forger = Forger(run.gateway)
        self._items = self._forger.copy()
        self._item = next(one for one in self._items if str(one.leaf.exchange_id) == run.acknowledged)
        self._folder, self._trust = folder, run.trust

    def faults(self, fields: dict[str, str], change: Callable[[dict[str, Any]], Any]) -> set[Fault]:
        """``change`` is of what evidence says of the acknowledgement."""
        made = SoapExchange(self._forger, self._item, "ministry")
        made.asked.body = self._payload(made.asked.body.tag, self._item.evidence["acknowledges"] | fields)
        body = encode64(made.asked.canonical_body())

        def told(evidence: dict[str, Any]) -> None:
            evidence["acknowledges"]["body"] = body
            change(evidence["acknowledges"])

        made.change = told
        made.write()
        log = self._forger.write(self._items, self._folder)
        return {one.code for one in audit(log, self._trust).findings}

    def _payload(self, tag: str, said: dict[str, Any]) -> etree._Element:
        root = text_element(tag)
        for name in ("exchange_id", "ledger_leaf", "answer_digest", "handle"):
            element = etree.SubElement(root, tag.partition("}")[0] + "}" + name)
            element.text = said[name]
            if said[name] is None:
                element.set(NIL, "true")
        return root


@pytest.fixture
def acknowledged(run: Run, tmp_path: Path) -> Acknowledged:
    return Acknowledged(run, tmp_path / "forged")


def test_it_holds_as_one_by_rest_does(acknowledged: Acknowledged) -> None:
    assert acknowledged.faults({}, lambda _said: None) == set()


@pytest.mark.parametrize(
    ("name", "value"),
    [("answer_digest", f"sha-256=:{encode64(bytes(32))}:"), ("handle", "0" * 64), ("ledger_leaf", encode64(bytes(32)))],
    ids=["answer_digest", "handle", "ledger_leaf"],
)
def test_a_body_that_says_something_else(acknowledged: Acknowledged, name: str, value: str) -> None:
    assert acknowledged.faults({name: value}, lambda _said: None) == {Fault.ACKNOWLEDGEMENT_DIFFERS}


def test_a_body_that_the_contract_does_not_know(acknowledged: Acknowledged) -> None:
    assert acknowledged.faults({"ledger_leaf": "none"}, lambda _said: None) == {Fault.ACKNOWLEDGEMENT_DIFFERS}


def _under_another_id(said: dict[str, Any]) -> None:
    said["body"] = encode64(decode64(said["body"]).replace(b"id-Body", b"id-None"))


def test_a_body_that_the_caller_did_not_sign(acknowledged: Acknowledged) -> None:
    """It says what evidence says, word for word."""
    assert acknowledged.faults({}, _under_another_id) == {Fault.ACKNOWLEDGEMENT_DIFFERS}


def test_a_body_that_is_not_there(acknowledged: Acknowledged) -> None:
    assert acknowledged.faults({}, lambda said: said.pop("body")) == {Fault.ACKNOWLEDGEMENT_DIFFERS}


def test_a_body_that_is_no_xml(acknowledged: Acknowledged) -> None:
    assert acknowledged.faults({}, lambda said: said.update(body=encode64(b"<x"))) == {Fault.ACKNOWLEDGEMENT_DIFFERS}
