"""X.509 (section 10): certificates that the handshake lets through, and signing certificates; the verdict is ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certs.profiles import Profile
from gateway.identity.parties import keyid
from tests.attacks.arena import HOST, STALE, SUSPENDED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from certs.authority import Issued
    from tests.attacks.arena import Arena


def _issued(party: str, names: list[str] | None = None, **how: object) -> Callable[[Arena], Path]:
    return lambda arena: arena.issue(party, Profile.TLS_CLIENT, names, **how)


def _revoked(arena: Arena) -> Path:
    return arena.write(arena.made.revoked_client, arena.authorities["ministry"])


def _weak(arena: Arena) -> Path:
    return arena.issue("ministry", Profile.TLS_CLIENT, key=rsa.generate_private_key(65537, 2048))


def _small_curve(arena: Arena) -> Path:
    return arena.issue("ministry", Profile.TLS_CLIENT, key=ec.generate_private_key(ec.SECP521R1()))


#: attack -> the TLS client certificate that it comes with, and what is told
TLS: dict[str, tuple[Callable[[Arena], Path], str]] = {
    "tls_revoked": (_revoked, "403 certificate_refused"),
    "tls_of_a_suspended_party": (_issued(SUSPENDED), "403 party_suspended"),
    "tls_with_a_stale_list": (_issued(STALE), "403 certificate_refused"),
    "tls_rsa_2048": (_weak, "403 certificate_refused"),
    "tls_of_a_curve_that_is_not_ours": (_small_curve, "403 certificate_refused"),
    "tls_of_no_party": (_issued("ministry", ["stranger.passerelle.test"]), "403 party_unknown"),
    "tls_of_another_partys_name": (_issued("cooperative", [HOST]), "403 party_unknown"),
}

#: attack -> what is told of a request under this one of the ministry's signing certificates (tests/attacks/arena.py)
SIGNING: dict[str, str] = {
    "expired": "401 key_refused keyid",
    "not_yet_valid": "401 key_refused keyid",
    "revoked": "401 key_refused keyid",
    "tls_client_key": "401 key_refused keyid",
    "tls_server_key": "401 key_refused keyid",
    "of_an_unknown_authority": "401 key_refused keyid",
    "of_another_partys_authority": "401 key_refused keyid",
    "outside_name_constraints": "401 key_refused keyid",
    "rsa_2048": "401 key_refused keyid",
    "secp384r1": "401 key_refused alg",
    "with_a_stale_list": "401 key_refused keyid",
    "of_a_suspended_party": "403 key_of_another_party keyid",
}


@pytest.mark.parametrize("attack", TLS)
def test_refused(arena: Arena, attack: str) -> None:
    make, expected = TLS[attack]
    request = arena.verification().signed()
    problem = arena.refused(request, expected, make(arena))
    assert problem["bound"] is False
    # The very same request, over the certificate that is what it should be.
    arena.accepted(request)


@pytest.mark.parametrize("attack", [f"signing_{name}" for name in SIGNING])
def test_refused_as_a_signing_key(arena: Arena, attack: str) -> None:
    name = attack.removeprefix("signing_")
    signers = arena.made.signers
    good: Issued = signers["bounded" if name == "outside_name_constraints" else "good"]
    key = signers[name]
    arena.accepted(arena.verification().but(key=good).signed())
    draft = arena.verification()
    # P-384 signs nothing that we know: it is named by a request that another key signed.
    draft = draft.but(parameters={"keyid": keyid(key.der)}) if name == "secp384r1" else draft.but(key=key)
    assert arena.refused(draft.signed(), SIGNING[name])["bound"] is False


def test_refusals_before_a_party_is_known_are_recorded_once_a_minute(arena: Arena) -> None:
    stranger = arena.issue("ministry", Profile.TLS_CLIENT, ["stranger.passerelle.test"])
    ids = []
    for _ in range(3):
        request = arena.verification().signed()
        shown = arena.exchange(request, stranger)
        arena.verify(request, shown)
        ids.append(shown.headers["exchange-id"])
    assert len(set(ids)) <= 2  # 2 where the minute turned
    assert {arena.recorded(name).evidence["reason"] for name in ids} == {"party_unknown"}
