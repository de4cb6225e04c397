"""Answers that the sandbox never gives: signed by the registry's true key, and of no use all the same."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from adapters.channel import Channel, HttpAnswer
from adapters.civil_registry.adapter import contract_directory
from adapters.civil_registry.sandbox.answering import SigningIdentity, signed_answer
from adapters.civil_registry.sandbox.checking import CheckedRequest
from adapters.civil_registry.sandbox.service import ANSWER_ACTION, NAMESPACE
from adapters.mapping.soap_form import soap_service
from adapters.salts import Salts
from adapters.soap import MEDIA_TYPE, SoapClient, SoapDialogue, SoapRequest
from adapters.system import OutsideSystem
from gateway.errors import Code, Refusal
from gateway.model import UpstreamRefusal
from gateway.signing.soap_sign import SoapSigner
from gateway.signing.soap_verify import SoapVerifier
from gateway.signing.xml import parse
from tests.adapters.conftest import CONTRACTS, World, grant_for
from tests.adapters.fakes import MemoryKeystore, SystemRandomness, prove

if TYPE_CHECKING:
    from collections.abc import Callable

    Craft = Callable[["CraftingClient", SoapRequest], bytes]


OPERATION = soap_service(contract_directory(), CONTRACTS).operations["nirec.verify/v1"]


class CraftingClient(SoapClient):
    """A client whose upstream answers whatever a test makes; nothing is sent."""

    craft: Craft
    world: World

    def send(self, request: SoapRequest, timeout: float) -> HttpAnswer:
        assert timeout > 0
        return HttpAnswer(200, {}, self.craft(self, request), None)

    def answer(
        self,
        request: SoapRequest,
        salt: bytes | None,
        *,
        relates_to: str = "",
        confirms: bytes = b"",
        action: str = ANSWER_ACTION,
    ) -> bytes:
        payload = etree.Element(f"{{{NAMESPACE}}}VerifierNaissanceReponse")
        if salt is not None:
            etree.SubElement(payload, f"{{{NAMESPACE}}}salt").text = base64.b64encode(salt).decode()
        etree.SubElement(payload, f"{{{NAMESPACE}}}resultat").text = "CONFIRME"
        signing = self.world.registry.signing
        value = base64.b64encode(confirms or request.part.signature).decode()
        checked = CheckedRequest(payload, relates_to or request.message_id, value)
        identity = SigningIdentity(signing.der, signing.key_pem)
        return signed_answer(payload, checked, action, identity, self.world.clock.now())


def crafting_client(world: World, craft: Craft) -> CraftingClient:
    """Asks the real registry, and answers as crafted."""
    endpoint = world.endpoint()
    client = CraftingClient(
        Channel(endpoint, world.clock, MEDIA_TYPE),
        endpoint.url,
        endpoint.target,
        signer=SoapSigner(MemoryKeystore(world.gateway.signing), prove, world.clock),
        verifier=SoapVerifier(world.registry.vet, world.clock),
        randomness=SystemRandomness(),
    )
    client.craft, client.world = craft, world
    return client


def call(world: World, craft: Craft) -> UpstreamRefusal | str:
    client = crafting_client(world, craft)
    dialogue = SoapDialogue(OPERATION, client, Salts(SystemRandomness(), lambda _salt: True))
    adapter = OutsideSystem("civil-registry", {"nirec.verify/v1": dialogue}, world.clock)
    try:
        return str(adapter.call(grant_for(world.examples.confirmed)).fields["outcome"])
    except UpstreamRefusal as refusal:
        return refusal


def our_salt(request: SoapRequest) -> bytes:
    text = parse(request.data).findtext(f".//{{{NAMESPACE}}}salt")
    assert text is not None
    return base64.b64decode(text)


def test_a_crafted_answer_that_is_sound_is_taken(world: World) -> None:
    assert call(world, lambda client, request: client.answer(request, b"s" * 16)) == "confirmed"


@pytest.mark.parametrize(
    ("craft", "code"),
    [
        pytest.param(lambda c, r: c.answer(r, our_salt(r)), Code.UPSTREAM_UNTRUSTED, id="our-salt"),
        pytest.param(lambda c, r: c.answer(r, r.message_id.encode()), Code.UPSTREAM_UNTRUSTED, id="message-id"),
        pytest.param(
            lambda c, r: c.answer(r, bytes.fromhex(r.message_id[9:].replace("-", ""))),
            Code.UPSTREAM_UNTRUSTED,
            id="uuid-of-message-id",
        ),
        pytest.param(lambda c, r: c.answer(r, b"s" * 15), Code.UPSTREAM_MALFORMED, id="short-salt"),
        pytest.param(lambda c, r: c.answer(r, b"s" * 65), Code.UPSTREAM_MALFORMED, id="long-salt"),
        pytest.param(
            lambda c, r: c.answer(r, b"s" * 16, relates_to="urn:uuid:0"), Code.UPSTREAM_UNTRUSTED, id="relates-to"
        ),
        pytest.param(
            lambda c, r: c.answer(r, b"s" * 16, action="urn:other"), Code.UPSTREAM_UNTRUSTED, id="other-action"
        ),
        pytest.param(
            lambda c, r: c.answer(r, b"s" * 16, confirms=b"another"), Code.UPSTREAM_UNTRUSTED, id="confirmation"
        ),
        pytest.param(lambda _, r: r.data, Code.UPSTREAM_UNTRUSTED, id="our-own-message"),
        pytest.param(lambda *_: b"<html>", Code.UPSTREAM_MALFORMED, id="no-xml"),
        pytest.param(lambda *_: b"<html/>", Code.UPSTREAM_MALFORMED, id="no-envelope"),
    ],
)
def test_an_answer_without_a_sound_salt_or_signature_leaves_nothing(world: World, craft: Craft, code: Code) -> None:
    refusal = call(world, craft)
    assert isinstance(refusal, UpstreamRefusal)
    assert refusal.code is code
    (attempt,) = refusal.attempts
    assert attempt.answer is None
    assert attempt.outcome == code.value


@pytest.mark.parametrize(
    "change", [{"family_name": "a\uffff"}, {"given_names": "n" * 201}, {"birth_date": "2023-02-30"}, {"nirec": "12"}]
)
def test_what_their_schema_does_not_take_is_never_sent(world: World, change: dict[str, str]) -> None:
    before = world.requests()
    with pytest.raises(Refusal) as caught:
        world.adapter().call(grant_for(replace(world.examples.confirmed, **change)))
    assert caught.value.code is Code.FIELD_INVALID
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert world.requests() == before
