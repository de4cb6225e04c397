"""The client's typed operations: what a contract says is what Python sees."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import pytest

from contracts.generate.client import client_modules
from tests.contracts.rich import rich

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def made() -> Iterator[Any]:
    """The module of the rich contract, as Python sees it, with what only type checkers would import."""
    source = client_modules([rich()])["gateway/client/operations/permits.py"].decode()
    module: Any = ModuleType("permits_made_for_a_test")
    vars(module).update(Sequence=Sequence, date=date, datetime=datetime, Decimal=Decimal, Any=Any)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        exec(compile(source, "permits.py", "exec", dont_inherit=True), vars(module))  # noqa: S102  what was generated is what is tested
        yield module


def hints(made: Any, name: str) -> dict[str, Any]:
    return {
        field: eval(text, vars(made))  # noqa: S307  annotations of the generated module
        for field, text in getattr(made, name).__annotations__.items()
    }


def test_arguments_have_the_contracts_types(made: Any) -> None:
    asked = made.PermitsOperations.permit_file
    said = {name: eval(text, vars(made)) for name, text in asked.__annotations__.items() if name != "return"}  # noqa: S307  the same
    assert said == {
        "region": str,
        "fee": Decimal,
        "applicant": made.PermitFileApplicant,
        "parts": Sequence[made.PermitFilePiece],
        "urgent": bool | None,
        "phone": str | None,
        "email": str | None,
        "idempotency_key": str | None,
    }
    assert set(asked.__kwdefaults__) == {"urgent", "phone", "email", "idempotency_key"}
    # what has no effect needs no key
    assert "idempotency_key" not in made.PermitsOperations.permit_count.__annotations__


def test_records_have_the_contracts_types(made: Any) -> None:
    assert hints(made, "PermitFileApplicant") == {
        "kind": Literal["person", "body"], "name": str, "born": date | None,
    }  # fmt: skip
    assert hints(made, "PermitFilePiece") == {"page": int | None, "all": bool | None, "content": bytes | None}
    assert hints(made, "PermitFileAnswer") == {
        "at": datetime | None,
        "codes": tuple[tuple[Literal["a", "b"], ...], ...] | None,
        "note": made.PermitFileAnswerNote | None,
    }


def test_an_answer_is_read(made: Any) -> None:
    of = made.PermitFileAnswer.of
    read = of({"at": "2026-01-01T00:00:00Z", "codes": [["a"], []], "note": {}})
    assert read.at == datetime(2026, 1, 1, tzinfo=UTC)
    assert read.codes == (("a",), ())
    assert read.note == made.PermitFileAnswerNote()
    # an agreement may leave anything out
    assert of({}) == made.PermitFileAnswer(at=None, codes=None, note=None)


def test_a_call_says_what_it_is(made: Any) -> None:
    asked: list[tuple[Any, ...]] = []

    class Asking(made.PermitsOperations):  # type: ignore[misc]  # made a moment ago
        def _ask(self, *given: Any) -> None:
            asked.append(given)

    Asking().permit_count(since=date(2026, 1, 1))
    Asking().permit_file(region="06", fee=Decimal(1), applicant=None, parts=(), idempotency_key="k")
    (count, fields), (file, _, key) = asked
    assert (count.name, count.salted, count.effects) == ("permit.count", False, False)
    assert fields == {"since": date(2026, 1, 1), "under": None}
    assert (file.name, file.salted, file.effects, key) == ("permit.file", True, True, "k")
    assert file.read({}) == made.PermitFileAnswer()


def test_of_several_versions_the_newest_is_typed() -> None:
    newer = rich().model_copy(update={"version": "10", "source": b""})
    modules = client_modules([newer, rich()])
    assert b"contracts/permits/v10" in modules["gateway/client/operations/permits.py"]
