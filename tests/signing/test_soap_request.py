"""Step 2 for SOAP: what a right message gives, and what is kept of one that is refused (S4, C6)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.adapters.fakes import ShiftedClock, prove
from tests.attacks.soap_face import ATTACKS, OWN_HEADER, reply_to
from tests.signing.conftest import ORIGIN
from tests.signing.soap_drafts import SIGNED, find
from tests.signing.soap_face import Face, make_face

if TYPE_CHECKING:
    from lxml import etree

TOKENS = ("token", "issuer_serial", "thumbprint", "subject_key")


@pytest.fixture(scope="module")
def face() -> Face:
    return make_face()


@pytest.mark.parametrize("form", ["soap11", "soap12"])
@pytest.mark.parametrize("key", ["ecdsa", "rsa"])
@pytest.mark.parametrize("token", TOKENS)
def test_a_right_message_is_accepted_with_its_facts(face: Face, form: str, key: str, token: str) -> None:
    request = face.draft.but(form=form, key=face.keys[key], token=token).signed()
    verified = face.verify(request)
    signature = verified.signature
    assert (verified.form, signature.value, signature.nonce) == (form, request.signature, request.message_id)
    assert signature.key == prove(face.keys[key].der)
    assert signature.algorithm == ("ecdsa-p256-sha256" if key == "ecdsa" else "rsa-v1_5-sha256")
    assert verified.body is not None
    assert (verified.body.tag, verified.body[0].text) == ("{urn:passerelle:echo:v1}EchoRequest", "Bonjour, ça va?")
    for kept in ("ESSAI-MIN", "essai", request.message_id, ORIGIN, "SignedInfo"):
        assert kept in signature.public
    assert "Bonjour" not in signature.public


def test_what_clients_add_rightly_is_accepted(face: Face) -> None:
    """An anonymous ReplyTo, and headers that nobody must understand."""
    anonymous = ATTACKS["answer_to_somebody_else"][0]
    assert face.refusal(anonymous(face.draft)).code == "header_not_understood"

    def add(root: etree._Element) -> None:
        reply_to("http://www.w3.org/2005/08/addressing/anonymous")(root)
        OWN_HEADER(root)

    request = face.draft.but(before=add, parts=(*SIGNED, "ReplyTo")).signed()
    assert face.verify(request).signature.nonce == request.message_id


def test_a_refusal_keeps_the_message_id_only_where_it_is_a_uuid(face: Face) -> None:
    draft = face.draft
    request = draft.but(agreement="deux mots").signed()
    assert face.refusal(request).nonce == request.message_id
    assert face.refusal(draft.but(message_id="Jean Tremblay").signed()).nonce is None
    assert face.refusal(ATTACKS["dtd"][0](draft)).nonce is None
    assert face.refusal(ATTACKS["header_repeated"][0](draft)).nonce is not None
    twice = draft.but(after=lambda root: find(root, "Header").append(find(draft._envelope("urn:uuid:x"), "MessageID")))
    assert face.refusal(twice.signed()).nonce is None


def test_a_message_past_the_limit_is_not_read(face: Face) -> None:
    assert face.refusal(face.draft.signed(), oversize=True).code == "body_too_large"


@pytest.mark.parametrize(("seconds", "accepted"), [(-290, True), (-305, False), (25, True), (35, False)])
def test_a_message_is_accepted_within_the_window(face: Face, *, seconds: int, accepted: bool) -> None:
    created = ShiftedClock().now() + timedelta(seconds=seconds)
    request = face.draft.but(created=created, lifetime=timedelta(minutes=5)).signed()
    if accepted:
        assert face.verify(request).signature.created == int(created.timestamp())
    else:
        assert face.refusal(request).code == "created_out_of_window"
