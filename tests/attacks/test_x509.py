"""X.509 (section 10): certificates that the handshake lets through, and signing certificates; the verdict is ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certs.profiles import Profile
from gateway.identity.parties import keyid
from tests.attacks.ailing import ANSWERED, REVOCATION, leaves
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


def _ailing(arena: Arena, party: str) -> Path:
    return arena.write(arena.made.ailing[party], arena.authorities[party])


def _below(name: str) -> Callable[[Arena], Path]:
    """A client's certificate below one of the ministry's flawed authorities, with that authority's own."""

    def made(arena: Arena) -> Path:
        authority, ministry = arena.made.flawed[name], arena.authorities["ministry"]
        issued = ministry.issue(Profile.TLS_CLIENT, [HOST], above=authority)
        return arena.write(issued, ministry, above=authority)

    return made


def _leaf(name: str) -> Callable[[Arena], Path]:
    def made(arena: Arena) -> Path:
        ministry = arena.authorities["ministry"]
        return arena.write(leaves(ministry, Profile.TLS_CLIENT, [HOST])[name][0], ministry)

    return made


#: attack -> the TLS client certificate that it comes with, what is told, and the reason
TLS: dict[str, tuple[Callable[[Arena], Path], str, str | None]] = {
    "tls_revoked": (_revoked, "403 certificate_refused", "revoked"),
    "tls_of_a_suspended_party": (_issued(SUSPENDED), "403 party_suspended", None),
    "tls_with_a_stale_list": (_issued(STALE), "403 certificate_refused", "crl_stale"),
    "tls_rsa_2048": (_weak, "403 certificate_refused", "weak_key"),
    "tls_of_a_curve_that_is_not_ours": (_small_curve, "403 certificate_refused", "weak_key"),
    "tls_of_no_party": (_issued("ministry", ["stranger.passerelle.test"]), "403 party_unknown", None),
    "tls_of_another_partys_name": (_issued("cooperative", [HOST]), "403 party_unknown", None),
    "tls_of_two_parties_names": (
        _issued("ministry", [HOST, "cooperative.passerelle.test"]),
        "403 certificate_refused",
        "name_of_another_party",
    ),
    "tls_no_der": (_leaf("no_der"), "403 certificate_refused", "malformed"),
    "tls_too_large": (_leaf("too_large"), "403 certificate_refused", "too_large"),
    "tls_authority_revoked": (_below("authority_revoked"), "403 certificate_refused", "revoked"),
    "tls_authority_rsa_2048": (_below("authority_rsa_2048"), "403 certificate_refused", "weak_key"),
    "tls_authority_secp224r1": (_below("authority_secp224r1"), "403 certificate_refused", "weak_key"),
}

#: attack -> what is told of a request under this one of the ministry's signing certificates (tests/attacks/arena.py),
#: and the reason
SIGNING: dict[str, tuple[str, str | None]] = {
    "expired": ("401 key_refused keyid", "expired"),
    "not_yet_valid": ("401 key_refused keyid", "not_yet_valid"),
    "revoked": ("401 key_refused keyid", "revoked"),
    "tls_client_key": ("401 key_refused keyid", "wrong_eku"),
    "tls_server_key": ("401 key_refused keyid", "wrong_eku"),
    "of_an_unknown_authority": ("401 key_refused keyid", "not_this_party"),
    "of_another_partys_authority": ("401 key_refused keyid", "not_this_party"),
    "outside_name_constraints": ("401 key_refused keyid", "name_constraints"),
    "rsa_2048": ("401 key_refused keyid", "weak_key"),
    "secp384r1": ("401 key_refused alg", None),
    "with_a_stale_list": ("401 key_refused keyid", "crl_stale"),
    "of_a_suspended_party": ("403 key_of_another_party keyid", None),
    "key_of_two_parties": ("401 key_refused keyid", "key_of_two_parties"),
    "authority_too_deep": ("401 key_refused keyid", "path_length"),
    "authority_without_the_flag": ("401 key_refused keyid", "not_an_authority"),
    "authority_rsa_2048": ("401 key_refused keyid", "weak_key"),
    "authority_secp224r1": ("401 key_refused keyid", "weak_key"),
    "authority_expired": ("401 key_refused keyid", "authority_expired"),
    "authority_revoked": ("401 key_refused keyid", "revoked"),
    "over_sha_1": ("401 key_refused keyid", "weak_signature"),
    "no_der": ("401 key_refused keyid", "malformed"),
    "extension_twice": ("401 key_refused keyid", "malformed"),
    "too_large": ("401 key_refused keyid", "too_large"),
    "unknown_critical_extension": ("401 key_refused keyid", "unknown_critical_extension"),
}


@pytest.mark.parametrize("attack", TLS)
def test_refused(arena: Arena, attack: str) -> None:
    make, expected, reason = TLS[attack]
    request = arena.verification().signed()
    problem = arena.refused(request, expected, make(arena))
    assert problem.get("reason") == reason
    assert problem["bound"] is False
    # The very same request, over the certificate that is what it should be.
    arena.accepted(request)


@pytest.mark.parametrize("attack", [f"signing_{name}" for name in SIGNING])
def test_refused_as_a_signing_key(arena: Arena, attack: str) -> None:
    name = attack.removeprefix("signing_")
    signers = arena.made.signers | {word: issued for word, (issued, _) in arena.made.leaves.items()}
    good: Issued = signers["bounded" if name == "outside_name_constraints" else "good"]
    key = signers[name]
    arena.accepted(arena.verification().but(key=good).signed())
    draft = arena.verification()
    # P-384 signs nothing that we know: it is named by a request that another key signed.
    draft = draft.but(parameters={"keyid": keyid(key.der)}) if name == "secp384r1" else draft.but(key=key)
    expected, reason = SIGNING[name]
    problem = arena.refused(draft.signed(), expected)
    assert problem.get("reason") == reason
    assert problem["bound"] is False


@pytest.mark.parametrize("ailment", REVOCATION)
def test_refused_for_what_is_known_of_its_revocation(arena: Arena, ailment: str) -> None:
    """Each party has an authority of its own, whose lists and answers have one fault."""
    problem = arena.refused(arena.verification().signed(), "403 certificate_refused", _ailing(arena, ailment))
    assert problem["reason"] == REVOCATION[ailment][1]


def test_an_answer_alone_is_enough(arena: Arena) -> None:
    """The good case: this party is known, and only its request is another's."""
    arena.refused(arena.verification().signed(), "403 key_of_another_party keyid", _ailing(arena, ANSWERED))


def test_a_chain_of_twenty_changes_nothing(arena: Arena) -> None:
    """What a caller sends along is not looked at: the policy says who issues."""
    ministry = arena.authorities["ministry"]
    stem = arena.write(ministry.issue(Profile.TLS_CLIENT, [HOST]), ministry)
    pem = stem.with_suffix(".pem")
    more = [ministry.subordinate(f"more {number}", above=ministry.root).pem for number in range(20)]
    pem.write_bytes(pem.read_bytes() + b"".join(more))
    arena.accepted(arena.verification().signed(), stem)


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
