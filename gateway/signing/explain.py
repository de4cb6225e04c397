"""The signature base of a saved request as the gateway computes it, and what is wrong with the signature, in words.

The same functions verify requests (request.py, head.py, base.py): there is one truth. What is here only collects all
that is wrong, where the gateway stops at the first, and guesses, which the gateway never does (mistakes.py).
"""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.errors import Code, Refusal
from gateway.model import Received
from gateway.signing.algorithms import verify
from gateway.signing.answer import keyid_of
from gateway.signing.base import lines
from gateway.signing.forms import form_of, high_s
from gateway.signing.head import SignatureHead, read_head
from gateway.signing.mistakes import Mistake, digest_of, find_mistake
from gateway.signing.request import (
    NEWEST,
    OLDEST,
    check_algorithm,
    check_body,
    check_component,
    check_time,
    uncovered,
)
from gateway.signing.structured import MalformedFieldError, parse_dictionary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gateway.signing.saved import SavedRequest

Source = Literal["request_line", "origin_and_request_line", "field", "signature_input", "absent"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the base: the component as serialised, its value, where that came from; None where it is absent."""

    component: str
    value: str | None
    source: Source


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong, or with ``note`` only worth knowing.

    ``code`` is the refusal that the gateway would give, where it would; ``key`` a word for more, ``values`` its values.
    """

    key: str
    component: str | None = None
    code: Code | None = None
    note: bool = False
    values: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class NamedCertificate:
    """A certificate (DER) that a signature may be by, and how people call it."""

    name: str
    der: bytes = field(repr=False)

    @property
    def keyid(self) -> str:
        """Its keyid (S1)."""
        return keyid_of(sha256(self.der).hexdigest())


@dataclass(frozen=True, slots=True)
class Explanation:
    """What there is to say.

    Attributes:
        lines: of the base, in the request's order; empty where the signature cannot be read.
        base: None where a line has no value.
        troubles: all that is wrong, the gateway's own first.
        keyid: as the request says, and ``signer`` the name of that certificate among those given.
        verified: whether the signature holds; None where that could not be tried.
        mistake: what was probably signed instead.
        bodiless: the body is not known, so that nothing is said of its digest.
    """

    lines: tuple[Line, ...] = ()
    base: bytes | None = field(default=None, repr=False)
    troubles: tuple[Trouble, ...] = ()
    keyid: str | None = None
    signer: str | None = None
    verified: bool | None = None
    mistake: Mistake | None = None
    bodiless: bool = False

    @property
    def holds(self) -> bool:
        """Whether the gateway would accept this signature."""
        return self.verified is True and not self.bodiless and all(trouble.note for trouble in self.troubles)

    @property
    def refusal(self) -> Trouble | None:
        """That for which the gateway would refuse, the first in its own order (request.py)."""
        coded = [trouble for trouble in self.troubles if trouble.code is not None and not trouble.note]
        return min(coded, key=lambda trouble: _RANK.get(trouble.code, len(_RANK)), default=None)


#: What the gateway looks at before all the rest, in its order; the rest it sees in the order of the troubles.
_RANK: dict[Code | None, int] = {
    code: at
    for at, code in enumerate(
        (
            Code.AUTHORIZATION_REFUSED,
            Code.SIGNATURE_MISSING,
            Code.CREATED_OUT_OF_WINDOW,
            Code.KEY_UNKNOWN,
            Code.COMPONENT_NOT_COVERED,
        )
    )
}


class Explainer:
    """Explains requests sent to one origin."""

    def __init__(self, origin: str, certificates: Sequence[NamedCertificate], at: datetime, *, arrived: bool) -> None:
        """``at`` is when the request arrived, or with ``arrived`` false merely now: then its age is only a note."""
        self._origin = origin
        self._certificates = certificates
        self._at = at
        self._arrived = arrived

    def explain(self, saved: SavedRequest) -> Explanation:
        """All that can be said; raises nothing for any request that could be parsed."""
        received = Received(UUID(int=0), saved.method, saved.target, saved.headers, saved.body, b"", self._at)
        troubles = list(_first_troubles(saved))
        try:
            head = read_head(received.headers)
        except Refusal as refusal:
            troubles.append(_head_trouble(saved, refusal))
            return Explanation(troubles=tuple(troubles))
        troubles += self._time(received, head)
        missing = list(dict.fromkeys(uncovered(received, head)))
        troubles += [Trouble("not_covered", name, Code.COMPONENT_NOT_COVERED) for name in missing]
        troubles += _body(saved, received, missing)
        shown, absent = self._lines(received, head)
        troubles += absent
        params = Line('"@signature-params"', head.parameters, "signature_input")
        base = None if absent else lines([(line.component, line.value or "") for line in shown], head.parameters)
        found = Explanation((*shown, params), base, tuple(troubles), head.keyid, bodiless=saved.bodiless)
        return self._judged(found, saved, head)

    def _time(self, received: Received, head: SignatureHead) -> list[Trouble]:
        try:
            check_time(received, head)
        except Refusal as refusal:
            age = int(received.at.timestamp()) - head.created
            past = refusal.component == "created" and age > OLDEST
            values = (("seconds", abs(age)), ("oldest", OLDEST), ("newest", NEWEST))
            key = ("created_old" if past else "created_future") if refusal.component == "created" else "expired"
            # a saved request grows old by itself; only its arrival says whether it was
            return [Trouble(key, refusal.component, refusal.code, note=past and not self._arrived, values=values)]
        return []

    def _lines(self, received: Received, head: SignatureHead) -> tuple[tuple[Line, ...], list[Trouble]]:
        shown: list[Line] = []
        troubles: list[Trouble] = []
        for name in head.components:
            try:
                shown.append(Line(f'"{name}"', check_component(received, self._origin, name), _source(name)))
            except Refusal as refusal:
                shown.append(Line(f'"{name}"', None, "absent"))
                key = "covered_but_absent" if name not in received.headers else "covered_but_unusable"
                troubles.append(Trouble(key, name, refusal.code))
        return tuple(shown), troubles

    def _judged(self, found: Explanation, saved: SavedRequest, head: SignatureHead) -> Explanation:
        certificate = next((item for item in self._certificates if item.keyid == head.keyid), None)
        troubles = list(found.troubles)
        if certificate is None and self._certificates:
            troubles.append(_keyid_trouble(self._certificates, head.keyid))
        # with one certificate alone it is plain whose signature it should be, whatever keyid says
        tried = certificate or (self._certificates[0] if len(self._certificates) == 1 else None)
        verified, mistake = None, None
        if tried is not None and found.base is not None:
            try:
                verified, mistake, more = self._verified(found, saved, head, x509.load_der_x509_certificate(tried.der))
                troubles += more
            except Refusal as refusal:
                troubles.append(Trouble("key_refused", refusal.component, refusal.code))
                verified = False
        signer = None if certificate is None else certificate.name
        return replace(found, troubles=tuple(troubles), signer=signer, verified=verified, mistake=mistake)

    def _verified(
        self, found: Explanation, saved: SavedRequest, head: SignatureHead, certificate: x509.Certificate
    ) -> tuple[bool, Mistake | None, list[Trouble]]:
        algorithm = check_algorithm(certificate, head)
        if verify(certificate, algorithm, head.value, found.base or b""):
            return True, None, [Trouble("high_s", "signature", note=True)] if high_s(certificate, head.value) else []
        trouble = Trouble("signature_invalid", "signature", Code.SIGNATURE_INVALID)
        form = form_of(certificate, head.value)

        def holds(base: bytes) -> bool:
            return any(check(base) for check in form.values())

        # first our own base, the signature in another form; then other bases, in any form
        for key, check in form.items():
            if check(found.base or b""):
                return False, Mistake("signature", key), [trouble]
        pairs = tuple((line.component.strip('"'), line.value or "") for line in found.lines[:-1])
        return False, find_mistake(saved, self._origin, pairs, head.parameters, holds), [trouble]


def _first_troubles(saved: SavedRequest) -> list[Trouble]:
    troubles: list[Trouble] = []
    if "authorization" in saved.headers:
        troubles.append(Trouble("authorization", "authorization", Code.AUTHORIZATION_REFUSED))
    if saved.bodiless:
        troubles.append(Trouble("body_missing", note=True))
    if saved.beyond < 0:
        troubles.append(Trouble("body_short", "content-length", values=(("count", -saved.beyond),)))
    if saved.beyond > 0:
        troubles.append(Trouble("body_beyond", "content-length", note=True, values=(("count", saved.beyond),)))
    return troubles


def _head_trouble(saved: SavedRequest, refusal: Refusal) -> Trouble:
    """The refusal, with a word on why where the field itself cannot be read."""
    name = refusal.component or ""
    key = "head"
    if refusal.code is Code.SIGNATURE_MISSING:
        key = "tag_missing" if name == "tag" else "header_missing"
    elif refusal.code is Code.SIGNATURE_MALFORMED and name in saved.headers:
        try:
            parse_dictionary(saved.headers[name])
            key = "components" if name == "signature-input" else "label"
        except MalformedFieldError as error:
            key = _MALFORMED.get(str(error), "malformed")
    elif name in {"tag", "keyid"}:
        key = {"tag": "tag_twice", "keyid": "keyid_form"}[name]
    return Trouble(key, refusal.component, refusal.code)


_MALFORMED = {
    "a key is missing or repeated": "label_repeated",
    "base64 is malformed": "base64",
    "base64 is not canonical": "base64_loose",
    "a parameter is missing or repeated": "parameter_repeated",
}


def _body(saved: SavedRequest, received: Received, missing: Sequence[str]) -> list[Trouble]:
    if saved.bodiless:
        return []
    try:
        check_body(received)
    except Refusal as refusal:
        if refusal.code is Code.COMPONENT_NOT_COVERED and refusal.component in missing:
            return []  # said already
        guess = digest_of(saved, saved.headers.get("content-digest", ""))
        key = "idempotency_key" if refusal.code is Code.SIGNATURE_MALFORMED else guess or "digest_differs"
        return [Trouble(key, refusal.component, refusal.code)]
    return []


def _keyid_trouble(certificates: Sequence[NamedCertificate], keyid: str) -> Trouble:
    for item in certificates:
        certificate = x509.load_der_x509_certificate(item.der)
        spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        digest = sha256(spki).digest()
        public = urlsafe_b64encode(digest).decode().rstrip("=")
        pem = urlsafe_b64encode(sha256(certificate.public_bytes(Encoding.PEM)).digest()).decode().rstrip("=")
        values = (("name", item.name), ("keyid", item.keyid))
        if keyid in {public, b64encode(digest).decode().rstrip("=")}:
            return Trouble("keyid_of_public_key", "keyid", Code.KEY_UNKNOWN, values=values)
        if keyid == pem:
            return Trouble("keyid_of_pem", "keyid", Code.KEY_UNKNOWN, values=values)
    first = certificates[0]
    return Trouble("keyid_unknown", "keyid", Code.KEY_UNKNOWN, values=(("name", first.name), ("keyid", first.keyid)))


def _source(name: str) -> Source:
    if not name.startswith("@"):
        return "field"
    return "request_line" if name in {"@method", "@request-target", "@path", "@query"} else "origin_and_request_line"
