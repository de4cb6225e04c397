"""An operation that has an effect asks for a key, in both forms; of any other it means nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.errors import Code, Refusal
from tests.translation.asked import CONTRACTS, KEY, PERSON, SALT, asked_by_rest, asked_by_soap, person, translation

if TYPE_CHECKING:
    from gateway.model import SoapSignature, VerifiedRequest

_INSIDE = f"<reference>9</reference><salt>{SALT}</salt>"
EXPECTED = f'<SubjectExpectRequest xmlns="urn:passerelle:subjects:v1">{_INSIDE}</SubjectExpectRequest>'


def rest(target: str, fields: dict[str, str]) -> VerifiedRequest:
    return asked_by_rest(json.dumps(fields).encode(), target=target)


def without_key(request: VerifiedRequest) -> VerifiedRequest:
    if request.form == "rest":
        headers = {name: value for name, value in request.received.headers.items() if name != "idempotency-key"}
        return replace(request, received=replace(request.received, headers=headers))
    signature: SoapSignature = request.signature  # type: ignore[assignment]  # by its form
    return replace(request, signature=replace(signature, idempotency_key=None))


#: The same two operations in both forms, one with an effect and one without.
_WITH = {
    "rest": rest("/v1/subjects", {"reference": "9", "salt": SALT}),
    "soap": asked_by_soap(EXPECTED, CONTRACTS["subjects"], "subject.expect"),
}
_WITHOUT = {
    "rest": rest("/v1/nirec/verifications", PERSON),
    "soap": asked_by_soap(person(), CONTRACTS["nirec"], "nirec.verify"),
}


@pytest.mark.parametrize("form", _WITH)
def test_an_effect_has_a_key(form: str) -> None:
    assert translation().translate_in(_WITH[form]).key == KEY
    with pytest.raises(Refusal) as caught:
        translation().translate_in(without_key(_WITH[form]))
    assert (caught.value.code, caught.value.component) == (Code.IDEMPOTENCY_KEY_MISSING, "idempotency-key")


@pytest.mark.parametrize("form", _WITHOUT)
def test_elsewhere_a_key_means_nothing(form: str) -> None:
    assert translation().translate_in(_WITHOUT[form]).key is None
    assert translation().translate_in(without_key(_WITHOUT[form])).key is None
