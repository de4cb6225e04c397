"""Step 2 for SOAP against its table of attacks, in process: each refused by its code, component and reason (S4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.attacks.soap_face import ATTACKS
from tests.signing.soap_drafts import find
from tests.signing.soap_face import Face, make_face

if TYPE_CHECKING:
    from lxml import etree

TOKENS = ("token", "issuer_serial", "thumbprint", "subject_key")


@pytest.fixture(scope="module")
def face() -> Face:
    return make_face()


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack(face: Face, attack: str) -> None:
    make, expected = ATTACKS[attack]
    assert face.verify(face.draft.signed()).form == "soap11"
    refusal = face.refusal(make(face.draft))
    told = (refusal.code.value, refusal.component or "-", refusal.reason or "-")
    for found, wanted in zip(told, expected.split(), strict=True):
        assert wanted in ("*", found), told


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("tls", "key_unknown"),
        ("stranger", "key_unknown"),
        ("cooperative", "key_of_another_party"),
        ("rsa_2048", "key_refused"),
        ("secp384r1", "key_refused"),
    ],
)
def test_signed_by_a_key_that_may_not(face: Face, key: str, code: str) -> None:
    assert face.refusal(face.draft.but(key=face.keys[key]).signed()).code == code


@pytest.mark.parametrize("token", TOKENS[1:])
def test_a_reference_names_nobody_else_s_certificate(face: Face, token: str) -> None:
    for key in ("cooperative", "stranger"):
        refusal = face.refusal(face.draft.but(key=face.keys[key], token=token).signed())
        assert (refusal.code, refusal.component) == ("key_unknown", "KeyInfo")


@pytest.mark.parametrize("token", TOKENS)
def test_a_certificate_of_the_same_party_does_not_verify_for_another(face: Face, token: str) -> None:
    """The token is not signed: one put in another's place must not make a signature hold."""
    other = face.draft.but(key=face.keys["rsa"], token=token)

    def swap(root: etree._Element) -> None:
        theirs: list[etree._Element] = []
        other.but(after=theirs.append).signed()
        for name in ("KeyInfo", "BinarySecurityToken")[: 2 if token == "token" else 1]:
            mine = find(root, name)
            parent = mine.getparent()
            assert parent is not None
            parent.replace(mine, find(theirs[0], name))

    refusal = face.refusal(face.draft.but(token=token, after=swap).signed())
    assert refusal.code == "key_refused"
