"""A registry that has neither a place for a salt nor a key to encrypt to: what it signs is sealed apart (C5)."""

from __future__ import annotations

import json
import shutil
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.civil_registry.adapter import contract_directory
from adapters.mapping.soap_form import soap_service
from adapters.salts import Salts
from adapters.soap import SoapDialogue
from adapters.system import OutsideSystem
from gateway.errors import ConfigurationError, KeystoreError
from gateway.ledger.encoding import canonical_json
from gateway.ledger.evidence import _attempt
from gateway.ledger.sealing import new_period_key, open_apart
from gateway.model import ApartPart, SignedPart
from gateway.signing.soap_facts import check_signed_part
from tests.adapters.conftest import CONTRACTS, World, grant_for
from tests.adapters.fakes import SystemRandomness
from tests.adapters.test_answers import crafting_client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from adapters.soap import SoapRequest
    from tests.adapters.test_answers import Craft, CraftingClient

PRIVATE, OFFICERS = new_period_key()
SALT_ASKED, SALT_ANSWERED = "      ec:salt: {salt: base64}\n", '      salt: {at: "ec:salt"}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Its WSDL without a salt in request and answer, its mapping as far as it goes without more ado."""
    made = shutil.copytree(contract_directory(), tmp_path / "registry")
    xsd = (made / "civil_registry.xsd").read_text(encoding="utf-8")
    salt = '<xsd:element name="salt" type="ec:Salt"/>'
    assert xsd.count(salt) == 2
    (made / "civil_registry.xsd").write_text(xsd.replace(salt, ""), encoding="utf-8")
    say(made, SALT_ASKED, "")
    say(made, SALT_ANSWERED, "")
    return made


def say(folder: Path, old: str, new: str) -> None:
    mapping = (folder / "mapping.yaml").read_text(encoding="utf-8")
    assert old in mapping
    (folder / "mapping.yaml").write_text(mapping.replace(old, new), encoding="utf-8")


def unsalted(client: CraftingClient, request: SoapRequest) -> bytes:
    """The registry's true answer, which has no salt."""
    return client.answer(request, None)


def system(world: World, folder: Path, officers: Callable[[], bytes], craft: Craft = unsalted) -> OutsideSystem:
    client = crafting_client(world, craft)
    operation = soap_service(folder, CONTRACTS).operations["nirec.verify/v1"]
    salts = Salts(SystemRandomness(), lambda _salt: True)
    dialogue = SoapDialogue(operation, client, salts, officers=officers)
    return OutsideSystem("civil-registry", {"nirec.verify/v1": dialogue}, world.clock)


def test_it_does_not_load_unless_the_mapping_says_so(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="without a salt"):
        soap_service(folder, CONTRACTS)
    say(folder, "signed: true", "signed: true\nsealed_apart: true")
    apart = soap_service(folder, CONTRACTS).operations["nirec.verify/v1"].apart
    assert (apart.request, apart.answer) == (True, True)


def test_what_has_its_salt_is_not_sealed_apart(folder: Path) -> None:
    shutil.copytree(contract_directory(), folder, dirs_exist_ok=True)
    say(folder, "signed: true", "signed: true\nsealed_apart: true")
    apart = soap_service(folder, CONTRACTS).operations["nirec.verify/v1"].apart
    assert (apart.request, apart.answer) == (False, False)


def test_evidence_has_neither_digest_nor_signature_and_officers_have_both(world: World, folder: Path) -> None:
    say(folder, "signed: true", "signed: true\nsealed_apart: true")
    exchange = uuid4()
    reply = system(world, folder, lambda: OFFICERS).call(grant_for(world.examples.confirmed))
    assert reply.fields["outcome"] == "confirmed"
    (attempt,) = reply.attempts
    evidence: dict[str, Any] = json.loads(canonical_json(_attempt(attempt, exchange)))
    for side, kept, signer in (
        ("request", attempt.request, world.gateway.signing.der),
        ("answer", attempt.answer, world.registry.signing.der),
    ):
        assert isinstance(kept, ApartPart)
        part = kept.part
        assert isinstance(part, SignedPart)
        facts = check_signed_part(part.signed_info, part.signature, part.headers, signer)
        shown = json.dumps(evidence)
        for secret in (part.signed_info, part.signature, *part.headers.values(), facts.body_digest):
            assert b64encode(secret).decode() not in shown
        assert set(evidence[side]) == {"form", "officers", "sealed", "signing"}
        inside = json.loads(open_apart(PRIVATE, b64decode(evidence[side]["sealed"]), exchange))
        assert inside["signature"] == b64encode(part.signature).decode()
        assert inside["signed_info"] == b64encode(part.signed_info).decode()
        assert inside["signing"] == evidence[side]["signing"]


def test_nobody_is_asked_where_the_policy_names_no_key(world: World, folder: Path) -> None:
    say(folder, "signed: true", "signed: true\nsealed_apart: true")
    asked: list[bytes] = []

    def nobody() -> bytes:
        raise KeystoreError("apart_key_missing")

    def ask(_client: CraftingClient, request: SoapRequest) -> bytes:
        asked.append(request.data)
        return b""

    with pytest.raises(KeystoreError):
        system(world, folder, nobody, ask).call(grant_for(world.examples.confirmed))
    assert asked == []
