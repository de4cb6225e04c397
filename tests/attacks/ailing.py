"""Certificates and revocation data with one fault each, and the word that names it (DESIGN, section 10, X.509)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certs.authority import DevAuthority, Issued, revocation_list
from certs.profiles import Profile
from gateway.system import SystemClock
from tests.certs.made import resigned, signed_over_sha1

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Files = Mapping[str, bytes]

NOW = SystemClock().now
DAY = timedelta(days=1)
_UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


def _lists(authority: DevAuthority, issuing: bytes | None = None) -> dict[str, bytes]:
    root, good = authority.revocation_lists(at=NOW())
    return {"root.crl": root, "issuing.crl": issuing or good}


def _issuing(authority: DevAuthority, *more: tuple[x509.ExtensionType, bool]) -> bytes:
    return revocation_list(authority.issuing, at=NOW(), more=more)


def _impostor(authority: DevAuthority) -> DevAuthority:
    return DevAuthority(authority.name, NOW())


def _scope(*, indirect: bool = False, authorities: bool = False) -> tuple[x509.ExtensionType, bool]:
    scope = x509.IssuingDistributionPoint(
        full_name=None, relative_name=None, only_contains_user_certs=False, only_contains_ca_certs=authorities,
        only_some_reasons=None, indirect_crl=indirect, only_contains_attribute_certs=False,
    )  # fmt: skip
    return scope, True


def _answered(authority: DevAuthority, answer: bytes) -> dict[str, bytes]:
    """Only an OCSP answer tells of the leaf."""
    return {"root.crl": _lists(authority)["root.crl"], "leaf.ocsp": answer}


#: what ails a party's revocation data -> its files, of its authority and a TLS client's certificate; and our word
REVOCATION: dict[str, tuple[Callable[[DevAuthority, Issued], Files], str]] = {
    "list-missing": (lambda a, _: {"root.crl": _lists(a)["root.crl"]}, "crl_missing"),
    "list-of-the-root-missing": (lambda a, _: {"issuing.crl": _lists(a)["issuing.crl"]}, "crl_missing"),
    "list-garbage": (lambda a, _: _lists(a, b"\x30\x03abc"), "crl_missing"),
    "list-by-an-impostor": (lambda a, _: _lists(a, _impostor(a).revocation_lists()[1]), "crl_missing"),
    "list-by-the-wrong-issuer": (lambda a, _: _lists(a, a.revocation_lists()[0]), "crl_missing"),
    "list-delta": (lambda a, _: _lists(a, _issuing(a, (x509.DeltaCRLIndicator(1), True))), "crl_missing"),
    "list-indirect": (lambda a, _: _lists(a, _issuing(a, _scope(indirect=True))), "crl_missing"),
    "list-of-authorities-only": (lambda a, _: _lists(a, _issuing(a, _scope(authorities=True))), "crl_missing"),
    "list-with-an-unknown-extension": (lambda a, _: _lists(a, _issuing(a, (_UNKNOWN, True))), "crl_missing"),
    "list-stale": (lambda a, _: _lists(a, a.revocation_lists(at=NOW() - 31 * DAY)[1]), "crl_stale"),
    "authority-revoked": (
        lambda a, _: {"root.crl": a.revocation_lists(authorities=[a.issuing.certificate])[0]} | _only_issuing(a),
        "revoked",
    ),
    "ocsp-revoked": (
        lambda a, leaf: _lists(a) | {"leaf.ocsp": a.answer(leaf.certificate, says="revoked")},
        "revoked",
    ),
    "ocsp-unknown": (
        lambda a, leaf: _lists(a) | {"leaf.ocsp": a.answer(leaf.certificate, says="unknown")},
        "unknown_to_its_issuer",
    ),
    "ocsp-good-but-listed": (
        lambda a, leaf: (
            _lists(a, a.revocation_lists([leaf.certificate])[1]) | {"leaf.ocsp": a.answer(leaf.certificate)}
        ),
        "revoked",
    ),
    "ocsp-stale": (
        lambda a, leaf: _answered(a, a.answer(leaf.certificate, at=NOW() - 2 * DAY)),
        "crl_stale",
    ),
    "ocsp-for-another": (
        lambda a, _: _answered(a, a.answer(a.issue(Profile.TLS_CLIENT, ["another.test"]).certificate)),
        "crl_missing",
    ),
    "ocsp-by-the-wrong-key": (
        lambda a, leaf: _answered(a, a.answer(leaf.certificate, signer=a.root)),
        "crl_missing",
    ),
    "ocsp-by-a-responder-of-another": (
        lambda a, leaf: _answered(a, a.answer(leaf.certificate, signer=_impostor(a).responder())),
        "crl_missing",
    ),
    "ocsp-by-a-leaf": (
        lambda a, leaf: _answered(a, a.answer(leaf.certificate, signer=a.issue(Profile.SIGNING, ["a.test"]))),
        "crl_missing",
    ),
}
#: The good case beside them: an answer alone, by a responder that the authority certified.
ANSWERED = "ocsp-good"


def good(authority: DevAuthority, leaf: Issued) -> Files:
    """An OCSP answer is all that tells of this leaf."""
    return _answered(authority, authority.answer(leaf.certificate, signer=authority.responder()))


def _only_issuing(authority: DevAuthority) -> dict[str, bytes]:
    return {"issuing.crl": _lists(authority)["issuing.crl"]}


def authorities(above: DevAuthority) -> Mapping[str, tuple[Issued, str]]:
    """Further issuing CAs below the same root, each with a fault; and our word for it."""
    root, issuing = above.root, above.issuing
    small, curve = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP224R1())
    return {
        "authority_too_deep": (above.subordinate("too deep", above=issuing), "path_length"),
        "authority_without_the_flag": (
            above.subordinate("no flag", above=root, is_authority=False),
            "not_an_authority",
        ),
        "authority_rsa_2048": (above.subordinate("small", above=root, key=small), "weak_key"),
        "authority_secp224r1": (above.subordinate("curve", above=root, key=curve), "weak_key"),
        "authority_expired": (
            above.subordinate("expired", above=root, not_after=NOW() - timedelta(minutes=1)),
            "authority_expired",
        ),
        "authority_revoked": (above.subordinate("revoked", above=root), "revoked"),
    }


def leaves(above: DevAuthority, profile: Profile, names: list[str]) -> Mapping[str, tuple[Issued, str]]:
    """Certificates whose own bytes are at fault, each with its key, and our word for it."""
    plain = above.issue(profile, names)
    many = above.issue(profile, [*names, *(f"host-{number}.test" for number in range(1500))])
    unknown = above.issue(profile, names, more=[(_UNKNOWN, True)])
    # a bit string whose unused bits are not zero: BER, and OpenSSL takes it
    bits = "0206c0" if profile is Profile.SIGNING else "020780"
    der, ber = bytes.fromhex(f"040403{bits}"), bytes.fromhex(f"040403{bits[:-1]}1")
    usage, other_usage = bytes.fromhex("0603551d0f"), bytes.fromhex("0603551d25")
    return {
        "over_sha_1": (_with(plain, signed_over_sha1(plain.der, above.issuing)), "weak_signature"),
        "no_der": (_with(plain, resigned(plain.der, above.issuing, der, ber)), "malformed"),
        "extension_twice": (_with(plain, resigned(plain.der, above.issuing, usage, other_usage)), "malformed"),
        "too_large": (many, "too_large"),
        "unknown_critical_extension": (unknown, "unknown_critical_extension"),
    }


def _with(issued: Issued, der: bytes) -> Issued:
    return Issued(x509.load_der_x509_certificate(der), issued.key)
