"""What a policy may say of witnesses and timestamp authorities, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import ConfigurationError
from gateway.ledger.cosignature import WitnessKey
from gateway.ledger.note import LogKey
from gateway.outside import anchor_rule, witness_rule
from tests.policy.made import authority, bundle, put

ROOT = authority("tsa").root.pem.decode()
KEYS = [WitnessKey(f"witness.test/{number}", bytes([number]) * 32) for number in (1, 2)]
Section = dict[str, Any]


def witness(number: int, **changes: str) -> Section:
    named = {"vkey": KEYS[number - 1].vkey, "url": f"https://w{number}.test", "organisation": f"Organisation {number}"}
    return named | changes


def witnessing(**changes: Any) -> Section:
    return {"quorum": 2, "when_missing": "closed", "witnesses": {"one": witness(1), "two": witness(2)}} | changes


def timestamping(**changes: Any) -> Section:
    named = {"url": "http://tsa.test/tsr", "root": ROOT, "policy": "1.2.3.4.1"}
    return {"authorities": {"tsa": named | changes}, "halt_after_minutes": 30}


def test_what_is_said_is_what_is_asked() -> None:
    said = bundle(put("witnessing", value=witnessing()), put("timestamping", value=timestamping()))
    rule = anchor_rule(said)
    assert [(one.name, one.key, one.url) for one in rule.witnessing.witnesses] == [
        ("one", KEYS[0], "https://w1.test"),
        ("two", KEYS[1], "https://w2.test"),
    ]
    assert (rule.witnessing.quorum, rule.witnessing.waits) == (2, True)
    assert [(one.name, one.url, one.policy) for one in rule.authorities] == [
        ("tsa", "http://tsa.test/tsr", "1.2.3.4.1")
    ]
    assert rule.halt_after is not None
    assert rule.halt_after.total_seconds() == 1800


def test_nothing_said_is_nothing_asked() -> None:
    assert not anchor_rule(bundle()).anchors
    assert witness_rule(bundle()).witnesses == ()


_REFUSED: dict[str, Section] = {
    "quorum above": witnessing(quorum=3),
    "no quorum": witnessing(quorum=0),
    "nobody": witnessing(witnesses={}),
    "neither open nor closed": witnessing(when_missing="maybe"),
    "one key twice": witnessing(witnesses={"one": witness(1), "two": witness(2, vkey=KEYS[0].vkey)}),
    "one organisation": witnessing(witnesses={"one": witness(1), "two": witness(2, organisation="Organisation 1")}),
    "one name": witnessing(
        witnesses={"one": witness(1), "two": witness(2, vkey=WitnessKey(KEYS[0].name, bytes(32)).vkey)}
    ),
    "a log's key": witnessing(witnesses={"one": witness(1), "two": witness(2, vkey=LogKey("a", bytes(32)).vkey)}),
    "another id": witnessing(witnesses={"one": witness(1), "two": witness(2, vkey=KEYS[1].vkey.replace("/2+", "/3+"))}),
    "plain HTTP": witnessing(witnesses={"one": witness(1), "two": witness(2, url="http://w2.test")}),
    "a password": witnessing(witnesses={"one": witness(1), "two": witness(2, url="https://a:b@w2.test")}),
    "a member more": witnessing(colour="blue"),
}


@pytest.mark.parametrize("name", _REFUSED)
def test_witnesses_that_are_none(name: str) -> None:
    with pytest.raises(ConfigurationError, match="witnessing"):
        bundle(put("witnessing", value=_REFUSED[name]))


@pytest.mark.parametrize(
    "section",
    [
        timestamping(root="junk"),
        timestamping(root=ROOT + ROOT),
        timestamping(url="ftp://tsa.test"),
        timestamping(policy="1.2.x"),
        timestamping() | {"halt_after_minutes": 1},
        timestamping() | {"authorities": {}},
    ],
    ids=["root", "two roots", "address", "policy", "at once", "nobody"],
)
def test_authorities_that_are_none(section: Section) -> None:
    with pytest.raises(ConfigurationError, match="timestamping"):
        bundle(put("timestamping", value=section))
