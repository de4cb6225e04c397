"""The SOAP face through sockets: each refusal a signed Fault, recorded as C6 allows, and nobody asked upstream."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.signing import soap_names as n
from tests.attacks.evidence import UNCLAIMED
from tests.attacks.soap_face import ATTACKS
from tests.scenarios.soap_party import ANSWERED, exchanged, payload, send, verification, verified
from tests.signing.drafts import fresh_salt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.model import Form
    from tests.attacks.arena import Arena
    from tests.attacks.evidence import Kept
    from tests.exchange.live import Shown
    from tests.scenarios.soap_party import SoapAnswer
    from tests.signing.soap_drafts import SignedSoap, SoapDraft

UNCONFIRMED = ANSWERED - {n.CONFIRMATION}
UNREAD = ("body_malformed", "media_type_unsupported", "body_too_large")
FAULT_STATUS: dict[Form, int] = {"soap11": 500, "soap12": 400}


def refused(arena: Arena, request: SignedSoap, expected: str, form: Form = "soap11", tls: Path | None = None) -> Kept:
    """Asserts the whole of a refusal before the claim; ``expected`` is ``code component`` ("-": none).

    What could not be read at all is related to no MessageID.
    """
    unread = expected.split(maxsplit=1)[0] in UNREAD
    before = arena.counter()
    shown = send(arena, request, tls)
    parts = UNCONFIRMED - {n.RELATES_TO} if unread else UNCONFIRMED
    answer = _told(arena, request, shown, expected, form, parts)
    assert arena.counter() == before, "something was asked of the registry"
    kept = arena.recorded(answer.facts.own["Exchange-Id"])
    assert set(kept.evidence) == UNCLAIMED
    assert kept.evidence["reason"] == expected.split(maxsplit=1)[0]
    assert kept.evidence["nonce"] == (None if unread else request.message_id)
    base = json.loads(kept.answer_base)
    assert base["headers"].keys() == {f"id-{tag.partition('}')[2]}" for tag in answer.facts.parts}
    return kept


def _told(
    arena: Arena, request: SignedSoap, shown: Shown, expected: str, form: Form, parts: frozenset[str]
) -> SoapAnswer:
    answer = verified(arena, form, request, shown, parts)
    assert answer.facts.parts == parts
    assert answer.facts.action == n.FAULT_ACTION
    assert answer.payload.tag == (n.SOAP_11 if form == "soap11" else n.SOAP_12).fault
    assert shown.status == FAULT_STATUS[form]
    told = answer.fields
    assert f"{told['code']} {told.get('component', '-')}" == expected
    assert told["exchange_id"] == answer.facts.own["Exchange-Id"]
    return answer


def _unsalted(draft: SoapDraft) -> SoapDraft:
    start = draft.payload.index(b"<q:salt>")
    return draft.but(payload=draft.payload[:start] + b"</q:NirecVerifyRequest>")


_THROUGH_SOCKETS: dict[str, tuple[Callable[[Arena, Form], SignedSoap], str]] = {
    **{
        name: (lambda arena, form, name=name: ATTACKS[name][0](verification(arena, form=form)), told)  # type: ignore[misc]  # a default binds the name
        for name, told in {
            "dtd": "body_malformed -",
            "utf_16": "body_malformed -",
            "mtom": "media_type_unsupported content-type",
            "gzip": "media_type_unsupported content-encoding",
            "to_of_another_endpoint": "addressed_elsewhere To",
            "security_missing": "signature_missing Signature",
            "sha1_digest": "key_refused Algorithm",
            "Body_not_covered": "component_not_covered Body",
            "timestamp_stale": "created_out_of_window Timestamp",
        }.items()
    },
    "key_of_another_party": (
        lambda arena, form: verification(arena, form=form, key=arena.signing("cooperative")).signed(),
        "key_of_another_party KeyInfo",
    ),
    "tls_key_as_signing_key": (
        lambda arena, form: verification(arena, form=form, key=arena.made.signers["tls_client_key"]).signed(),
        "key_refused keyid",
    ),
    "salt_missing": (lambda arena, form: _unsalted(verification(arena, form=form)).signed(), "salt_invalid salt"),
    "oversize": (
        lambda arena, form: replace(verification(arena, form=form).signed(), body=b"<x>" + b"x" * 65_536 + b"</x>"),
        "body_too_large -",
    ),
    "operation_of_another_service": (
        lambda arena, form: verification(arena, form=form, action="urn:passerelle:echo:v1/Echo").signed(),
        "operation_unknown Action",
    ),
    "valid_by_wsdl_and_not_by_contract": (
        lambda arena, form: verification(arena, form=form, payload=_verification("1234567", "2020-02-30")).signed(),
        "field_invalid birth_date",
    ),
}


def _verification(nirec: str, born: str) -> bytes:
    fields = {"nirec": nirec, "family_name": "Roy", "given_names": "Ève", "birth_date": born, "salt": fresh_salt()}
    return payload("nirec.verify", fields)


@pytest.mark.parametrize("attack", _THROUGH_SOCKETS)
def test_refused(arena: Arena, attack: str) -> None:
    make, expected = _THROUGH_SOCKETS[attack]
    form: Form = "soap12" if len(attack) % 2 and attack not in ("mtom", "gzip") else "soap11"
    refused(arena, make(arena, form), expected, form)
    assert exchanged(arena, verification(arena, form=form)).status == 200


def test_replayed_message_id_across_workers(arena: Arena) -> None:
    request = verification(arena).signed()
    before = arena.counter()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send(arena, request), range(8)))
    assert sorted(shown.status for shown in answers) == [200, *[500] * 7]
    assert arena.counter() == before + 1
    for shown in answers:
        if shown.status != 200:
            answer = _told(arena, request, shown, "replayed nonce", "soap11", UNCONFIRMED)
            kept = arena.recorded(answer.facts.own["Exchange-Id"])
            assert (kept.evidence["reason"], kept.evidence["nonce"]) == ("replayed", request.message_id)
