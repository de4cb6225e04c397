"""Request signatures (section 10): each way round them, refused over a real connection, recorded, nothing asked."""

from __future__ import annotations

from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.keys.raw import P256_ORDER
from tests.exchange.live import read_issued
from tests.signing.test_request import _CHANGES, _DRAFTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.client.signer import SignedRequest
    from gateway.errors import Code
    from tests.attacks.arena import Arena

    Make = Callable[[Arena], SignedRequest]

#: Of the unit tests' table: these cannot travel as they are made there, or travel elsewhere (test_http.py).
_NOT_ON_A_WIRE = {"line_smuggled_into_a_field", "oversize_body", "agreement_replaced"}
_STATUS = {
    "signature_malformed": 400,
    "nonce_invalid": 400,
    "authorization_refused": 400,
    "digest_mismatch": 400,
}


def _told(code: Code, component: str | None) -> str:
    return f"{_STATUS.get(code.value, 401)} {code.value} {component or ''}".strip()


def _drafted(name: str) -> Make:
    return lambda arena: arena.verification().but(**_DRAFTS[name][0]).signed()


def _changed(name: str) -> Make:
    def make(arena: Arena) -> SignedRequest:
        request = arena.verification().signed()
        return replace(request, **_CHANGES[name][0](request))  # type: ignore[arg-type]  # a table's shorthand

    return make


def _aged(seconds: int) -> Make:
    def make(arena: Arena) -> SignedRequest:
        draft = arena.verification()
        return draft.but(created=draft.created + seconds).signed()

    return make


def _replayed(arena: Arena) -> SignedRequest:
    request = arena.verification().signed()
    arena.accepted(request)
    return request


def _replayed_with_the_twin_signature(arena: Arena) -> SignedRequest:
    request = _replayed(arena)
    s = P256_ORDER - int.from_bytes(request.signature[32:])
    twin = request.signature[:32] + s.to_bytes(32)
    headers = {**request.headers, "signature": f"sig1=:{b64encode(twin).decode()}:"}
    return replace(request, headers=headers, signature=twin)


def _nonce_again(arena: Arena) -> SignedRequest:
    """Another body, salt and signature, and a nonce that this key has used."""
    nonce = _replayed(arena).parameters.split('nonce="')[1].partition('"')[0]
    return arena.verification("wrong_name").but(parameters={"nonce": nonce}).signed()


def _agreement_replaced(arena: Arena) -> SignedRequest:
    request = arena.verification().but(agreement="NONE").signed()
    return replace(request, headers={**request.headers, "exchange-agreement": "ENT-2026-02"})


def _by(key: Callable[[Arena], object]) -> Make:
    return lambda arena: arena.verification().but(key=key(arena)).signed()


#: attack -> how it is made, and what the caller is told
ATTACKS: dict[str, tuple[Make, str]] = {
    **{name: (_drafted(name), _told(*row[1:])) for name, row in _DRAFTS.items()},
    **{name: (_changed(name), _told(*row[1:])) for name, row in _CHANGES.items() if name not in _NOT_ON_A_WIRE},
    "agreement_replaced": (_agreement_replaced, "401 signature_invalid signature"),
    "created_long_ago": (_aged(-320), "401 created_out_of_window created"),
    "created_in_the_future": (_aged(60), "401 created_out_of_window created"),
    "keyid_of_another_party": (
        _by(lambda arena: arena.signing("cooperative")),
        "403 key_of_another_party keyid",
    ),
    "signed_by_a_tls_key": (_by(lambda arena: read_issued(arena.tls())), "401 key_unknown keyid"),
    "signed_by_a_tls_key_among_the_signers": (
        _by(lambda arena: arena.made.signers["tls_client_key"]),
        "401 key_refused keyid",
    ),
    "replay": (_replayed, "409 replayed nonce"),
    "replay_with_the_twin_signature": (_replayed_with_the_twin_signature, "409 replayed nonce"),
    "nonce_used_in_another_request": (_nonce_again, "409 replayed nonce"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_refused(arena: Arena, attack: str) -> None:
    make, expected = ATTACKS[attack]
    arena.accepted(arena.verification().signed())
    problem = arena.refused(make(arena), expected)
    assert problem["bound"] is False


def test_replay_across_workers(arena: Arena) -> None:
    request = arena.verification().signed()
    before = arena.counter()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: arena.exchange(request), range(12)))
    assert sorted(shown.status for shown in answers) == [200, *[409] * 11]
    for shown in answers:
        verified = arena.verify(request, shown)
        if shown.status != 200:
            assert arena.recorded(verified.exchange_id).evidence["reason"] == "replayed"
    assert arena.counter() == before + 1
    arena.accepted(arena.verification().signed())
