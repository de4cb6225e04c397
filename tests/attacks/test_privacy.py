"""Privacy (section 10, C4, C6): a request without a sound salt leaves no digest by which its NIREC could be found."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from tests.signing.drafts import fresh_nonce, fresh_salt

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.arena import Arena
    from tests.signing.drafts import Draft

#: Looks like a NIREC, and must not come back from anywhere.
SECRET = "1628500667039"


def _salt(value: object) -> Callable[[Arena], Draft]:
    return lambda arena: arena.verification(salt=value)


def _repeated(arena: Arena) -> Draft:
    salt = fresh_salt()
    arena.accepted(arena.verification(salt=salt).signed())
    return arena.verification("wrong_name", salt=salt)


def _repeated_after_a_refusal(arena: Arena) -> Draft:
    # Claimed before it is authorised, so that a refusal spends it too.
    salt = fresh_salt()
    assert arena.refused(
        arena.verification(salt=salt).but(agreement="NONE").signed(), "403 not_agreed exchange-agreement"
    )["bound"]
    return arena.verification(salt=salt)


def _nonce_as_salt(form: Callable[[str], str]) -> Callable[[Arena], Draft]:
    def make(arena: Arena) -> Draft:
        nonce = fresh_nonce()
        return arena.verification(salt=form(nonce)).but(parameters={"nonce": nonce})

    return make


def _hex_of_the_salt_as_nonce(arena: Arena) -> Draft:
    salt = fresh_salt()
    return arena.verification(salt=salt).but(parameters={"nonce": base64.b64decode(salt).hex()})


#: attack -> how it is made, and what the caller is told
ATTACKS: dict[str, tuple[Callable[[Arena], Draft], str]] = {
    "salt_missing": (_salt(None), "422 salt_invalid salt"),
    "salt_empty": (_salt(""), "422 salt_invalid salt"),
    "salt_short": (_salt("AAECAwQFBgcICQoLDA0="), "422 salt_invalid salt"),
    "salt_all_the_same_byte": (_salt("AAAAAAAAAAAAAAAAAAAAAA=="), "422 salt_invalid salt"),
    "salt_in_loose_base64": (_salt("AAECAwQFBgcICQoLDA0OD1=="), "422 salt_invalid salt"),
    "salt_that_is_no_base64": (_salt("sel"), "422 salt_invalid salt"),
    "salt_that_is_a_number": (_salt(1234567890123456), "422 salt_invalid salt"),
    "salt_too_long": (_salt("A" * 100), "422 salt_invalid salt"),
    "salt_repeated": (_repeated, "409 salt_repeated salt"),
    "salt_repeated_after_a_refusal": (_repeated_after_a_refusal, "409 salt_repeated salt"),
    "salt_equal_to_the_nonce": (_nonce_as_salt(lambda nonce: nonce), "422 salt_invalid salt"),
    "salt_in_hexadecimal_as_nonce": (_hex_of_the_salt_as_nonce, "422 salt_invalid salt"),
    "unknown_field_named_like_a_nirec": (
        lambda arena: arena.verification(**{SECRET: "x"}),
        "422 field_invalid unknown field",
    ),
    "name_with_a_control_character": (
        lambda arena: arena.verification(family_name=f"{SECRET}\u0000"),
        "422 field_invalid family_name",
    ),
    "nirec_of_another_form": (lambda arena: arena.verification(nirec=f"{SECRET}9"), "422 field_invalid nirec"),
    "nirec_in_digits_of_another_script": (
        lambda arena: arena.verification(nirec="16285006670٢9"),
        "422 field_invalid nirec",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_refused(arena: Arena, attack: str) -> None:
    make, expected = ATTACKS[attack]
    arena.accepted(arena.verification().signed())
    problem = arena.refused(make(arena).signed(), expected)
    assert problem["bound"] is False
    assert SECRET not in json.dumps(problem, ensure_ascii=False)


def test_after_the_salt_was_claimed_a_refusal_is_bound_to_the_request(arena: Arena) -> None:
    """The control for C6: what is left out above is there once the salt has been validated."""
    problem = arena.refused(arena.verification().but(agreement="NONE").signed(), "403 not_agreed exchange-agreement")
    assert problem["bound"] is True
    kept = arena.recorded(problem["exchange_id"])
    assert kept.evidence["request"]["content_digest"].startswith("sha-256=")
    assert '"content-digest";req' in kept.answer_base


def test_a_bearer_token_enters_no_evidence(arena: Arena) -> None:
    request = arena.verification().signed()
    arena.refused(request, "400 authorization_refused authorization", authorization=f"Bearer {SECRET}")
    assert arena.files_with(SECRET.encode()) == []
    arena.accepted(request)
