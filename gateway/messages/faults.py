"""A refusal as a SOAP Fault, in SOAP 1.1 and 1.2: the same words as a problem of REST, from the same table.

Written in exclusive canonical form, as it stands in a Body that declares the prefix ``soap``.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from gateway.errors import Code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gateway.errors import Refusal
    from gateway.messages.table import Language, Row
    from gateway.model import Form

EXCHANGE: Final = "urn:passerelle:exchange:v1"
_NAMESPACES: Mapping[Form, str] = {
    "soap11": "http://schemas.xmlsoap.org/soap/envelope/",
    "soap12": "http://www.w3.org/2003/05/soap-envelope",
}
_TYPES: Mapping[Form, str] = {
    "soap11": "text/xml; charset=utf-8",
    "soap12": "application/soap+xml; charset=utf-8",
}
#: Whose mistake it was, as each version calls it.
_THEIRS: Mapping[Form, str] = {"soap11": "Client", "soap12": "Sender"}
_OURS: Mapping[Form, str] = {"soap11": "Server", "soap12": "Receiver"}
_SERVER_ERROR = 500
_BAD_REQUEST = 400


def fault_status(row: Row, form: Form) -> int:
    """The HTTP status: 500 for every Fault of SOAP 1.1 (WS-I Basic Profile 1.1, R1126); by 1.2 400 if it was theirs."""
    return _BAD_REQUEST if form == "soap12" and row.status < _SERVER_ERROR else _SERVER_ERROR


def fault_type(form: Form) -> str:
    """The Content-Type of an answer in this version."""
    return _TYPES[form]


def fault(
    row: Row, refusal: Refusal, exchange_id: str, languages: Sequence[Language], retry_after: int | None, form: Form
) -> bytes:
    """The soap:Fault; ``languages``: both, the chosen one first."""
    detail = _problem(row, refusal, exchange_id, languages, retry_after)
    code = f"soap:{_fault_code(row, refusal, form)}"
    titles = [(language, escape(row.title[language], quote=False)) for language in languages]
    if form == "soap11":
        language, title = titles[0]
        inside = (
            f'<faultcode>{code}</faultcode><faultstring xml:lang="{language}">{title}</faultstring>'
            f"<detail>{detail}</detail>"
        )
    else:
        texts = "".join(f'<soap:Text xml:lang="{language}">{title}</soap:Text>' for language, title in titles)
        inside = (
            f"<soap:Code><soap:Value>{code}</soap:Value></soap:Code><soap:Reason>{texts}</soap:Reason>"
            f"<soap:Detail>{detail}</soap:Detail>"
        )
    return f"<soap:Fault>{inside}</soap:Fault>".encode()


def unsigned_envelope(content: bytes, form: Form) -> bytes:
    """A whole message around a Fault, for the one case in which nothing can be signed."""
    namespace = _NAMESPACES[form]
    opening = f'<soap:Envelope xmlns:soap="{namespace}"><soap:Body>'
    return opening.encode() + content + b"</soap:Body></soap:Envelope>"


def _fault_code(row: Row, refusal: Refusal, form: Form) -> str:
    if refusal.code is Code.HEADER_NOT_UNDERSTOOD:
        return "MustUnderstand"
    return (_THEIRS if row.status < _SERVER_ERROR else _OURS)[form]


def _problem(
    row: Row, refusal: Refusal, exchange_id: str, languages: Sequence[Language], retry_after: int | None
) -> str:
    next_words = row.next if row.next_soap is None else row.next_soap

    def elements() -> Iterator[str]:
        yield f"<px:code>{refusal.code.value}</px:code><px:exchange_id>{exchange_id}</px:exchange_id>"
        for name, words in (("title", row.title), ("detail", next_words)):
            for language in languages:
                text = escape(words[language], quote=False)
                yield f'<px:{name} xml:lang="{language}">{text}</px:{name}>'
        further = {"component": refusal.component, "reason": refusal.reason, "retry_after": retry_after}
        for name, value in further.items():
            if value is not None:
                yield f"<px:{name}>{escape(str(value), quote=False)}</px:{name}>"

    return f'<px:Problem xmlns:px="{EXCHANGE}">{"".join(elements())}</px:Problem>'
