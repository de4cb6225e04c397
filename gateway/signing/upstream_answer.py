"""An upstream's REST answer, verified: S2, without the three fields of the ledger, which only the gateway has.

It covers @status, content-digest, and of our request (``;req``) @method, @target-uri, content-digest where there was a
body, and its signature and signature-input by label. An auditor checks the kept base with the same functions.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import PasserelleError
from gateway.model import RestPart
from gateway.signing.algorithms import algorithm_of, verify
from gateway.signing.base import TAG, lines, parse_base
from gateway.signing.digest import digest_holds
from gateway.signing.request import NEWEST, OLDEST, load
from gateway.signing.structured import InnerList, Item, MalformedFieldError, parse_dictionary, serialise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.model import Signer
    from gateway.ports import Clock
    from gateway.signing.structured import BareItem

_PARAMETERS = frozenset({"created", "keyid", "tag", "alg", "nonce"})
#: What an answer may cover besides, of its own.
_OPTIONAL = '"content-type"'


class UpstreamRefusedError(PasserelleError):
    """An answer that its upstream did not sign, or not so; ``reason`` is a stable word, never a value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """The parameters of an answer's signature that somebody must judge: when, and under which key."""

    created: int
    keyid: str
    alg: str | None


class UpstreamAnswerVerifier:
    """Verifies answers; ``signer`` says whose certificate a keyid names, and raises for any but the upstream's."""

    def __init__(self, signer: Callable[[str], Signer], clock: Clock) -> None:
        self._signer = signer
        self._clock = clock

    def verify(self, request: RestPart, status: int, headers: Mapping[str, str], body: bytes) -> RestPart:
        """What evidence keeps of the answer to ``request``; ``headers`` by small names.

        Raises UpstreamRefusedError, and what ``signer`` raises.
        """
        label, member, value = _one_signature(headers)
        parameters = serialise(member)
        head = read_answer_head(member)
        if not -OLDEST <= head.created - self._clock.now().timestamp() <= NEWEST:
            raise UpstreamRefusedError("created_out_of_window")
        digest = headers.get("content-digest", "").strip()
        if not digest_holds(digest, body):
            raise UpstreamRefusedError("digest_mismatch")
        own = {'"@status"': str(status), '"content-digest"': digest}
        own |= {_OPTIONAL: headers.get("content-type", "").strip()}
        asked, _ = parse_base(request.base)
        known = own | expected_values(asked, request.label, request.signature, request.parameters)
        names = [serialise(item) for item in member.items]
        check_coverage(names, known)
        base = lines([(name, known[name]) for name in names], parameters)
        signer = self._signer(head.keyid)
        certificate = load(signer.certificate)
        algorithm = algorithm_of(certificate)
        if algorithm is None or head.alg not in (None, algorithm) or not verify(certificate, algorithm, value, base):
            raise UpstreamRefusedError("signature_invalid")
        return RestPart(base, value, label, parameters, algorithm, signer.proof)


def expected_values(asked: Mapping[str, str], label: str, signature: bytes, parameters: str) -> dict[str, str]:
    """What an answer must cover of the request with this base and signature, by identifier as serialised.

    ``asked`` are the base's components.
    """
    values = {
        '"@method";req': asked['"@method"'],
        '"@target-uri";req': asked['"@target-uri"'],
        f'"signature";req;key="{label}"': f":{b64encode(signature).decode()}:",
        f'"signature-input";req;key="{label}"': parameters,
    }
    if '"content-digest"' in asked:
        values['"content-digest";req'] = asked['"content-digest"']
    return values


def check_coverage(names: list[str], expected: Mapping[str, str]) -> None:
    """Returns if these are all that must be covered, each once, and nothing unknown; raises UpstreamRefusedError."""
    if len(set(names)) != len(names) or not expected.keys() >= set(names):
        raise UpstreamRefusedError("covers_unknown")
    if not set(names) >= expected.keys() - {_OPTIONAL}:
        raise UpstreamRefusedError("not_covered")


def read_answer_head(member: InnerList) -> AnswerHead:
    """The parameters of an answer's signature; raises UpstreamRefusedError (``signature_malformed``)."""
    parameters: dict[str, BareItem] = dict(member.parameters)
    created, keyid, alg = (parameters.get(name) for name in ("created", "keyid", "alg"))
    if not parameters.keys() <= _PARAMETERS or parameters.get("tag") != TAG:
        raise UpstreamRefusedError("signature_malformed")
    if not isinstance(created, int) or isinstance(created, bool):
        raise UpstreamRefusedError("signature_malformed")
    if not isinstance(keyid, str) or not isinstance(alg, str | None):
        raise UpstreamRefusedError("signature_malformed")
    return AnswerHead(created, keyid, alg)


def _one_signature(headers: Mapping[str, str]) -> tuple[str, InnerList, bytes]:
    try:
        inputs = parse_dictionary(headers["signature-input"])
        values = parse_dictionary(headers["signature"])
    except (KeyError, MalformedFieldError):
        raise UpstreamRefusedError("not_signed") from None
    ours = [
        (label, member, value.value)
        for label, member in inputs.items()
        if isinstance(member, InnerList)
        and dict(member.parameters).get("tag") == TAG
        and isinstance(value := values.get(label), Item)
        and isinstance(value.value, bytes)
    ]
    if len(ours) != 1:
        raise UpstreamRefusedError("not_signed")
    return ours[0]
