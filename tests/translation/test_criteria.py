"""A search asks for enough to be none of a listing's pages: judged alike in both forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.loader import load_contract
from gateway.errors import Code, Refusal
from gateway.translation.operations import compile_operation
from tests.signing.drafts import fresh_salt

CONTRACT = load_contract((Path(__file__).parents[2] / "contracts/registrations/v1/contract.yaml").read_bytes())
SEARCH = compile_operation(CONTRACT, "registration.search")
ENOUGH = {"family_name": "Tremblay", "phone": "418-555-0100"}


def judged(fields: dict[str, str]) -> Code | None:
    try:
        SEARCH.check(fields | {"salt": fresh_salt()})
    except Refusal as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize(
    "fields",
    [{}, {"region": "06"}, {"family_name": "Tremblay"}, {"family_name": "Tremblay", "region": "06"}],
    ids=["nothing", "a_region", "a_name", "a_name_in_a_region"],
)
def test_too_few_criteria(fields: dict[str, str]) -> None:
    assert judged(fields) is Code.TOO_FEW_CRITERIA


def test_enough_criteria() -> None:
    assert judged(ENOUGH) is None
    assert judged(ENOUGH | {"region": "06"}) is None


@pytest.mark.parametrize("said", [{"family_name": ""}, {"phone": "418*"}, {"page": "2"}, {"birth_date": "2024"}])
def test_what_is_no_criterion_is_an_invalid_field_first(said: dict[str, str]) -> None:
    assert judged(ENOUGH | said) is Code.FIELD_INVALID
