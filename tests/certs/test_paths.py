"""X.509 (section 10): what makes a certificate unfit, each reason by its name; and the good case beside it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.authority import _key_usage, _name
from certs.paths import fingerprint, vet
from certs.profiles import CertificateRefusedError, Profile, dns_names
from tests.certs.conftest import NOW, Trusted

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

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
        assert reason(der, Profile.SIGNING, ministry, NOW, *crls) == "crl_stale"
    nothing = type(ministry.trust)("ministry", ministry.trust.roots, ministry.trust.intermediates, crls=())
    with pytest.raises(CertificateRefusedError, match="crl_stale"):
        vet(der, Profile.SIGNING, nothing, NOW)


def test_a_crl_signed_by_another(ministry: Trusted) -> None:
    # The same names, other keys: an impostor's empty list must not clear a revoked certificate.
    impostor = Trusted("ministry")
    issued = ministry.issuer.issue(Profile.SIGNING, HOST)
    root, _ = ministry.issuer.revocation_lists()
    _, forged = impostor.issuer.revocation_lists()
    assert reason(issued.der, Profile.SIGNING, ministry, NOW, root, forged) == "crl_stale"


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
            "wrong_authority",
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
    """An authority whose issuing CA may name only what is below ``permitted``."""
    trusted = Trusted("constrained")
    issuing = trusted.issuer.issuing
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "constrained issuing CA")]))
        .issuer_name(trusted.issuer.root.certificate.subject)
        .public_key(issuing.certificate.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True, signing=False), critical=True)
        .add_extension(x509.NameConstraints([x509.DNSName(permitted)], None), critical=True)
    )
    certificate = builder.sign(trusted.issuer.root.key, hashes.SHA256())
    trusted.issuer.issuing = type(issuing)(certificate, issuing.key)
    return trusted


def test_name_constraints() -> None:
    trusted = constrained("ministry.test")
    good = trusted.issuer.issue(Profile.SIGNING, ["a.ministry.test"], not_after=NOW + DAY).der
    assert vet(good, Profile.SIGNING, trusted.trusting(), NOW).sha256 == fingerprint(good)
    other = trusted.issuer.issue(Profile.SIGNING, ["a.cooperative.test"], not_after=NOW + DAY).der
    assert reason(other, Profile.SIGNING, trusted) == "wrong_authority"


def test_a_verdict_does_not_outlive_the_authority_above() -> None:
    trusted = constrained("ministry.test")  # its issuing CA ends in a day
    der = trusted.issuer.issue(Profile.SIGNING, ["a.ministry.test"]).der
    assert vet(der, Profile.SIGNING, trusted.trusting(), NOW).until <= NOW + DAY
    assert reason(der, Profile.SIGNING, trusted, NOW + 2 * DAY) == "wrong_authority"


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
    trust = type(ministry.trust)(
        "ministry", ministry.trust.roots, (*ministry.trust.intermediates, middle.der), ministry.trust.crls
    )
    with pytest.raises(CertificateRefusedError):
        vet(der, Profile.SIGNING, trust, NOW)
