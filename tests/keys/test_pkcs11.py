"""The keystore over a token: the same bytes as files give, nothing that leaves, and refusals that say what to do."""

from __future__ import annotations

import builtins
import hmac
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from certs.authority import DevAuthority
from certs.files import write_public
from certs.profiles import Profile
from gateway.errors import ConfigurationError, KeystoreError
from gateway.keys.names import KeyNames
from gateway.keys.pkcs11 import TokenKeyMaker, TokenKeystore
from gateway.keys.raw import P256_ORDER, low_s
from gateway.keys.request import BehindThePort
from gateway.keys.stores import Keys
from gateway.keys.token import Token
from gateway.settings import KeystoreSettings
from tests.adapters.fakes import ShiftedClock, SystemRandomness
from tests.keys.softhsm import LABEL, PIN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.keys.softhsm import SoftHsm

_SECONDS = timedelta(seconds=2)
NAMES = KeyNames(frozenset(("signing", "log", "claims")), ("nirec-",))


@pytest.fixture
def store(token: Token, tmp_path: Path) -> TokenKeystore:
    return TokenKeystore(token, NAMES, tmp_path)


def test_a_p256_signature_is_raw_with_low_s(store: TokenKeystore) -> None:
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
    raw = (7).to_bytes(32) + s.to_bytes(32)
    assert low_s(raw) == (7).to_bytes(32) + min(s, P256_ORDER - s).to_bytes(32)
    with pytest.raises(ValueError, match="P-256"):
        low_s(raw[1:])


def test_ed25519_signs_too(store: TokenKeystore) -> None:
    public = load_der_public_key(store.public_key("log"))
    assert isinstance(public, ed25519.Ed25519PublicKey)
    public.verify(store.sign("log", b"data"), b"data")


def test_a_mac_is_its_keys_and_messages(store: TokenKeystore, token: Token) -> None:
    TokenKeyMaker(token).make_mac("nirec-0")
    found = {store.mac(name, data) for name in ("claims", "nirec-0") for data in (b"", b"data", b"x" * 1000)}
    assert len(found) == 6
    assert {len(mac) for mac in found} == {32}
    assert store.mac("claims", b"data") in found


def test_a_mac_is_hmac_sha256(token: Token, tmp_path: Path) -> None:
    """Of a key that was put in, since none can be taken out."""
    key = bytes(range(32))

    def put(objects: Any) -> None:
        library = objects.library
        attributes = {
            library.Attribute.CLASS: library.ObjectClass.SECRET_KEY,
            library.Attribute.KEY_TYPE: library.KeyType.GENERIC_SECRET,
            library.Attribute.LABEL: "nirec-9",
            library.Attribute.VALUE: key,
            library.Attribute.TOKEN: True,
            library.Attribute.SIGN: True,
        }
        objects.session.create_object(attributes)

    token.use(put)
    store = TokenKeystore(token, NAMES, tmp_path)
    for data in (b"", b"data", b"x" * 1000):
        assert store.mac("nirec-9", data) == hmac.digest(key, data, "sha256")


def test_only_the_named_keys_can_be_used(store: TokenKeystore, token: Token) -> None:
    TokenKeyMaker(token).make_mac("handle-ministry")
    uses: tuple[Callable[[], bytes], ...] = (
        lambda: store.mac("handle-ministry", b""),
        lambda: store.sign("handle-ministry", b""),
        lambda: store.public_key("receipts"),
        lambda: store.certificate("receipts"),
        lambda: store.mac("nirec-../claims", b""),
    )
    for use in uses:
        with pytest.raises(KeystoreError, match="key_not_here"):
            use()


def test_a_key_that_comes_later_is_found(store: TokenKeystore, token: Token) -> None:
    with pytest.raises(KeystoreError, match="key_not_in_token"):
        store.mac("nirec-1", b"")
    assert len(store.mac("claims", b"")) == 32, "one key that is absent stops no other"
    TokenKeyMaker(token).make_mac("nirec-1")
    assert len(store.mac("nirec-1", b"")) == 32


def test_no_key_can_be_read_out(token: Token) -> None:
    def read(objects: Any) -> None:
        attribute = objects.library.Attribute
        for kind, name in (("PRIVATE_KEY", "signing"), ("PRIVATE_KEY", "log"), ("SECRET_KEY", "claims")):
            key = objects.key(kind, name)
            assert key[attribute.SENSITIVE], name
            assert not key[attribute.EXTRACTABLE], name
            assert key[attribute.ALWAYS_SENSITIVE], name
            assert key[attribute.NEVER_EXTRACTABLE], name
            with pytest.raises((objects.library.AttributeSensitive, objects.library.AttributeTypeInvalid)):
                key[attribute.VALUE]

    token.use(read)


def test_nothing_is_overwritten(token: Token) -> None:
    maker = TokenKeyMaker(token)
    assert maker.has("signing")
    assert not maker.has("receipts")
    for make in (maker.make_p256, maker.make_ed25519, maker.make_mac):
        for name in ("signing", "claims"):
            with pytest.raises(KeystoreError, match="key_there_already"):
                make(name)


def test_a_label_twice_is_refused(token: Token, store: TokenKeystore) -> None:
    def again(objects: Any) -> None:
        objects.session.generate_key(
            objects.library.KeyType.GENERIC_SECRET, 256, label="nirec-0", store=True,
            capabilities=objects.library.MechanismFlag.SIGN,
        )  # fmt: skip

    token.use(again)
    token.use(again)
    with pytest.raises(KeystoreError, match="key_twice_in_token"):
        store.mac("nirec-0", b"")


def test_a_certificate_must_be_the_keys(token: Token, tmp_path: Path) -> None:
    store = TokenKeystore(token, NAMES, tmp_path)
    authority = DevAuthority("test", ShiftedClock().now())
    with pytest.raises(KeystoreError, match="certificate_missing"):
        store.certificate("signing")
    write_public(tmp_path / "signing.pem", authority.issue(Profile.SIGNING, ["test"]).pem)
    with pytest.raises(KeystoreError, match="certificate_of_another_key"):
        store.certificate("signing")
    (tmp_path / "signing.pem").unlink()
    behind = BehindThePort(store, "signing", store.public_key("signing"))
    issued = authority.issue(Profile.SIGNING, ["test"], key=behind)
    write_public(tmp_path / "signing.pem", issued.pem)
    assert store.certificate("signing") == issued.der


def test_what_is_missing_at_the_start_is_named(token: Token, tmp_path: Path) -> None:
    with pytest.raises(KeystoreError, match="key_not_in_token: name=receipts"):
        TokenKeystore(token, KeyNames(frozenset(("signing", "receipts"))), tmp_path)


# what goes wrong ----------------------------------------------------------------------------------------------


def test_the_module_is_missing_or_none(hsm: SoftHsm, tmp_path: Path) -> None:
    other = tmp_path / "no-module.so"
    with pytest.raises(KeystoreError, match="module_missing"):
        Token(other, LABEL, hsm.pin_file, ShiftedClock()).use(lambda _: None)
    other.write_bytes(b"no library")
    with pytest.raises(KeystoreError, match="module_unusable"):
        Token(other, LABEL, hsm.pin_file, ShiftedClock()).use(lambda _: None)


def test_the_token_is_absent(hsm: SoftHsm, token: Token) -> None:
    token.close()
    other = Token(hsm.module, "another", hsm.pin_file, ShiftedClock())
    with pytest.raises(KeystoreError, match="token_absent: token=another"):
        other.use(lambda _: None)
    other.close()


def test_the_pin_file_is_for_its_owner_alone(hsm: SoftHsm) -> None:
    hsm.pin_file.chmod(0o640)
    with pytest.raises(KeystoreError, match="key_readable"):
        hsm.token().use(lambda _: None)
    hsm.pin_file.unlink()
    with pytest.raises(KeystoreError, match="file_unreadable"):
        hsm.token().use(lambda _: None)


def test_a_wrong_pin_is_tried_once(hsm: SoftHsm) -> None:
    """Tokens lock themselves after a few wrong PINs: it is not tried again before its file has changed."""
    clock = ShiftedClock()
    token = hsm.token(clock)
    opened = _CountedLibrary(token)
    hsm.set_pin("9999")
    for _ in range(3):
        with pytest.raises(KeystoreError, match="pin_wrong"):
            token.use(lambda _: None)
        clock.shift += _SECONDS
    assert opened.count == 1
    hsm.set_pin(PIN)
    token.use(lambda objects: objects.has("signing"))
    assert opened.count == 2
    token.close()


def test_a_token_that_was_removed_is_taken_again(hsm: SoftHsm, token: Token, tmp_path: Path) -> None:
    token.close()
    clock = ShiftedClock()
    again = hsm.token(clock)
    store = TokenKeystore(again, NAMES, tmp_path)
    before = store.mac("claims", b"data")
    opened = _CountedLibrary(again)
    clock.shift += _SECONDS
    hsm.away()
    uses: tuple[Callable[[], bytes], ...] = (
        lambda: store.mac("claims", b"data"),
        lambda: store.sign("signing", b"data"),
        lambda: store.sign("log", b"data"),
    )
    for _ in range(3):
        for use in uses:
            with pytest.raises(KeystoreError, match="token_absent"):
                use()
    assert opened.count == 1, "between two tries a second apart, it fails at once"
    hsm.back()
    clock.shift += _SECONDS
    assert store.mac("claims", b"data") == before
    assert len(store.sign("signing", b"data")) == 64
    again.close()


def test_a_token_that_came_back_half_shows_the_rest_once_it_is_there(
    hsm: SoftHsm, token: Token, tmp_path: Path
) -> None:
    """As where it is restored under a worker that looks each second: not all of its files are there at once."""
    before = set(hsm.state.rglob("*.object"))
    TokenKeyMaker(token).make_mac("nirec-0")
    late = set(hsm.state.rglob("*.object")) - before
    token.close()
    elsewhere = {path: path.rename(tmp_path / path.name) for path in late}
    clock = ShiftedClock()
    again = hsm.token(clock)
    store = TokenKeystore(again, NAMES, tmp_path)
    store.mac("claims", b"data")
    with pytest.raises(KeystoreError, match="key_not_in_token: name=nirec-0"):
        store.mac("nirec-0", b"data")
    for path, kept in elsewhere.items():
        kept.rename(path)
    clock.shift += _SECONDS
    assert len(store.mac("nirec-0", b"data")) == 32
    again.close()


def test_a_session_that_was_lost_is_opened_again(hsm: SoftHsm, token: Token, tmp_path: Path) -> None:
    """The session is gone and the token is there: another session, and the same answer."""
    token.close()
    clock = ShiftedClock()
    again = hsm.token(clock)
    store = TokenKeystore(again, NAMES, tmp_path)
    before = store.mac("claims", b"data")
    again._session.close()
    with pytest.raises(KeystoreError, match="token_fails"):
        store.mac("claims", b"data")
    clock.shift += _SECONDS
    assert store.mac("claims", b"data") == before
    again.close()


def test_without_the_library_it_says_what_to_install(hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "pkcs11":
            raise ImportError(name)
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match="hsm_extra_missing"):
        hsm.token()


@pytest.mark.parametrize("missing", ["module", "token", "pin_file"])
def test_settings_that_are_incomplete(hsm: SoftHsm, tmp_path: Path, missing: str) -> None:
    settings = hsm.settings().model_copy(update={missing: None})
    keys = Keys(tmp_path, settings, ShiftedClock(), SystemRandomness())
    with pytest.raises(ConfigurationError, match=f"keystore.{missing}"):
        keys.open()


def test_a_log_key_in_a_file_is_used_from_there(hsm: SoftHsm, token: Token, tmp_path: Path) -> None:
    """Some tokens have no Ed25519."""
    token.close()
    clock, randomness = ShiftedClock(), SystemRandomness()
    keys = Keys(tmp_path, hsm.settings(), clock, randomness)
    in_token = keys.open_one("log").public_key("log")
    assert keys.where("log") == "token"
    files = Keys(tmp_path, KeystoreSettings(), clock, randomness)
    in_file = files.maker().make_ed25519("log")
    assert keys.where("log") == "file"
    assert keys.open_one("log").public_key("log") == in_file != in_token
    keys.maker().close()


class _CountedLibrary:
    """Counts how often a token is looked for in its module."""

    def __init__(self, token: Token) -> None:
        self.count = 0
        library = token._pkcs11
        counted = self

        class Counted:
            def __getattr__(self, name: str) -> Any:
                if name == "lib":
                    counted.count += 1
                return getattr(library, name)

        token._pkcs11 = Counted()
