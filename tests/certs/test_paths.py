"""X.509 (section 10): what makes a certificate unfit, each reason by its name; and the good case beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.authority import _key_usage, _name, revocation_list
from certs.paths import fingerprint, vet
from certs.profiles import CertificateRefusedError, Profile, dns_names
from tests.certs.conftest import NOW, Trusted
from tests.certs.made import signed_over_sha1

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

    from certs.authority import Issued

DAY = timedelta(days=1)
HOST = ["ministry.test"]


def reason(certificate: bytes, profile: Profile, trusted: Trusted, at: datetime = NOW, *crls: bytes) -> str:
    with pytest.raises(CertificateRefusedError) as refused:
        vet(certificate, profile, trusted.trusting(*crls), at)
    return refused.value.reason


@pytest.mark.parametrize("profile", Profile)
def test_a_good_certificate_is_vetted_with_all_that_showed_it(ministry: Trusted, profile: Profile) -> None:
    der = ministry.issuer.issue(profile, HOST).der
    vetted = vet(der, profile, ministry.trust, NOW)
    assert vetted.sha256 == fingerprint(der)
    assert vetted.chain == (fingerprint(ministry.issuer.issuing.der), fingerprint(ministry.issuer.root.der))
    assert vetted.revocation == tuple(fingerprint(crl) for crl in ministry.trust.crls)
    assert vetted.until == NOW + 30 * DAY  # when the lists go stale


@pytest.mark.parametrize("presented", Profile)
@pytest.mark.parametrize("wanted", Profile)
def test_wrong_eku(ministry: Trusted, presented: Profile, wanted: Profile) -> None:
    der = ministry.issuer.issue(presented, HOST).der
    if presented is wanted:
        assert vet(der, wanted, ministry.trust, NOW).sha256 == fingerprint(der)
    else:
        assert reason(der, wanted, ministry) == "wrong_eku"


def test_expired_and_not_yet_valid(ministry: Trusted) -> None:
    issued = ministry.issuer.issue(Profile.SIGNING, HOST, not_before=NOW, not_after=NOW + DAY).der
    assert reason(issued, Profile.SIGNING, ministry, NOW - timedelta(seconds=1)) == "not_yet_valid"
    assert vet(issued, Profile.SIGNING, ministry.trust, NOW).until == NOW + DAY
    assert reason(issued, Profile.SIGNING, ministry, NOW + DAY) == "expired"


def test_revoked(ministry: Trusted) -> None:
    issued, other = (ministry.issuer.issue(Profile.SIGNING, HOST) for _ in range(2))
    crls = ministry.issuer.revocation_lists([issued.certificate])
    assert reason(issued.der, Profile.SIGNING, ministry, NOW, *crls) == "revoked"
    assert vet(other.der, Profile.SIGNING, ministry.trusting(*crls), NOW).sha256 == fingerprint(other.der)


def test_wrong_ca(ministry: Trusted, cooperative: Trusted) -> None:
    der = cooperative.issuer.issue(Profile.SIGNING, HOST).der
    assert reason(der, Profile.SIGNING, ministry) == "wrong_authority"
    assert vet(der, Profile.SIGNING, cooperative.trust, NOW).sha256 == fingerprint(der)


def test_crl_stale(ministry: Trusted) -> None:
    der = ministry.issuer.issue(Profile.SIGNING, HOST).der
    assert reason(der, Profile.SIGNING, ministry, NOW + 30 * DAY) == "crl_stale"


def test_no_crl_at_all_or_one_of_two(ministry: Trusted, cooperative: Trusted) -> None:
    der = ministry.issuer.issue(Profile.SIGNING, HOST).der
    root, issuing = ministry.issuer.revocation_lists()
    for crls in [(root,), (issuing,), cooperative.issuer.revocation_lists()]:
        assert reason(der, Profile.SIGNING, ministry, NOW, *crls) == "crl_missing"
    nothing = type(ministry.trust)("ministry", ministry.trust.roots, ministry.trust.intermediates, crls=())
    with pytest.raises(CertificateRefusedError, match="crl_missing"):
        vet(der, Profile.SIGNING, nothing, NOW)


def test_a_crl_signed_by_another(ministry: Trusted) -> None:
    # The same names, other keys: an impostor's empty list must not clear a revoked certificate.
    impostor = Trusted("ministry")
    issued = ministry.issuer.issue(Profile.SIGNING, HOST)
    root, _ = ministry.issuer.revocation_lists()
    _, forged = impostor.issuer.revocation_lists()
    assert reason(issued.der, Profile.SIGNING, ministry, NOW, root, forged) == "crl_missing"


_WEAK: dict[str, Callable[[], CertificateIssuerPrivateKeyTypes]] = {
    "rsa_2048": lambda: rsa.generate_private_key(65537, 2048),
    "secp224r1": lambda: ec.generate_private_key(ec.SECP224R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "dsa": lambda: dsa.generate_private_key(2048),
    "ed448": ed448.Ed448PrivateKey.generate,
}


@pytest.mark.parametrize("kind", _WEAK)
def test_small_keys(ministry: Trusted, kind: str) -> None:
    der = ministry.issuer.issue(Profile.SIGNING, HOST, key=_WEAK[kind]()).der
    assert reason(der, Profile.SIGNING, ministry) == "weak_key"


def test_strong_keys_of_other_kinds(ministry: Trusted) -> None:
    for key in (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())):
        der = ministry.issuer.issue(Profile.SIGNING, HOST, key=key).der
        assert vet(der, Profile.SIGNING, ministry.trust, NOW).sha256 == fingerprint(der)


def leaf(ministry: Trusted, *extensions: tuple[x509.ExtensionType, bool]) -> bytes:
    """A certificate of the issuing CA with just these extensions."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name("leaf"))
        .issuer_name(ministry.issuer.issuing.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(ministry.issuer.issuing.key, hashes.SHA256()).public_bytes(Encoding.DER)


_SIGNING_EKU = (x509.ExtendedKeyUsage([Profile.SIGNING.value]), False)
_SIGNING_USAGE = (_key_usage(authority=False, signing=True), True)


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        ([], "wrong_eku"),
        ([_SIGNING_EKU], "wrong_eku"),
        ([(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False), _SIGNING_USAGE], "wrong_eku"),
        (
            [(x509.ExtendedKeyUsage([Profile.SIGNING.value, Profile.TLS_CLIENT.value]), False), _SIGNING_USAGE],
            "wrong_eku",
        ),
        ([_SIGNING_EKU, (_key_usage(authority=False, signing=False), True)], "wrong_key_usage"),
        ([_SIGNING_EKU, (_key_usage(authority=True, signing=True), True)], "wrong_key_usage"),
        ([_SIGNING_EKU, _SIGNING_USAGE, (x509.BasicConstraints(ca=True, path_length=None), True)], "is_authority"),
        (
            [
                _SIGNING_EKU,
                _SIGNING_USAGE,
                (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),
            ],
            "unknown_critical_extension",
        ),
    ],
    ids=[
        "no_extension", "no_key_usage", "any_usage", "two_usages", "not_for_signing", "for_certificates",
        "an_authority", "unknown_critical_extension",
    ],
)  # fmt: skip
def test_extensions_that_make_it_unfit(
    ministry: Trusted, extensions: list[tuple[x509.ExtensionType, bool]], expected: str
) -> None:
    assert reason(leaf(ministry, *extensions), Profile.SIGNING, ministry) == expected


def test_basic_constraints_may_be_absent_and_names_too(ministry: Trusted) -> None:
    der = leaf(ministry, _SIGNING_EKU, _SIGNING_USAGE)
    assert vet(der, Profile.SIGNING, ministry.trust, NOW).sha256 == fingerprint(der)
    assert dns_names(x509.load_der_x509_certificate(der)) == ()


@pytest.mark.parametrize(
    "mangle",
    [
        lambda _: b"",
        lambda der: der[:-1],
        lambda der: der + b"\0",
        lambda _: b"\x30\x80",
        # id-ecPublicKey becomes an algorithm that nobody knows
        lambda der: der.replace(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d027f")),
        # keyUsage becomes a second extendedKeyUsage
        lambda der: der.replace(bytes.fromhex("0603551d0f"), bytes.fromhex("0603551d25")),
    ],
    ids=["empty", "cut", "longer", "indefinite_length", "unknown_key_algorithm", "duplicate_extension"],
)
def test_malformed(ministry: Trusted, mangle: Callable[[bytes], bytes]) -> None:
    der = ministry.issuer.issue(Profile.SIGNING, HOST).der
    assert mangle(der) != der
    assert reason(mangle(der), Profile.SIGNING, ministry) == "malformed"


def test_a_flipped_bit_anywhere_is_never_accepted(ministry: Trusted) -> None:
    der = ministry.issuer.issue(Profile.SIGNING, HOST).der
    for at in range(0, len(der), 7):
        spoilt = bytearray(der)
        spoilt[at] ^= 0x10
        assert reason(bytes(spoilt), Profile.SIGNING, ministry)


def constrained(permitted: str) -> Trusted:
    """An authority whose issuing CA may name only what is below ``permitted``, and ends in a day."""
    trusted = Trusted("constrained")
    made = trusted.issuer
    made.issuing = made.subordinate("constrained CA", above=made.root, permitted=permitted, not_after=NOW + DAY)
    return trusted


def test_name_constraints() -> None:
    trusted = constrained("ministry.test")
    good = trusted.issuer.issue(Profile.SIGNING, ["a.ministry.test"], not_after=NOW + DAY).der
    assert vet(good, Profile.SIGNING, trusted.trusting(), NOW).sha256 == fingerprint(good)
    other = trusted.issuer.issue(Profile.SIGNING, ["a.cooperative.test"], not_after=NOW + DAY).der
    assert reason(other, Profile.SIGNING, trusted) == "name_constraints"


def test_a_verdict_does_not_outlive_the_authority_above() -> None:
    trusted = constrained("ministry.test")  # its issuing CA ends in a day
    der = trusted.issuer.issue(Profile.SIGNING, ["a.ministry.test"]).der
    assert vet(der, Profile.SIGNING, trusted.trusting(), NOW).until <= NOW + DAY
    assert reason(der, Profile.SIGNING, trusted, NOW + 2 * DAY) == "authority_expired"


def test_a_leaf_that_issues_is_no_authority(ministry: Trusted) -> None:
    middle = ministry.issuer.issue(Profile.SIGNING, HOST)
    under = x509.CertificateBuilder(
        issuer_name=middle.certificate.subject,
        subject_name=_name("under"),
        public_key=middle.key.public_key(),
        serial_number=7,
        not_valid_before=(NOW - DAY).replace(tzinfo=None),
        not_valid_after=(NOW + DAY).replace(tzinfo=None),
    )
    for extension, critical in (_SIGNING_EKU, _SIGNING_USAGE):
        under = under.add_extension(extension, critical)
    der = under.sign(middle.key, hashes.SHA256()).public_bytes(Encoding.DER)
    with pytest.raises(CertificateRefusedError, match="not_an_authority"):
        vet(der, Profile.SIGNING, ministry.trusting(between=(middle.der,)), NOW)


def below(ministry: Trusted, middle: Issued) -> str:
    """Why a leaf below this further issuing CA is refused."""
    der = ministry.issuer.issue(Profile.SIGNING, HOST, above=middle).der
    lists = (*ministry.issuer.revocation_lists(), revocation_list(middle, at=NOW))
    with pytest.raises(CertificateRefusedError) as refused:
        vet(der, Profile.SIGNING, ministry.trusting(*lists, between=(middle.der,)), NOW)
    return refused.value.reason


def test_a_further_issuing_authority_below_the_root(ministry: Trusted) -> None:
    middle = ministry.issuer.subordinate("second", above=ministry.issuer.root)
    der = ministry.issuer.issue(Profile.SIGNING, HOST, above=middle).der
    lists = (*ministry.issuer.revocation_lists(), revocation_list(middle, at=NOW))
    vetted = vet(der, Profile.SIGNING, ministry.trusting(*lists, between=(middle.der,)), NOW)
    assert vetted.chain == (fingerprint(middle.der), fingerprint(ministry.issuer.root.der))
    # what was heard of another issuing CA is not named
    assert vetted.revocation == (fingerprint(lists[0]), fingerprint(lists[2]))


def test_path_length_exceeded(ministry: Trusted) -> None:
    middle = ministry.issuer.subordinate("too deep", above=ministry.issuer.issuing)
    assert below(ministry, middle) == "path_length"


def test_without_the_flag_of_an_authority(ministry: Trusted) -> None:
    middle = ministry.issuer.subordinate("no authority", above=ministry.issuer.root, is_authority=False)
    assert below(ministry, middle) == "not_an_authority"


@pytest.mark.parametrize("kind", ["rsa_2048", "secp224r1", "secp192r1"])
def test_small_keys_of_an_issuing_authority(ministry: Trusted, kind: str) -> None:
    key = (_WEAK | {"secp192r1": lambda: ec.generate_private_key(ec.SECP192R1())})[kind]()
    assert below(ministry, ministry.issuer.subordinate("weak", above=ministry.issuer.root, key=key)) == "weak_key"


def test_an_issuing_authority_may_be_of_a_larger_curve(ministry: Trusted) -> None:
    key = ec.generate_private_key(ec.SECP521R1())
    middle = ministry.issuer.subordinate("large", above=ministry.issuer.root, key=key)
    der = ministry.issuer.issue(Profile.SIGNING, HOST, above=middle).der
    lists = (*ministry.issuer.revocation_lists(), revocation_list(middle, at=NOW))
    assert vet(der, Profile.SIGNING, ministry.trusting(*lists, between=(middle.der,)), NOW).sha256 == fingerprint(der)


def test_sha_1_signature(ministry: Trusted) -> None:
    der = ministry.issuer.issue(Profile.SIGNING, HOST).der
    assert reason(signed_over_sha1(der, ministry.issuer.issuing), Profile.SIGNING, ministry) == "weak_signature"


def test_larger_than_any_certificate_of_ours(ministry: Trusted) -> None:
    names = [f"host-{number}.ministry.test" for number in range(1000)]
    assert reason(ministry.issuer.issue(Profile.SIGNING, names).der, Profile.SIGNING, ministry) == "too_large"


def test_a_loop_among_the_authorities_ends(ministry: Trusted) -> None:
    """Two that certify each other, and no root of ours above."""
    key = ec.generate_private_key(ec.SECP256R1())
    first = ministry.issuer.subordinate("first", above=None, key=key)
    second = ministry.issuer.subordinate("second", above=first)
    first = ministry.issuer.subordinate("first", above=second, key=key)
    der = ministry.issuer.issue(Profile.SIGNING, HOST, above=first).der
    with pytest.raises(CertificateRefusedError, match="wrong_authority"):
        vet(der, Profile.SIGNING, ministry.trusting(between=(first.der, second.der)), NOW)


def test_a_root_that_has_ended_and_its_successor(ministry: Trusted) -> None:
    """A root renewed with its key stands beside the former one, in whatever order; alone, the former shows nothing."""
    made = ministry.issuer
    der = made.issue(Profile.SIGNING, HOST).der
    former = renewed(made.root, NOW - 2 * DAY, NOW)
    for roots in ((former, made.root.der), (made.root.der, former)):
        vetted = vet(der, Profile.SIGNING, replace(ministry.trust, roots=roots), NOW)
        assert vetted.chain[-1] == fingerprint(made.root.der)
        assert vetted.until > NOW
    for alone in (former, renewed(made.root, NOW + DAY, NOW + 2 * DAY)):
        with pytest.raises(CertificateRefusedError) as refused:
            vet(der, Profile.SIGNING, replace(ministry.trust, roots=(alone,)), NOW)
        assert refused.value.reason == "authority_expired"


def renewed(root: Issued, since: datetime, until: datetime) -> bytes:
    """The same name and key, other dates."""
    of = root.certificate
    builder = x509.CertificateBuilder(of.issuer, of.subject, of.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(since).not_valid_after(until)
    for extension in of.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(root.key, hashes.SHA256()).public_bytes(Encoding.DER)
