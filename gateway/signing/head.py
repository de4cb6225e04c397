"""A request's Signature-Input, read strictly before anything is believed of it (S1, C6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import Code, Refusal
from gateway.signing.algorithms import ECDSA_P256, ED25519, RSA_PSS
from gateway.signing.base import DERIVED, FIELDS, TAG
from gateway.signing.structured import (
    InnerList,
    Item,
    MalformedFieldError,
    is_key,
    parse_dictionary,
    read_inner_list,
    serialise,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.signing.structured import BareItem

_NONCE = re.compile(r"[A-Za-z0-9+/_=-]{22,128}")
_KEYID = re.compile(r"[A-Za-z0-9_-]{43}")
_COVERABLE = DERIVED | FIELDS
_ALGORITHMS = (ECDSA_P256, ED25519, RSA_PSS)
_PARAMETERS = frozenset({"created", "nonce", "keyid", "tag", "alg", "expires"})


@dataclass(frozen=True, slots=True)
class SignatureHead:
    """One strictly valid signature, not yet verified.

    Attributes:
        label: its dictionary key.
        components: names of the covered components, in the caller's order.
        parameters: the member as serialised, which is the last line of the base.
        value: the raw signature.
        created, nonce, keyid: its parameters; ``expires`` and ``alg`` where given.
    """

    label: str
    components: tuple[str, ...]
    parameters: str
    value: bytes
    created: int
    nonce: str
    keyid: str
    expires: int | None
    alg: str | None


def read_head(headers: Mapping[str, str]) -> SignatureHead:
    """The one signature tagged ``passerelle``; raises Refusal naming the component at fault."""
    inputs = _members(headers, "signature-input")
    values = _members(headers, "signature")
    ours = [(label, member) for label, member in inputs.items() if dict(member.parameters).get("tag") == TAG]
    if not ours:
        raise Refusal(Code.SIGNATURE_MISSING, component="tag")
    if len(ours) > 1:
        raise Refusal(Code.SIGNATURE_MALFORMED, component="tag")
    label, member = ours[0]
    value = values.get(label)
    if not isinstance(member, InnerList) or not isinstance(value, Item) or not isinstance(value.value, bytes):
        raise Refusal(Code.SIGNATURE_MALFORMED, component="signature")
    return _head(label, member, serialise(member), value.value)


def kept_head(label: str, parameters: str, value: bytes) -> SignatureHead:
    """``read_head`` of a signature that evidence keeps: its label, its member in its one form, its raw value.

    Raises Refusal, or MalformedFieldError where label or parameters are in another form.
    """
    member, _ = read_inner_list(parameters)
    if not is_key(label):
        raise MalformedFieldError("no label")
    if dict(member.parameters).get("tag") != TAG:
        raise Refusal(Code.SIGNATURE_MISSING, component="tag")
    return _head(label, member, parameters, value)


def _members(headers: Mapping[str, str], name: str) -> dict[str, Item | InnerList]:
    try:
        return parse_dictionary(headers[name])
    except KeyError:
        raise Refusal(Code.SIGNATURE_MISSING, component=name) from None
    except MalformedFieldError:
        raise Refusal(Code.SIGNATURE_MALFORMED, component=name) from None


def _head(label: str, member: InnerList, serialised: str, value: bytes) -> SignatureHead:
    parameters = dict(member.parameters)
    if unknown := parameters.keys() - _PARAMETERS:
        raise Refusal(Code.SIGNATURE_MALFORMED, component=min(unknown))
    nonce = parameters.get("nonce")
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise Refusal(Code.NONCE_INVALID, component="nonce")
    keyid = parameters.get("keyid")
    if not isinstance(keyid, str) or not _KEYID.fullmatch(keyid):
        raise Refusal(Code.SIGNATURE_MALFORMED, component="keyid", nonce=nonce)
    names = tuple(_name(item, nonce) for item in member.items)
    if len(set(names)) != len(names):
        raise Refusal(Code.SIGNATURE_MALFORMED, component="signature-input", nonce=nonce)
    created = _integer(parameters, "created", nonce)
    if created is None:
        raise Refusal(Code.SIGNATURE_MALFORMED, component="created", nonce=nonce)
    alg = parameters.get("alg")
    if alg is not None and alg not in _ALGORITHMS:
        raise Refusal(Code.KEY_REFUSED, component="alg", nonce=nonce)
    expires = _integer(parameters, "expires", nonce)
    return SignatureHead(label, names, serialised, value, created, nonce, keyid, expires, alg)


def _name(item: Item, nonce: str) -> str:
    if item.parameters or not isinstance(item.value, str) or item.value not in _COVERABLE:
        raise Refusal(Code.SIGNATURE_MALFORMED, component="signature-input", nonce=nonce)
    return item.value


def _integer(parameters: Mapping[str, BareItem], name: str, nonce: str) -> int | None:
    value = parameters.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refusal(Code.SIGNATURE_MALFORMED, component=name, nonce=nonce)
    return value
