"""The header blocks of a caller's message: which we understand, and which may enter evidence as they stand.

What a caller signs is kept for years, byte for byte: there is no room in it for words of its own (C6, L1).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gateway.errors import Code, Refusal
from gateway.signing import soap_names as n

if TYPE_CHECKING:
    from lxml import etree

    from gateway.signing.soap_open import OpenedSoap

_UNDERSTOOD = frozenset(
    {n.SECURITY, n.TO, n.ACTION, n.MESSAGE_ID, n.REPLY_TO, n.FAULT_TO, n.AGREEMENT, n.PURPOSE, n.IDEMPOTENCY_KEY},
)
_WHERE_TO_ANSWER = frozenset({n.REPLY_TO, n.FAULT_TO})
_MESSAGE_ID = re.compile(r"urn:uuid:[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
#: An Id without room for words.
ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,99}")
_YES, _NO = ("1", "true"), ("0", "false")
_TOKEN_ATTRIBUTES = frozenset({"EncodingType", "ValueType"})
#: The header blocks that hold elements, and which ones.
_HOLDS = {n.TIMESTAMP: [n.CREATED, n.EXPIRES], n.REPLY_TO: [n.ADDRESS]}


def message_id(root: etree._Element) -> str | None:
    """The one MessageID directly below the Header, where it is a UUID; nothing of it is proven."""
    found = [] if not len(root) else [node for node in root[0] if node.tag == n.MESSAGE_ID]
    if len(found) != 1 or len(found[0]):
        return None
    text = (found[0].text or "").strip(n.SPACE)
    return text if _MESSAGE_ID.fullmatch(text) else None


def check_understood(opened: OpenedSoap) -> None:
    """Returns if we process every header block that we must, and answers go back on the connection; raises Refusal."""
    for block in opened.header:
        if block.tag not in _UNDERSTOOD and block.get(opened.soap.must_understand, "0") not in _NO:
            raise Refusal(Code.HEADER_NOT_UNDERSTOOD)  # its name is the caller's own text
        if block.tag in _WHERE_TO_ANSWER and _address(block) != n.ANONYMOUS:
            raise Refusal(Code.HEADER_NOT_UNDERSTOOD, component=str(block.tag).partition("}")[2])


def check_kept(opened: OpenedSoap) -> None:
    """Returns if every signed header block, and the Body's Id, may enter evidence; raises Refusal naming one not."""
    if not ID.fullmatch(opened.body_id):
        raise Refusal(Code.SIGNATURE_MALFORMED, component="Body")
    for name, block in opened.blocks.items():
        if block.tag not in n.REQUEST_MAY_SIGN:
            raise Refusal(Code.SIGNATURE_MALFORMED, component="Reference")
        if not may_be_kept(name, block, opened.soap):
            raise Refusal(Code.SIGNATURE_MALFORMED, component=str(block.tag).partition("}")[2])


def may_be_kept(name: str, block: etree._Element, soap: n.Soap) -> bool:
    """Whether a signed block, and its wsu:Id, leave no room for words; an audit asks the same of kept ones."""
    return bool(ID.fullmatch(name)) and _has_its_form(block, soap)


def _has_its_form(block: etree._Element, soap: n.Soap) -> bool:
    attributes = set(block.keys()) - {n.WSU_ID}
    if block.tag == n.TOKEN:
        attributes -= _TOKEN_ATTRIBUTES
    if block.get(soap.must_understand) in (*_YES, *_NO):
        attributes.discard(soap.must_understand)
    holds = _HOLDS.get(str(block.tag), [])
    return (
        not attributes
        and [child.tag for child in block] == holds
        and not (holds and _words_between(block))
        and not any(len(child) or child.keys() for child in block)
    )


def _words_between(block: etree._Element) -> bool:
    texts = (block.text, *(child.tail for child in block))
    return any(text and text.strip(n.SPACE) for text in texts)


def _address(endpoint: etree._Element) -> str:
    return (endpoint.findtext(n.ADDRESS) or "").strip(n.SPACE)
