"""The gateway's SOAP answers: what S3 and S4 say is signed, by our verifier and by one that is not ours."""

from __future__ import annotations

import json
import uuid
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import xmlsec
from lxml import etree

from gateway.errors import Code, Refusal
from gateway.identity.parties import keyid
from gateway.keys.raw import P256_ORDER
from gateway.messages.table import ErrorTable
from gateway.model import AnswerToSign, Content, Party, Received
from gateway.signing import soap_names as n
from gateway.signing.answer_key import AnswerKey
from gateway.signing.soap_answer import SoapSigning
from gateway.signing.soap_request import SoapRequestVerifier
from gateway.signing.soap_verify import Expected, SoapVerifier
from gateway.signing.xml import canonical, parse
from tests.adapters.fakes import MemoryKeystore, ShiftedClock, prove
from tests.signing.conftest import ORIGIN, FixedSigners
from tests.signing.soap_drafts import SoapDraft, find
from tests.signing.test_soap_sign import xmlsec_verify

if TYPE_CHECKING:
    from gateway.model import Form, SignedAnswer
    from tests.signing.conftest import Bench
    from tests.signing.soap_drafts import SignedSoap

PAYLOAD = (
    '<p:EchoResponse xmlns:p="urn:passerelle:echo:v1"><p:message>Ça &amp; là &lt;ici&gt;</p:message></p:EchoResponse>'
)
LEAF, BY = b64encode(bytes(32)).decode(), "2026-11-22T12:00:10Z"
VERSIONS: dict[Form, n.Soap] = {"soap11": n.SOAP_11, "soap12": n.SOAP_12}
LEDGER = frozenset({n.EXCHANGE_ID, n.LEDGER_LEAF, n.LEDGER_BY})
FORMS = pytest.mark.parametrize("form", ["soap11", "soap12"])


class Answering:
    """One request, verified, and the answers that are signed for it."""

    def __init__(self, bench: Bench, form: Form) -> None:
        caller = bench.keys["ecdsa-p256-sha256"]
        verifier = SoapRequestVerifier(ORIGIN, FixedSigners({keyid(caller.der): ("ministry", caller)}))
        self.form = form
        self.gateway = bench.other
        self.signing = SoapSigning(verifier, AnswerKey(MemoryKeystore(bench.other), prove), ShiftedClock())
        self.asked: SignedSoap = SoapDraft(caller, ORIGIN, form=form).signed()
        self.received = self.arrived(self.asked.body)
        self.request = self.signing.verify(self.received, Party("ministry", prove(b"tls")))

    def arrived(self, body: bytes) -> Received:
        at, target = ShiftedClock().now(), self.asked.target
        return Received(uuid.uuid4(), "POST", target, self.asked.headers, body, b"", at, form=self.form)

    def sign(
        self, content: Content, *, proven: bool = True, recorded: bool = True, nonce: str | None = None
    ) -> SignedAnswer:
        received = self.received
        return self.signing.sign_answer(
            AnswerToSign(
                content=content,
                content_digest=self.signing.content_digest(received, content),
                exchange_id=str(received.exchange_id),
                ledger_leaf=LEAF if recorded else None,
                ledger_by=BY if recorded else None,
                received=received,
                request=self.request if proven else None,
                nonce=None if proven else nonce,
                at=datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC) if recorded else None,
            )
        )

    def fault(self) -> Content:
        return ErrorTable().content(Refusal(Code.SALT_INVALID, component="salt"), "an-id", self.received)

    def expected(self, **changes: object) -> Expected:
        given: dict[str, object] = {"relates_to": self.asked.message_id, "soap": VERSIONS[self.form]}
        return Expected(**({"required": frozenset()} | given | changes))  # type: ignore[arg-type]  # a test's shorthand

    def verifier(self) -> SoapVerifier:
        shift = datetime(2026, 11, 22, 12, 0, 5, tzinfo=UTC) - ShiftedClock().now()
        return SoapVerifier(prove, ShiftedClock(shift))


@FORMS
def test_an_answer_signs_what_s4_names(bench: Bench, form: Form) -> None:
    answering = Answering(bench, form)
    content = Content(200, "text/xml; charset=utf-8", PAYLOAD.encode(), (("Sunset", "soon"),))
    signed = answering.sign(content)
    expected = answering.expected(
        required=n.ANSWER_PARTS | LEDGER,
        action="urn:passerelle:echo:v1/EchoResponse",
        confirms=answering.asked.signature,
    )
    verified = answering.verifier().verify(signed.released.body, expected)
    assert verified.facts.parts == n.ANSWER_PARTS | LEDGER
    exchange_id = str(answering.received.exchange_id)
    assert verified.facts.own == {"Exchange-Id": exchange_id, "Ledger-Leaf": LEAF, "Ledger-By": BY}
    assert verified.facts.message_id == f"urn:uuid:{exchange_id}"
    assert verified.facts.created == datetime(2026, 11, 22, 12, 0, 0, 123000, tzinfo=UTC)
    assert verified.facts.expires == verified.facts.created + timedelta(minutes=5)
    assert verified.body[0].text == "Ça & là <ici>"
    assert (signed.released.status, signed.released.recorded) == (200, True)
    assert signed.released.headers == (("Content-Type", "text/xml; charset=utf-8"), ("Sunset", "soon"))
    digest = answering.signing.content_digest(answering.received, content)
    assert b64decode(digest[len("sha-256=:") : -1]) == verified.facts.body_digest


@FORMS
def test_what_is_written_is_in_canonical_form_already(bench: Bench, form: Form) -> None:
    """Every block as lxml canonicalises it out of the whole message, so that any verifier finds the same digests."""
    answering = Answering(bench, form)
    signed = answering.sign(Content(200, "x", PAYLOAD.encode()))
    root = parse(signed.released.body)
    kept = json.loads(signed.base)
    nodes = {node.get(n.WSU_ID): node for node in root.iter() if n.WSU_ID in node.attrib}
    assert kept["headers"].keys() == nodes.keys() - {"id-Body", "id-Token"}
    for name, block in kept["headers"].items():
        assert canonical(nodes[name]) == b64decode(block)
    assert canonical(find(root, "SignedInfo")) == b64decode(kept["signed_info"])
    assert etree.tostring(find(root, "Body"), method="c14n", exclusive=True) in signed.released.body
    r, s = (int.from_bytes(part) for part in (signed.signature[:32], signed.signature[32:]))
    assert r > 0
    assert s <= P256_ORDER // 2


@FORMS
@pytest.mark.parametrize("status", [200, 500])
def test_the_library_of_others_accepts_it_and_finds_each_change(bench: Bench, form: Form, status: int) -> None:
    answering = Answering(bench, form)
    content = Content(200, "x", PAYLOAD.encode()) if status == 200 else answering.fault()
    data = answering.sign(content).released.body
    xmlsec_verify(data, answering.gateway.der)
    changes = ((b'-Body">', b'-Body"> '), (b"Z</wsu:Expires", b"1Z</wsu:Expires"), (BY.encode(), b"later"))
    for old, new in changes:
        assert old in data
        with pytest.raises(xmlsec.Error):
            xmlsec_verify(data.replace(old, new), answering.gateway.der)


@FORMS
def test_before_the_salt_was_claimed_the_fault_covers_nothing_of_the_request(bench: Bench, form: Form) -> None:
    """C6: no SignatureConfirmation; RelatesTo, since the MessageID was strictly valid."""
    answering = Answering(bench, form)
    signed = answering.sign(answering.fault(), proven=False, nonce=answering.asked.message_id)
    facts = answering.verifier().verify(signed.released.body, answering.expected(action=n.FAULT_ACTION)).facts
    assert facts.parts == (n.ANSWER_PARTS | LEDGER) - {n.CONFIRMATION}
    for secret in (answering.asked.signature, b"Bonjour"):
        assert b64encode(secret) not in signed.base
    assert b64encode(answering.asked.signature) not in signed.released.body


@FORMS
def test_a_fault_about_what_could_not_be_read_relates_to_nothing(bench: Bench, form: Form) -> None:
    answering = Answering(bench, form)
    signed = answering.sign(answering.fault(), proven=False)
    facts = answering.verifier().verify(signed.released.body, answering.expected(relates_to=None)).facts
    assert facts.parts == (n.ANSWER_PARTS | LEDGER) - {n.CONFIRMATION, n.RELATES_TO}


@FORMS
def test_an_answer_that_was_not_recorded_names_no_leaf(bench: Bench, form: Form) -> None:
    answering = Answering(bench, form)
    signed = answering.sign(answering.fault(), recorded=False)
    verifier = SoapVerifier(prove, ShiftedClock())
    facts = verifier.verify(signed.released.body, answering.expected(confirms=answering.asked.signature)).facts
    assert facts.own.keys() == {"Exchange-Id"}
    assert signed.released.recorded is False
