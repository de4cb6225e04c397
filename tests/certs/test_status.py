"""Revocation by lists and OCSP answers: what each case says, and the good case beside it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from certs.authority import revocation_list
from certs.paths import Authority, fingerprint, vet
from certs.profiles import CertificateRefusedError, Profile
from certs.said import SKEW
from tests.certs.conftest import NOW, Trusted

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from certs.authority import Issued
    from certs.paths import Vetted

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LISTS_END = NOW + 30 * DAY
HOST = ["ministry.test"]


@pytest.fixture(scope="module")
def leaf(ministry: Trusted) -> Issued:
    return ministry.issuer.issue(Profile.SIGNING, HOST)


def verdict(leaf: Issued, authority: Authority, at: datetime = NOW) -> Vetted:
    return vet(leaf.der, Profile.SIGNING, authority, at)


def reason(leaf: Issued, authority: Authority, at: datetime = NOW) -> str:
    with pytest.raises(CertificateRefusedError) as refused:
        verdict(leaf, authority, at)
    return refused.value.reason


def lists(ministry: Trusted, *more: tuple[x509.ExtensionType, bool], issuer: Issued | None = None) -> tuple[bytes, ...]:
    """The root's list, and the issuing CA's with these extensions."""
    root, _ = ministry.issuer.revocation_lists()
    return root, revocation_list(issuer or ministry.issuer.issuing, at=NOW, more=more)


def scope(**only: object) -> tuple[x509.ExtensionType, bool]:
    """A critical issuing distribution point."""
    fields: dict[str, object] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**(fields | only)), True  # type: ignore[arg-type]  # named in the table above


#: lists that show nothing of a leaf
USELESS: dict[str, tuple[x509.ExtensionType, bool]] = {
    "delta": (x509.DeltaCRLIndicator(1), True),
    "indirect": scope(indirect_crl=True),
    "of_authorities_only": scope(only_contains_ca_certs=True),
    "of_attributes_only": scope(only_contains_attribute_certs=True),
    "of_some_reasons": scope(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise})),
    "of_another_address": scope(full_name=[x509.UniformResourceIdentifier("http://elsewhere.test/a.crl")]),
    "unknown_critical_extension": (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),
}


@pytest.mark.parametrize("kind", USELESS)
def test_lists_that_show_nothing(ministry: Trusted, leaf: Issued, kind: str) -> None:
    assert reason(leaf, ministry.trusting(*lists(ministry, USELESS[kind]))) == "crl_missing"
    assert verdict(leaf, ministry.trusting(*lists(ministry)))


def test_a_list_of_leaves_and_one_of_the_certificates_own_address(ministry: Trusted, leaf: Issued) -> None:
    assert verdict(leaf, ministry.trusting(*lists(ministry, scope(only_contains_user_certs=True))))
    address = x509.UniformResourceIdentifier("http://lists.test/1.crl")
    named = x509.CRLDistributionPoints([x509.DistributionPoint([address], None, None, None)])
    issued = ministry.issuer.issue(Profile.SIGNING, HOST, more=[(named, False)])
    partial = ministry.trusting(*lists(ministry, scope(full_name=[address])))
    assert verdict(issued, partial)
    assert reason(leaf, partial) == "crl_missing"


def test_a_list_by_the_wrong_issuer_or_by_whom_may_not_sign_lists(ministry: Trusted, leaf: Issued) -> None:
    root, _ = ministry.issuer.revocation_lists()
    by_root = revocation_list(ministry.issuer.root, at=NOW)
    assert reason(leaf, ministry.trusting(root, by_root)) == "crl_missing"
    middle = ministry.issuer.subordinate("no lists", above=ministry.issuer.root, is_authority=False)
    assert reason(leaf, ministry.trusting(*lists(ministry, issuer=middle))) == "crl_missing"


def test_an_issuing_authority_revoked(ministry: Trusted, leaf: Issued) -> None:
    crls = ministry.issuer.revocation_lists(authorities=[ministry.issuer.issuing.certificate])
    assert reason(leaf, ministry.trusting(*crls)) == "revoked"
    # that everything below it says that all is well changes nothing
    answer = ministry.issuer.answer(leaf.certificate)
    assert reason(leaf, ministry.trusting(*crls, ocsp=(answer,))) == "revoked"


def test_a_list_from_the_future(ministry: Trusted, leaf: Issued) -> None:
    near, far = (ministry.issuer.revocation_lists(at=NOW + HOUR + after) for after in (SKEW, SKEW + HOUR))
    assert verdict(leaf, ministry.trusting(*near))
    assert reason(leaf, ministry.trusting(*far)) == "crl_missing"


def test_stale_data_is_accepted_within_the_grace_and_never_past_it(ministry: Trusted, leaf: Issued) -> None:
    patient = ministry.trusting(grace=6 * HOUR)
    assert verdict(leaf, patient, LISTS_END - HOUR).stale_since is None
    late = verdict(leaf, patient, LISTS_END)
    assert (late.stale_since, late.until) == (LISTS_END, LISTS_END + HOUR)
    last = LISTS_END + 6 * HOUR - timedelta(seconds=1)
    assert verdict(leaf, patient, last).until == LISTS_END + 6 * HOUR
    assert reason(leaf, patient, LISTS_END + 6 * HOUR) == "crl_stale"
    assert reason(leaf, ministry.trusting(), LISTS_END) == "crl_stale"


def test_a_stale_list_that_revokes_is_heard(ministry: Trusted, leaf: Issued) -> None:
    crls = ministry.issuer.revocation_lists([leaf.certificate])
    later = ministry.issuer.revocation_lists(at=LISTS_END)
    assert verdict(leaf, ministry.trusting(*later), LISTS_END + DAY)
    assert reason(leaf, ministry.trusting(*crls, *later), LISTS_END + DAY) == "revoked"


def test_an_answer_alone_is_enough_for_its_certificate(ministry: Trusted, leaf: Issued) -> None:
    root, _ = ministry.issuer.revocation_lists()
    answer = ministry.issuer.answer(leaf.certificate)
    found = verdict(leaf, ministry.trusting(root, ocsp=(answer,)))
    assert found.revocation == (fingerprint(root), fingerprint(answer))
    assert found.until == NOW + DAY  # the answer's end comes before the list's


def test_an_answer_is_heard_beside_the_lists_and_the_first_end_counts(ministry: Trusted, leaf: Issued) -> None:
    answer = ministry.issuer.answer(leaf.certificate)
    both = ministry.trusting(ocsp=(answer,))
    assert fingerprint(answer) in verdict(leaf, both).revocation
    assert verdict(leaf, both).until == NOW + DAY
    # once the answer is stale the list goes on alone
    assert verdict(leaf, both, NOW + 2 * DAY).until == LISTS_END


@pytest.mark.parametrize(("says", "expected"), [("revoked", "revoked"), ("unknown", "unknown_to_its_issuer")])
def test_one_voice_that_revokes_is_enough(ministry: Trusted, leaf: Issued, says: str, expected: str) -> None:
    answer = ministry.issuer.answer(leaf.certificate, says=says)  # type: ignore[arg-type]  # one of the words
    assert reason(leaf, ministry.trusting(ocsp=(answer,))) == expected
    good = ministry.issuer.answer(leaf.certificate)
    assert reason(leaf, ministry.trusting(ocsp=(good, answer))) == expected
    assert verdict(leaf, ministry.trusting(ocsp=(good,)))


def test_a_good_answer_does_not_outweigh_a_list_that_revokes(ministry: Trusted, leaf: Issued) -> None:
    crls = ministry.issuer.revocation_lists([leaf.certificate])
    assert reason(leaf, ministry.trusting(*crls, ocsp=(ministry.issuer.answer(leaf.certificate),))) == "revoked"


def _of_another(ministry: Trusted, _leaf: Issued) -> bytes:
    return ministry.issuer.answer(ministry.issuer.issue(Profile.SIGNING, HOST).certificate)


def _of_an_impostor(_ministry: Trusted, leaf: Issued) -> bytes:
    impostor = Trusted("ministry").issuer
    return impostor.answer(leaf.certificate)


def _by_the_wrong_key(ministry: Trusted, leaf: Issued) -> bytes:
    return ministry.issuer.answer(leaf.certificate, signer=ministry.issuer.root)


def _by_a_leaf_without_the_usage(ministry: Trusted, leaf: Issued) -> bytes:
    return ministry.issuer.answer(leaf.certificate, signer=ministry.issuer.issue(Profile.SIGNING, HOST))


def _by_a_responder_of_another_authority(ministry: Trusted, leaf: Issued) -> bytes:
    return ministry.issuer.answer(leaf.certificate, signer=Trusted("ministry").issuer.responder())


def _by_a_responder_of_the_root(ministry: Trusted, leaf: Issued) -> bytes:
    return ministry.issuer.answer(leaf.certificate, signer=ministry.issuer.responder(above=ministry.issuer.root))


def _by_a_responder_that_must_be_cleared(ministry: Trusted, leaf: Issued) -> bytes:
    return ministry.issuer.answer(leaf.certificate, signer=ministry.issuer.responder(checked=True))


def _spoilt(ministry: Trusted, leaf: Issued) -> bytes:
    return ministry.issuer.answer(leaf.certificate)[:-1] + b"\0"


def _from_the_future(ministry: Trusted, leaf: Issued) -> bytes:
    return ministry.issuer.answer(leaf.certificate, at=NOW + 2 * HOUR)


WORTHLESS: dict[str, Callable[[Trusted, Issued], bytes]] = {
    "for_another_certificate": _of_another,
    "signed_by_an_impostor": _of_an_impostor,
    "signed_by_the_wrong_key": _by_the_wrong_key,
    "by_a_leaf_without_the_usage": _by_a_leaf_without_the_usage,
    "by_a_responder_of_another_authority": _by_a_responder_of_another_authority,
    "by_a_responder_of_the_root": _by_a_responder_of_the_root,
    "by_a_responder_that_nothing_clears": _by_a_responder_that_must_be_cleared,
    "spoilt": _spoilt,
    "from_the_future": _from_the_future,
    "garbage": lambda *_: b"\x30\x03abc",
}


@pytest.mark.parametrize("kind", WORTHLESS)
def test_answers_that_show_nothing(ministry: Trusted, leaf: Issued, kind: str) -> None:
    root, _ = ministry.issuer.revocation_lists()
    answer = WORTHLESS[kind](ministry, leaf)
    assert reason(leaf, ministry.trusting(root, ocsp=(answer,))) == "crl_missing"
    if kind != "by_a_responder_that_nothing_clears":  # the list does
        assert fingerprint(answer) not in verdict(leaf, ministry.trusting(ocsp=(answer,))).revocation


def test_a_stale_answer(ministry: Trusted, leaf: Issued) -> None:
    root, _ = ministry.issuer.revocation_lists()
    answer = ministry.issuer.answer(leaf.certificate)
    assert reason(leaf, ministry.trusting(root, ocsp=(answer,)), NOW + DAY) == "crl_stale"
    assert verdict(leaf, ministry.trusting(root, ocsp=(answer,), grace=HOUR), NOW + DAY).stale_since == NOW + DAY


def test_a_delegated_responder(ministry: Trusted, leaf: Issued) -> None:
    root, issuing = ministry.issuer.revocation_lists()
    answer = ministry.issuer.answer(leaf.certificate, signer=ministry.issuer.responder())
    assert verdict(leaf, ministry.trusting(root, ocsp=(answer,))).until == NOW + DAY
    # one that may be revoked is cleared by the list, which is then among what was used
    responder = ministry.issuer.responder(checked=True)
    answer = ministry.issuer.answer(leaf.certificate, signer=responder)
    cleared = verdict(leaf, ministry.trusting(root, issuing, ocsp=(answer,)))
    assert set(cleared.revocation) == {fingerprint(der) for der in (root, issuing, answer)}
    crls = ministry.issuer.revocation_lists([responder.certificate])
    assert fingerprint(answer) not in verdict(leaf, ministry.trusting(*crls, ocsp=(answer,))).revocation


def test_lists_and_answers_of_an_authority_with_an_rsa_key() -> None:
    trusted = Trusted("rsa")
    made, key = trusted.issuer, rsa.generate_private_key(65537, 3072)
    made.issuing = made.subordinate("rsa CA", above=made.root, key=key)
    leaf = made.issue(Profile.SIGNING, HOST)
    assert verdict(leaf, trusted.trusting())
    assert reason(leaf, trusted.trusting(*made.revocation_lists([leaf.certificate]))) == "revoked"
    root, _ = made.revocation_lists()
    assert verdict(leaf, trusted.trusting(root, ocsp=(made.answer(leaf.certificate),)))
    revoked = made.answer(leaf.certificate, says="revoked")
    assert reason(leaf, trusted.trusting(root, ocsp=(revoked,))) == "revoked"


def test_a_revocation_dated_ahead_of_our_clock_is_one(ministry: Trusted, leaf: Issued) -> None:
    """Its issuer's clock may be ahead: whoever stands in the list is revoked (RFC 5280, 6.3.3)."""
    ahead = ministry.issuer.revocation_lists([leaf.certificate], at=NOW + HOUR + SKEW - timedelta(minutes=1))
    assert reason(leaf, ministry.trusting(*ahead)) == "revoked"
    assert verdict(leaf, ministry.trusting(*ministry.issuer.revocation_lists(at=NOW + HOUR + SKEW)))
