"""`explain`: the usual mistakes are named, with the component that differs; and nothing else is invented."""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from dataclasses import replace
from hashlib import sha256, sha512
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.errors import Code
from gateway.messages.catalogue import texts
from gateway.signing.base import lines
from gateway.signing.digest import content_digest
from tests.signing.drafts import COMPONENTS, raw_signature
from tests.signing.explained import BODY, NOW, ORIGIN, draft, explained, issued_keys, raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from certs.authority import Issued
    from gateway.client.signer import SignedRequest


@pytest.fixture(scope="module")
def keys() -> dict[str, Issued]:
    return issued_keys()


def signed_over(request: SignedRequest, key: Issued, base: bytes) -> SignedRequest:
    """The same request, its signature over another base."""
    value = b64encode(raw_signature(key, base)).decode()
    return replace(request, headers={**request.headers, "signature": f"sig1=:{value}:"})


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519", "rsa"])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_a_right_request_holds_and_its_base_is_the_one_signed(keys: dict[str, Issued], kind: str, end: str) -> None:
    request = draft(keys[kind]).signed()
    found = explained(raw(request, end), keys[kind])
    assert found.holds
    assert (found.base, found.signer, found.mistake) == (request.base, "key 0", None)
    assert [line.component for line in found.lines] == [*(f'"{name}"' for name in COMPONENTS), '"@signature-params"']
    assert [line.source for line in found.lines[:3]] == ["request_line", "origin_and_request_line", "field"]


#: what the client signed instead: a line -> another; the component and the mistake that must be named
_LINES: dict[str, tuple[str, Callable[[str], str], str, str]] = {
    "scheme": ("@target-uri", lambda v: v.replace("https", "http"), "@target-uri", "target_scheme"),
    "no_port": ("@target-uri", lambda v: v.replace(":8443", ""), "@target-uri", "target_port"),
    "port_443": ("@target-uri", lambda v: v.replace(":8443", ":443"), "@target-uri", "target_port"),
    "localhost": ("@target-uri", lambda v: v.replace("gateway.test", "localhost"), "@target-uri", "target_host"),
    "path_only": ("@target-uri", lambda v: v.removeprefix(ORIGIN), "@target-uri", "target_path_only"),
    "no_query": ("@target-uri", lambda v: v.partition("?")[0], "@target-uri", "target_query"),
    "slash": ("@target-uri", lambda v: v.replace("?", "/?"), "@target-uri", "target_slash"),
    "decoded": ("@target-uri", lambda v: v.replace("%20", " "), "@target-uri", "target_decoded"),
    "lower": ("@target-uri", str.lower, "@target-uri", "target_case"),
    "method": ("@method", str.lower, "@method", "method_case"),
    "sha512": (
        "content-digest", lambda _: f"sha-512=:{b64encode(sha512(BODY).digest()).decode()}:", "content-digest",
        "digest_algorithm",
    ),
    "newline": ("content-digest", lambda _: content_digest(BODY.strip()), "content-digest", "digest_newline"),
    "hex": (
        "content-digest", lambda _: f"sha-256={sha256(BODY).hexdigest()}", "content-digest", "digest_form",
    ),
    "empty_body": ("content-digest", lambda _: content_digest(b""), "content-digest", "digest_empty"),
    "charset": ("content-type", lambda v: f"{v}; charset=utf-8", "content-type", "content_type"),
    "quotes": ("exchange-purpose", lambda v: f'"{v}"', "exchange-purpose", "quotes"),
    "upper": ("exchange-purpose", str.upper, "exchange-purpose", "case"),
    "added_later": ("exchange-agreement", lambda _: "", "exchange-agreement", "empty"),
}  # fmt: skip


@pytest.mark.parametrize("name", _LINES)
@pytest.mark.parametrize("kind", ["ecdsa", "ed25519"])
def test_the_line_that_was_signed_otherwise_is_named(keys: dict[str, Issued], name: str, kind: str) -> None:
    component, change, expected, mistake = _LINES[name]
    request = draft(keys[kind], target="/v1/Echo?a=b%20c").signed()
    rows = [row.partition(": ") for row in request.base.decode().split("\n")]
    pairs = [(key, change(value) if key == f'"{component}"' else value) for key, _, value in rows[:-1]]
    base = lines(pairs, request.parameters)
    assert base != request.base
    found = explained(raw(signed_over(request, keys[kind], base)), keys[kind])
    assert not found.holds
    assert found.mistake is not None
    assert (found.mistake.component, found.mistake.key) == (expected, mistake)
    assert (found.mistake.theirs or "").encode() in base
    assert found.troubles[-1].code is Code.SIGNATURE_INVALID


#: what the client did to the whole base
_FORMS: dict[str, tuple[Callable[[bytes], bytes], str, str]] = {
    "no_parameters": (lambda b: b.rpartition(b"\n")[0], "@signature-params", "parameters_missing"),
    "unquoted_parameters": (
        lambda b: b.replace(b'"@signature-params"', b"@signature-params"), "@signature-params", "parameters_unquoted",
    ),
    "label": (lambda b: b.replace(b'params": (', b'params": sig1=('), "@signature-params", "parameters_label"),
    "spaces": (lambda b: b.replace(b";", b"; "), "@signature-params", "parameters_spaces"),
    "names": (lambda b: re.sub(rb'(?m)^"([^"]+)"', rb"\1", b), "base", "names_unquoted"),
    "crlf": (lambda b: b.replace(b"\n", b"\r\n"), "base", "line_ends"),
    "last_newline": (lambda b: b + b"\n", "base", "last_newline"),
    "hashed": (lambda b: sha256(b).digest(), "base", "hashed_twice"),
}  # fmt: skip


@pytest.mark.parametrize("name", _FORMS)
def test_a_base_in_another_form_is_named(keys: dict[str, Issued], name: str) -> None:
    change, component, mistake = _FORMS[name]
    request = draft(keys["ecdsa"]).signed()
    found = explained(raw(signed_over(request, keys["ecdsa"], change(request.base))), keys["ecdsa"])
    assert found.mistake is not None
    assert (found.mistake.component, found.mistake.key) == (component, mistake)


def _signature(request: SignedRequest, value: bytes) -> SignedRequest:
    return replace(request, headers={**request.headers, "signature": f"sig1=:{b64encode(value).decode()}:"})


def _rsa(key: Issued, base: bytes, pad: padding.AsymmetricPadding, digest: hashes.HashAlgorithm) -> bytes:
    assert isinstance(key.key, rsa.RSAPrivateKey)
    return key.key.sign(base, pad, digest)


def _ecdsa(key: Issued, base: bytes) -> bytes:
    assert isinstance(key.key, ec.EllipticCurvePrivateKey)
    return key.key.sign(base, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize(
    ("kind", "make", "mistake"),
    [
        ("ecdsa", _ecdsa, "der"),
        ("ecdsa", lambda k, b: (s := raw_signature(k, b))[32:] + s[:32], "swapped"),
        ("ecdsa", lambda k, b: (s := raw_signature(k, b))[31::-1] + s[:31:-1], "little_endian"),
        ("rsa", lambda k, b: _rsa(k, b, padding.PKCS1v15(), hashes.SHA256()), "pkcs1"),
        ("rsa", lambda k, b: _rsa(k, b, padding.PSS(padding.MGF1(hashes.SHA512()), 32), hashes.SHA512()), "pss_salt"),
        ("rsa", lambda k, b: _rsa(k, b, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()), "pss_sha256"),
    ],
)
def test_a_signature_in_another_form_is_named(
    keys: dict[str, Issued], kind: str, make: Callable[[Issued, bytes], bytes], mistake: str
) -> None:
    request = draft(keys[kind]).signed()
    found = explained(raw(_signature(request, make(keys[kind], request.base))), keys[kind])
    assert found.mistake is not None
    assert (found.mistake.component, found.mistake.key) == ("signature", mistake)


def test_two_mistakes_at_once_name_the_first(keys: dict[str, Issued]) -> None:
    request = draft(keys["ecdsa"]).signed()
    base = request.base.replace(b":8443", b"").replace(b": POST", b": post")
    found = explained(raw(signed_over(request, keys["ecdsa"], base)), keys["ecdsa"])
    assert found.mistake is not None
    assert found.mistake.component == "@method"


def test_a_signature_by_another_key_is_not_explained_away(keys: dict[str, Issued]) -> None:
    request = draft(keys["ecdsa"]).signed()
    value = raw_signature(keys["other"], request.base)
    found = explained(raw(_signature(request, value)), keys["ecdsa"])
    assert (found.verified, found.mistake) == (False, None)


def test_a_high_s_is_only_worth_knowing(keys: dict[str, Issued]) -> None:
    request = draft(keys["ecdsa"]).signed()
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    value = raw_signature(keys["ecdsa"], request.base)
    high = value[:32] + (order - int.from_bytes(value[32:])).to_bytes(32)
    found = explained(raw(_signature(request, high)), keys["ecdsa"])
    assert found.holds
    assert [trouble.key for trouble in found.troubles] == ["high_s"]


#: drafts that are wrong by themselves: code, key, component
_DRAFTS: dict[str, tuple[dict[str, Any], Code, str, str]] = {
    "not_covered": (
        {"components": tuple(n for n in COMPONENTS if n != "exchange-purpose")},
        Code.COMPONENT_NOT_COVERED, "not_covered", "exchange-purpose",
    ),
    "absent": (
        {"components": (*COMPONENTS, "idempotency-key")}, Code.SIGNATURE_INVALID, "covered_but_absent",
        "idempotency-key",
    ),
    "future": ({"created": int(NOW.timestamp()) + 60}, Code.CREATED_OUT_OF_WINDOW, "created_future", "created"),
    "expired": ({"parameters": {"expires": 1}}, Code.CREATED_OUT_OF_WINDOW, "expired", "expires"),
    "no_tag": ({"without": ("tag",)}, Code.SIGNATURE_MISSING, "tag_missing", "tag"),
    "no_nonce": ({"without": ("nonce",)}, Code.NONCE_INVALID, "head", "nonce"),
    "hex_keyid": ({"parameters": {"keyid": "ab" * 32}}, Code.SIGNATURE_MALFORMED, "keyid_form", "keyid"),
    "repeated_component": (
        {"components": (*COMPONENTS, "@method")}, Code.SIGNATURE_MALFORMED, "components", "signature-input",
    ),
    "bad_idempotency_key": (
        {"components": (*COMPONENTS, "idempotency-key"), "headers": {"idempotency-key": "x"}},
        Code.SIGNATURE_MALFORMED, "idempotency_key", "idempotency-key",
    ),
    "digest_without_newline": (
        {"headers": {"content-digest": content_digest(BODY.strip())}}, Code.DIGEST_MISMATCH, "digest_newline",
        "content-digest",
    ),
    "digest_in_hex": (
        {"headers": {"content-digest": f"sha-256={sha256(BODY).hexdigest()}"}}, Code.DIGEST_MISMATCH, "digest_form",
        "content-digest",
    ),
    "digest_of_something": (
        {"headers": {"content-digest": content_digest(b"something")}}, Code.DIGEST_MISMATCH, "digest_differs",
        "content-digest",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", _DRAFTS)
def test_what_is_wrong_is_named_as_the_gateway_would(keys: dict[str, Issued], name: str) -> None:
    changes, code, key, component = _DRAFTS[name]
    found = explained(raw(draft(keys["ecdsa"], **changes).signed()), keys["ecdsa"])
    assert (code, key, component) in [(item.code, item.key, item.component) for item in found.troubles]
    assert not found.holds


#: headers spoilt after signing
_HEADERS: dict[str, tuple[dict[str, str], str, str]] = {
    "duplicate_labels": ({"signature": "sig1=:AAAA:, sig1=:AAAA:"}, "label_repeated", "signature"),
    "bad_base64": ({"signature": "sig1=:A:"}, "base64", "signature"),
    "loose_base64": ({"signature": "sig1=:AB==:"}, "base64_loose", "signature"),
    "no_bytes": ({"signature": 'sig1="AAAA"'}, "label", "signature"),
    "no_structure": ({"signature-input": "sig1=("}, "malformed", "signature-input"),
    "authorization": ({"Authorization": "Bearer x"}, "authorization", "authorization"),
}


@pytest.mark.parametrize("name", _HEADERS)
def test_a_header_that_cannot_be_read_is_named(keys: dict[str, Issued], name: str) -> None:
    headers, key, component = _HEADERS[name]
    found = explained(raw(draft(keys["ecdsa"]).signed(), **headers), keys["ecdsa"])
    assert (key, component) in [(item.key, item.component) for item in found.troubles]
    assert not found.holds


@pytest.mark.parametrize("name", ["signature", "signature-input"])
def test_an_unsigned_request(keys: dict[str, Issued], name: str) -> None:
    request = draft(keys["ecdsa"]).signed()
    headers = {key: value for key, value in request.headers.items() if key != name}
    found = explained(raw(replace(request, headers=headers)), keys["ecdsa"])
    assert [(item.key, item.component) for item in found.troubles] == [("header_missing", name)]


def test_all_that_is_wrong_is_said_at_once(keys: dict[str, Issued]) -> None:
    request = draft(keys["ecdsa"], components=("@method",), created=0).signed()
    found = explained(raw(request).replace(b"bonjour", b"bonsoir"), keys["ecdsa"])
    assert [item.component for item in found.troubles] == [
        "created", "@target-uri", "exchange-agreement", "exchange-purpose", "content-digest", "content-type",
        "content-digest",
    ]  # fmt: skip


def test_a_saved_request_grows_old_by_itself(keys: dict[str, Issued]) -> None:
    content = raw(draft(keys["ecdsa"]).signed())
    merely_later = explained(content, keys["ecdsa"], arrived=False, later=4000)
    assert merely_later.holds
    assert [(item.key, item.note) for item in merely_later.troubles] == [("created_old", True)]
    assert not explained(content, keys["ecdsa"], arrived=True, later=4000).holds


@pytest.mark.parametrize("of", ["public_key", "pem"])
def test_a_keyid_of_something_else(keys: dict[str, Issued], of: str) -> None:
    certificate = keys["ecdsa"].certificate
    data = {
        "public_key": certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "pem": certificate.public_bytes(Encoding.PEM),
    }[of]
    keyid = urlsafe_b64encode(sha256(data).digest()).decode().rstrip("=")
    found = explained(raw(draft(keys["ecdsa"], parameters={"keyid": keyid}).signed()), keys["ecdsa"])
    assert (found.signer, found.verified, found.holds) == (None, True, False)
    assert [item.key for item in found.troubles] == [f"keyid_of_{of}"]


def test_a_keyid_of_nobody_and_one_among_several(keys: dict[str, Issued]) -> None:
    content = raw(draft(keys["ecdsa"]).signed())
    assert explained(content, keys["other"], keys["ecdsa"]).signer == "key 1"
    found = explained(content, keys["other"], keys["ed25519"])
    assert (found.verified, [item.key for item in found.troubles]) == (None, ["keyid_unknown"])


def test_without_a_certificate_nothing_is_said_to_hold(keys: dict[str, Issued]) -> None:
    found = explained(raw(draft(keys["ecdsa"]).signed()))
    assert (found.verified, found.troubles, found.holds) == (None, (), False)


def test_the_refusal_is_the_gateways_first(keys: dict[str, Issued]) -> None:
    request = draft(keys["ecdsa"], components=("@method",), created=0).signed()
    refusal = explained(raw(request), keys["other"], keys["ed25519"]).refusal
    assert refusal is not None
    assert (refusal.code, refusal.component) == (Code.CREATED_OUT_OF_WINDOW, "created")
    request = draft(keys["ecdsa"], components=("@method",)).signed()
    refusal = explained(raw(request), keys["other"], keys["ed25519"]).refusal
    assert refusal is not None
    assert refusal.code is Code.KEY_UNKNOWN
    assert explained(raw(draft(keys["ecdsa"]).signed()), keys["ecdsa"]).refusal is None


def test_every_word_of_an_explanation_has_its_sentence() -> None:
    folder = Path(__file__).parents[2] / "gateway" / "signing"
    mistakes = (folder / "mistakes.py").read_text() + (folder / "forms.py").read_text()
    keys = set(re.findall(r'yield "([a-z_0-9]+)", ', mistakes))
    keys |= set(re.findall(r'yield (?:PARAMETERS|"base"), "([a-z_0-9]+)"', mistakes)) - {"base"}
    keys |= set(re.findall(r'^\s+"([a-z_0-9]+)": _checked', mistakes, re.MULTILINE)) - {"right"}
    assert len(keys) > 30
    assert {key for key in keys - {"base"} if f"explain.mistake.{key}" not in texts()} == set()
    explain = (folder / "explain.py").read_text()
    troubles = set(re.findall(r'Trouble\(\s*"([a-z_0-9]+)"', explain)) | set(
        re.findall(r'"([a-z_0-9]+)"', "".join(re.findall(r"key = .*|_MALFORMED = [^}]*}", explain)))
    )
    assert len(troubles) > 20
    shown = {key.removeprefix("explain.trouble.") for key in texts() if key.startswith("explain.trouble.")}
    assert shown >= {key for key in troubles if key not in {"created", "tag", "keyid", "signature-input"}} - {
        "a", "base64 is malformed",
    }  # fmt: skip
