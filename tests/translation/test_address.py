"""Where a request of ours goes: no value of a field leads anywhere but where the operation is (P3)."""

from __future__ import annotations

import pytest

from gateway.translation.address import address
from gateway.translation.xml_error import LexicalError

PATH = "/registre/{code}/places"


@pytest.mark.parametrize("code", ["", ".", ".."])
def test_a_value_does_not_lead_up_or_away(code: str) -> None:
    """A server takes these away before it looks for what is asked: ``/registre/../places`` is ``/places``."""
    with pytest.raises(LexicalError):
        address(PATH, (), {"code": code})


@pytest.mark.parametrize(
    ("code", "target"),
    [
        ("...", "/registre/.../places"),
        ("a/../b", "/registre/a%2F..%2Fb/places"),
        ("%2e%2e", "/registre/%252e%252e/places"),
        ("a?b#c", "/registre/a%3Fb%23c/places"),
        ("é", "/registre/%C3%A9/places"),
    ],
)
def test_a_value_is_one_segment(code: str, target: str) -> None:
    assert address(PATH, (), {"code": code, "more": 1}) == (target, {"more": 1})


def test_what_the_operation_s_own_path_says_is_its_own() -> None:
    assert address("/a//{code}.{kind}/", ("q",), {"code": "1", "kind": "", "q": ".."}) == ("/a//1./?q=..", {})
