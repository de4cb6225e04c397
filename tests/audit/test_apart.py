"""What evidence holds sealed to officers (C5): judged as all else by who has their key, and told as unproven else."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from gateway.audit.audit import audit
from gateway.audit.questions.export import make_export
from gateway.audit.questions.export_check import Limit, verify_export
from gateway.audit.trust import load_trust
from gateway.audit.verdict import Fault, Unproven
from gateway.development_policy import REGISTRY
from gateway.errors import ConfigurationError
from gateway.ledger.encoding import canonical_json, encode64
from gateway.ledger.sealing import new_period_key, seal_apart
from tests.audit.test_rest_upstream_attacks import Conversation, talk, unsigned

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.audit.bench import Bench

__all__ = ["talk"]  # another test's fixture

PRIVATE, PUBLIC = new_period_key()
OTHER, OTHER_PUBLIC = new_period_key()
OFFICERS = sha256(PUBLIC).hexdigest()


def sealed(talk: Conversation, part: dict[str, Any], public: bytes = PUBLIC, **changes: Any) -> dict[str, Any]:
    """As evidence holds it; ``changes`` are of what is inside."""
    exchange = UUID(talk.item.evidence["exchange_id"])
    inside = seal_apart(public, canonical_json(part | changes), exchange)
    digest = sha256(public).hexdigest()
    return {"form": "apart", "officers": digest, "sealed": encode64(inside), "signing": part["signing"]}


def allow(bench: Bench, officers: str = OFFICERS) -> None:
    name = f"    - {REGISTRY}.passerelle.test\n"
    bench.under(name, f"{name}    sealed_apart: {officers}\n")


def bring_key(trust: Path, private: bytes = PRIVATE) -> None:
    (trust / "apart").mkdir()
    (trust / "apart" / "officers.key").write_bytes(b64encode(private) + b"\n")


def test_without_the_officers_key_it_holds_and_says_what_is_unproven(talk: Conversation, trust: Path) -> None:
    allow(talk.bench)
    asked = talk.asked()
    said = talk.said(asked)
    assert talk.tell(sealed(talk, asked), sealed(talk, said)) == set()
    log = talk.bench.forger.write(talk.bench.items, talk.bench._folder, talk.bench._objects)
    assert Unproven.UPSTREAM_SEALED_APART in audit(log, trust).unproven
    note, exchange = (log / "checkpoint").read_bytes(), talk.item.leaf.exchange_id
    exported = make_export(log, note, load_trust(trust), exchange)
    assert Limit.UPSTREAM_SEALED_APART in verify_export(exported, load_trust(trust)).unproven
    bring_key(trust)
    assert Limit.UPSTREAM_SEALED_APART not in verify_export(exported, load_trust(trust)).unproven
    verdict = audit(log, trust)
    assert verdict.holds
    assert Unproven.UPSTREAM_SEALED_APART not in verdict.unproven


@pytest.mark.parametrize("officers", [None, sha256(OTHER_PUBLIC).hexdigest()], ids=["none", "another"])
@pytest.mark.parametrize("side", ["request", "answer"])
def test_sealed_where_the_policy_names_no_such_key(talk: Conversation, side: str, officers: str | None) -> None:
    if officers is not None:
        allow(talk.bench, officers)
    asked = talk.asked()
    said = talk.said(asked)
    both = (sealed(talk, asked), said) if side == "request" else (asked, sealed(talk, said))
    assert talk.tell(*both) == {Fault.UPSTREAM_DIFFERS}


def _other_signature(asked: dict[str, Any], said: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return asked, said | {"signature": asked["signature"]}


FORGED: dict[str, tuple[Callable[[dict[str, Any], dict[str, Any]], Any], Fault]] = {
    "signature": (_other_signature, Fault.UPSTREAM_SIGNATURE_INVALID),
    "members": (lambda asked, said: (asked, said | {"more": 1}), Fault.EVIDENCE_MALFORMED),
    "no_text": (lambda asked, said: (asked, said | {"base": 1}), Fault.EVIDENCE_MALFORMED),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_is_inside_is_judged_as_if_it_were_not_sealed(talk: Conversation, trust: Path, name: str) -> None:
    change, fault = FORGED[name]
    allow(talk.bench)
    bring_key(trust)
    asked = talk.asked()
    asked, said = change(asked, talk.said(asked))
    assert talk.tell(sealed(talk, asked), sealed(talk, said)) == {fault}


def _of_another_exchange(talk: Conversation, asked: dict[str, Any]) -> dict[str, Any]:
    elsewhere = seal_apart(PUBLIC, canonical_json(asked), UUID(int=4))
    return sealed(talk, asked) | {"sealed": encode64(elsewhere)}


def _to_another_key(talk: Conversation, asked: dict[str, Any]) -> dict[str, Any]:
    return sealed(talk, asked) | {"sealed": sealed(talk, asked, OTHER_PUBLIC)["sealed"]}


def _under_another_certificate(talk: Conversation, asked: dict[str, Any]) -> dict[str, Any]:
    """What stands before it is as good as what is inside, and is not the same."""
    proof = asked["signing"]
    return sealed(talk, asked) | {"signing": proof | {"revocation": proof["revocation"][::-1]}}


@pytest.mark.parametrize("forge", [_of_another_exchange, _to_another_key, _under_another_certificate])
def test_what_does_not_open_or_is_another_s(
    talk: Conversation, trust: Path, forge: Callable[[Conversation, dict[str, Any]], dict[str, Any]]
) -> None:
    allow(talk.bench)
    bring_key(trust)
    asked = talk.asked()
    said = talk.said(asked)
    assert talk.tell(forge(talk, asked), sealed(talk, said)) == {Fault.UPSTREAM_DIFFERS}


def test_a_certificate_of_nobody_s_does_not_stand_before_what_is_sealed(talk: Conversation) -> None:
    """It is judged though nobody opens what it is said to have signed."""
    allow(talk.bench)
    asked = talk.asked()
    swapped = sealed(talk, asked) | {"signing": talk.attempt["answer"]["signing"]}
    assert talk.tell(swapped, sealed(talk, talk.said(asked))) != set()


def test_an_unsigned_answer_is_not_hidden_by_sealing_it(talk: Conversation, trust: Path) -> None:
    allow(talk.bench)
    bring_key(trust)
    asked = talk.asked()
    tls = unsigned(talk)
    hidden = sealed(talk, tls | {"signing": tls["tls"]})
    assert talk.tell(sealed(talk, asked), hidden) != set()


@pytest.mark.parametrize("content", [b"", b"AA==\n", b64encode(PUBLIC)], ids=["empty", "short", "public"])
def test_a_key_that_is_none_is_told_before_the_audit(trust: Path, content: bytes) -> None:
    bring_key(trust)
    assert load_trust(trust).apart == {OFFICERS: PRIVATE}
    (trust / "apart" / "officers.key").write_bytes(content)
    with pytest.raises(ConfigurationError):
        load_trust(trust)
