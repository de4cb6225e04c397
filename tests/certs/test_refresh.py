"""What is fetched, and what of it may replace what we have: the right issuer, in date, never older."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.authority import DevAuthority, revocation_list
from certs.lists import RevocationList
from certs.profiles import Profile
from certs.refresh import RefusedDataError, Source, accept, sources_of
from tests.certs.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certs.authority import Issued

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LISTS, ANSWERS = "http://lists.test", "http://ocsp.test/ask"


@pytest.fixture(scope="module")
def authority() -> DevAuthority:
    return DevAuthority("ministry", NOW, publishes=LISTS, answers=ANSWERS)


@pytest.fixture(scope="module")
def leaf(authority: DevAuthority) -> Issued:
    return authority.issue(Profile.SIGNING, ["ministry.test"])


@pytest.fixture(scope="module")
def sources(authority: DevAuthority, leaf: Issued) -> dict[tuple[str, bool], Source]:
    """By whom it is asked of, and whether over OCSP."""
    ders = (authority.root.der, authority.issuing.der)
    found = sources_of("ministry", [*ders, leaf.der], ders)
    return {(item.url, item.certificate == leaf.der): item for item in found}


def refused(source: Source, content: bytes, kept: bytes | None = None, *lists: bytes) -> str:
    read = tuple(item for der in lists if (item := RevocationList.read(der)) is not None)
    with pytest.raises(RefusedDataError) as error:
        accept(source, content, kept=kept, lists=read, at=NOW)
    return error.value.reason


@pytest.fixture
def listed(sources: dict[tuple[str, bool], Source]) -> Source:
    return sources[f"{LISTS}/issuing.crl", False]


@pytest.fixture
def asked(sources: dict[tuple[str, bool], Source]) -> Source:
    return sources[ANSWERS, True]


def test_sources_are_what_the_certificates_name(
    sources: dict[tuple[str, bool], Source], authority: DevAuthority, leaf: Issued
) -> None:
    assert set(sources) == {
        (f"{LISTS}/root.crl", False),
        (f"{LISTS}/issuing.crl", False),
        (ANSWERS, False),
        (ANSWERS, True),
    }
    root = sources[f"{LISTS}/root.crl", False]
    assert (root.issuer, root.certificate, root.request()) == (authority.root.der, None, None)
    assert sources[ANSWERS, True].issuer == authority.issuing.der
    assert sources[ANSWERS, False].certificate == authority.issuing.der
    names = [item.file for item in sources.values()]
    assert len(set(names)) == 4
    assert all(name.startswith("ministry.") and name.count(".") == 2 for name in names)
    # another leaf of the same authority has the same lists
    other = authority.issue(Profile.SIGNING, ["ministry.test"])
    again = sources_of("ministry", [other.der], [authority.issuing.der])
    assert sources[f"{LISTS}/issuing.crl", False] in again
    assert leaf.der != other.der


def test_nothing_is_asked_for_certificates_of_strangers_or_by_other_schemes(authority: DevAuthority) -> None:
    stranger = DevAuthority("stranger", NOW, publishes=LISTS).issue(Profile.SIGNING, ["ministry.test"])
    ldap = DevAuthority("ministry", NOW, publishes="ldap://lists.test", answers="file:///etc/passwd")
    leaf = ldap.issue(Profile.SIGNING, ["ministry.test"])
    silent = DevAuthority("ministry", NOW)
    assert sources_of("ministry", [stranger.der, b"\x30"], [authority.issuing.der, b"\x30"]) == ()
    assert sources_of("ministry", [leaf.der], [ldap.issuing.der]) == ()
    assert sources_of("ministry", [silent.issuing.der], [silent.root.der]) == ()


def test_a_request_names_the_certificate(asked: Source, leaf: Issued) -> None:
    request = asked.request()
    assert request is not None
    assert x509.ocsp.load_der_ocsp_request(request).serial_number == leaf.certificate.serial_number


def test_a_list_in_der_or_pem_is_taken(listed: Source, authority: DevAuthority) -> None:
    _, crl = authority.revocation_lists()
    pem = x509.load_der_x509_crl(crl).public_bytes(Encoding.PEM)
    for content in (crl, pem):
        accepted = accept(listed, content, kept=None, lists=(), at=NOW)
        assert (accepted.der, accepted.until) == (crl, NOW + 30 * DAY)
    # the same once more, and a later one
    assert accept(listed, crl, kept=crl, lists=(), at=NOW).der == crl
    _, later = authority.revocation_lists(at=NOW + HOUR, number=2)
    assert accept(listed, later, kept=crl, lists=(), at=NOW + HOUR).der == later


def test_lists_that_are_not_taken(listed: Source, authority: DevAuthority) -> None:
    root, crl = authority.revocation_lists()
    impostor = DevAuthority("ministry", NOW).revocation_lists()[1]
    delta = revocation_list(authority.issuing, at=NOW, more=[(x509.DeltaCRLIndicator(1), True)])
    assert refused(listed, b"<html>") == "malformed"
    assert refused(listed, b"-----BEGIN X509 CRL-----") == "malformed"
    assert refused(listed, crl[:-9]) == "malformed"
    assert refused(listed, root) == "wrong_issuer"
    assert refused(listed, impostor) == "wrong_issuer"
    assert refused(listed, crl[:-1] + bytes([crl[-1] ^ 1])) == "wrong_issuer"
    assert refused(listed, delta) == "not_a_whole_list"
    assert refused(listed, authority.revocation_lists(at=NOW - 31 * DAY)[1]) == "stale"
    assert refused(listed, authority.revocation_lists(at=NOW + 2 * HOUR)[1]) == "from_the_future"


def test_a_list_never_goes_back(listed: Source, authority: DevAuthority) -> None:
    """By its number, or by its date where the numbers are the same."""
    revoking = authority.revocation_lists([authority.issuing.certificate], number=7)[1]
    assert refused(listed, authority.revocation_lists(number=6)[1], revoking) == "rollback"
    assert refused(listed, authority.revocation_lists(at=NOW - HOUR, number=7)[1], revoking) == "rollback"
    # what stands there and is no list keeps nothing back
    assert accept(listed, authority.revocation_lists()[1], kept=b"\x30", lists=(), at=NOW)


def test_an_answer_is_taken(asked: Source, authority: DevAuthority, leaf: Issued) -> None:
    answer = authority.answer(leaf.certificate)
    accepted = accept(asked, answer, kept=None, lists=(), at=NOW)
    assert (accepted.der, accepted.until) == (answer, NOW + DAY)
    # that it is revoked is good to know too
    assert accept(asked, authority.answer(leaf.certificate, says="revoked"), kept=answer, lists=(), at=NOW)
    by_responder = authority.answer(leaf.certificate, signer=authority.responder())
    assert accept(asked, by_responder, kept=answer, lists=(), at=NOW).der == by_responder


def test_answers_that_are_not_taken(asked: Source, authority: DevAuthority, leaf: Issued) -> None:
    answer = authority.answer(leaf.certificate)
    other = authority.issue(Profile.SIGNING, ["ministry.test"]).certificate
    responder = authority.responder(checked=True)
    by_responder = authority.answer(leaf.certificate, signer=responder)
    assert refused(asked, b"\x30\x03\x0a\x01\x06") == "malformed"  # unauthorized
    assert refused(asked, b"<html>") == "malformed"
    assert refused(asked, authority.answer(other)) == "wrong_certificate"
    assert refused(asked, authority.answer(leaf.certificate, signer=authority.root)) == "wrong_issuer"
    assert refused(asked, by_responder) == "wrong_issuer"
    assert refused(asked, by_responder, None, authority.revocation_lists([responder.certificate])[1]) == "wrong_issuer"
    assert refused(asked, authority.answer(leaf.certificate, at=NOW - 2 * DAY)) == "stale"
    assert refused(asked, authority.answer(leaf.certificate, at=NOW + 2 * HOUR)) == "from_the_future"
    assert refused(asked, authority.answer(leaf.certificate, at=NOW - HOUR), answer) == "rollback"


def test_a_list_of_another_scope_does_not_stand_in_its_place(listed: Source, authority: DevAuthority) -> None:
    """Whoever sits on the line could serve the issuer's list of authorities, whose numbers are higher, for good."""
    crl = authority.revocation_lists()[1]
    for scope in (of_scope(only_contains_ca_certs=True), of_scope(full_name=["http://lists.test/other.crl"])):
        other = revocation_list(authority.issuing, at=NOW, number=900, more=[scope])
        assert refused(listed, other) == "wrong_certificate"
        assert refused(listed, other, crl) == "wrong_certificate"
    for scope in (of_scope(only_contains_user_certs=True), of_scope(full_name=[listed.url])):
        assert accept(listed, revocation_list(authority.issuing, at=NOW, more=[scope]), kept=crl, lists=(), at=NOW)


def of_scope(full_name: Sequence[str] = (), **only: bool) -> tuple[x509.ExtensionType, bool]:
    """A critical issuing distribution point."""
    flags = dict.fromkeys(
        ("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl", "only_contains_attribute_certs"), False
    )
    names = [x509.UniformResourceIdentifier(url) for url in full_name] or None
    point = x509.IssuingDistributionPoint(names, None, only_some_reasons=None, **(flags | only))
    return point, True
