"""What an operation must say of its effect before its contract loads (P5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.loader import ContractError, load_contract

TEXT = (Path(__file__).parents[2] / "contracts/registration_changes/v1/contract.yaml").read_text(encoding="utf-8")
_SAID = "effect: {before: state_before, after: state_after}"
#: Each breaks one rule of the first operation.
_BROKEN = {
    "of_an_idempotent_operation": ("idempotent: false", "idempotent: true"),
    "a_field_that_the_answer_does_not_have": (_SAID, "effect: {before: state_before, after: state}"),
    "one_field_twice": (_SAID, "effect: {before: state_before, after: state_before}"),
    "a_field_that_is_no_digest": (_SAID, "effect: {before: state_before, after: outcome}"),
    "a_handle_that_is_registered_and_not_given": ("given: [handle]", "given: []"),
}


@pytest.mark.parametrize("case", _BROKEN)
def test_an_effect_that_is_not_told_as_it_must_be(case: str) -> None:
    old, new = _BROKEN[case]
    assert load_contract(TEXT.encode()).operations["registration.create"].effect is not None
    with pytest.raises(ContractError, match="effect" if "handle" not in case else "needs 1 required public handles"):
        load_contract(TEXT.replace(old, new, 1).encode())
