"""The keystore over files: exact formats, no way out for a key, refusals that name the file."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_public_key

from certs.authority import DevAuthority
from certs.files import write_private, write_public
from certs.profiles import Profile
from gateway.errors import KeystoreError
from gateway.keys.files import FileKeystore, check_private
from gateway.keys.make import FileKeyMaker, handle_key, make_mac_key, nirec_key
from gateway.keys.raw import P256_ORDER, raw_low_s
from tests.adapters.fakes import ShiftedClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_P8 = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    issued = DevAuthority("test", ShiftedClock().now()).issue(Profile.SIGNING, ["test"])
    write_private(tmp_path / "signing.key", issued.key_pem)
    write_public(tmp_path / "signing.pem", issued.pem)
    write_private(tmp_path / "log.key", ed25519.Ed25519PrivateKey.generate().private_bytes(*_P8))
    make_mac_key(tmp_path, "claims", SystemRandomness())
    return tmp_path


def test_a_p256_signature_is_raw_with_low_s(folder: Path) -> None:
    store = FileKeystore(folder, signing=["signing"])
    public = load_der_public_key(store.public_key("signing"))
    assert isinstance(public, ec.EllipticCurvePublicKey)
    for number in range(20):
        data = b"%d" % number
        signature = store.sign("signing", data)
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        assert len(signature) == 64
        assert s <= P256_ORDER // 2
        public.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("s", [1, P256_ORDER // 2, P256_ORDER // 2 + 1, P256_ORDER - 1])
def test_the_lower_s_is_chosen(s: int) -> None:
    signature = raw_low_s(encode_dss_signature(7, s))
    assert signature == (7).to_bytes(32) + min(s, P256_ORDER - s).to_bytes(32)


def test_ed25519_signs_too(folder: Path) -> None:
    store = FileKeystore(folder, signing=["log"])
    public = load_der_public_key(store.public_key("log"))
    assert isinstance(public, ed25519.Ed25519PublicKey)
    public.verify(store.sign("log", b"data"), b"data")


@pytest.mark.parametrize("length", [32, 48, 64])
def test_mac_is_hmac_sha256(tmp_path: Path, length: int) -> None:
    key = bytes(range(length))
    write_private(tmp_path / "a.mac", key.hex().encode() + b"\n")
    store = FileKeystore(tmp_path, macs=["a"])
    for data in (b"", b"data", b"x" * 1000):
        assert store.mac("a", data) == hmac.digest(key, data, "sha256")
    assert store.mac("a", b"data") == store.mac("a", b"data")


def test_only_the_named_keys_can_be_used(folder: Path) -> None:
    store = FileKeystore(folder, signing=["signing"], macs=["claims"])
    uses: tuple[Callable[[], bytes], ...] = (
        lambda: store.sign("log", b""),
        lambda: store.mac("signing", b""),
        lambda: store.sign("claims", b""),
        lambda: store.public_key("log"),
        lambda: store.certificate("log"),
    )
    for use in uses:
        with pytest.raises(KeystoreError):
            use()
    assert store.certificate("signing")


def test_no_key_shows_itself(folder: Path) -> None:
    store = FileKeystore(folder, signing=["signing"], macs=["claims"])
    secret = (folder / "claims.mac").read_text().strip()
    assert secret not in repr(store)
    assert secret not in repr(vars(store))
    assert not [name for name in dir(store) if not name.startswith("_") and "private" in name]


def _spoilt(folder: Path, kind: str) -> str:
    contents = {
        "not_pem": b"secret",
        "encrypted": ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
        ),
        "rsa": rsa.generate_private_key(65537, 2048).private_bytes(*_P8),
        "another_curve": ec.generate_private_key(ec.SECP384R1()).private_bytes(*_P8),
    }
    if kind in contents:
        write_private(folder / "bad.key", contents[kind])
    elif kind == "readable_by_others":
        write_private(folder / "bad.key", (folder / "signing.key").read_bytes())
        (folder / "bad.key").chmod(0o644)
    return "bad"


@pytest.mark.parametrize("kind", ["absent", "not_pem", "encrypted", "rsa", "another_curve", "readable_by_others"])
def test_a_signing_key_that_cannot_be_used_is_named(folder: Path, kind: str) -> None:
    name = _spoilt(folder, kind)
    with pytest.raises(KeystoreError, match=r"bad\.key"):
        FileKeystore(folder, signing=[name])


@pytest.mark.parametrize("content", [b"", b"zz" * 32, b"00" * 31, b"00" * 65, b"\xff" * 64])
def test_a_mac_key_that_cannot_be_used_is_named(folder: Path, content: bytes) -> None:
    write_private(folder / "bad.mac", content)
    with pytest.raises(KeystoreError, match=r"bad\.mac"):
        FileKeystore(folder, macs=["bad"])


def test_check_private(folder: Path) -> None:
    check_private(folder / "signing.key")
    (folder / "signing.key").chmod(0o604)
    with pytest.raises(KeystoreError, match=r"signing\.key"):
        check_private(folder / "signing.key")


def test_names_and_keys_are_made_once(folder: Path) -> None:
    assert (nirec_key(2), handle_key("ministry")) == ("nirec-2", "handle-ministry")
    before = (folder / "claims.mac").read_bytes()
    assert len(bytes.fromhex(before.decode())) == 32
    with pytest.raises(FileExistsError):
        make_mac_key(folder, "claims", SystemRandomness())
    assert (folder / "claims.mac").read_bytes() == before


def test_a_key_that_comes_later_is_found(folder: Path) -> None:
    store = FileKeystore(folder, signing=["signing"], later=["nirec-", "signing-"])
    maker = FileKeyMaker(folder, SystemRandomness())
    with pytest.raises(KeystoreError, match=r"nirec-1\.mac"):
        store.mac("nirec-1", b"")
    maker.make_mac("nirec-1")
    public = maker.make_p256("signing-1")
    key = bytes.fromhex((folder / "nirec-1.mac").read_text())
    assert store.mac("nirec-1", b"data") == hmac.digest(key, b"data", "sha256")
    assert store.public_key("signing-1") == public
    assert len(store.sign("signing-1", b"data")) == 64
    for name in ("claims", "nirec-../claims", "nirec-/../claims", "Nirec-1"):
        with pytest.raises(KeystoreError, match="key_not_here"):
            store.mac(name, b"")


def test_a_renewed_certificate_is_taken(folder: Path) -> None:
    store = FileKeystore(folder, signing=["signing"])
    before = store.certificate("signing")
    key = serialization.load_pem_private_key((folder / "signing.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    issued = DevAuthority("test", ShiftedClock().now()).issue(Profile.SIGNING, ["test"], key=key)
    write_public(folder / "new.pem", issued.pem)
    (folder / "new.pem").replace(folder / "signing.pem")
    assert store.certificate("signing") == issued.der != before


def test_a_maker_of_files_overwrites_nothing(tmp_path: Path) -> None:
    maker = FileKeyMaker(tmp_path, SystemRandomness())
    assert maker.knows_ed25519()
    assert not maker.has("signing")
    maker.make_p256("signing")
    maker.make_mac("claims")
    assert maker.has("signing")
    assert maker.has("claims")
    for path in tmp_path.iterdir():
        check_private(path)
    for make, name in ((maker.make_p256, "signing"), (maker.make_ed25519, "signing"), (maker.make_mac, "claims")):
        with pytest.raises(KeystoreError, match="key_there_already"):
            make(name)
