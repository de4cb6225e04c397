"""The signature base of RFC 9421 (section 2.5): the lines that a signature covers.

Component values come from the bytes as received: the raw target, our origin from settings, fields as sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.signing.structured import MalformedFieldError, read_inner_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.model import Received
    from gateway.signing.structured import InnerList

TAG = "passerelle"

#: Fields that a request's signature may cover; anything else would carry who knows what into evidence.
FIELDS = frozenset(
    {
        "content-digest",
        "content-type",
        "content-length",
        "exchange-agreement",
        "exchange-purpose",
        "idempotency-key",
    }
)
DERIVED = frozenset(
    {"@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query"}
)  # RFC 9421, section 2.2


def component(received: Received, origin: str, name: str) -> str | None:
    """The value of one covered component of a request; None when the request does not have it."""
    if not name.startswith("@"):
        value = received.headers.get(name)
        return None if value is None else value.strip()
    if name == "@method":
        return received.method
    if name == "@target-uri":
        return origin + received.target
    return _rarely_covered(received, origin).get(name)


def _rarely_covered(received: Received, origin: str) -> Mapping[str, str]:
    path, mark, query = received.target.partition("?")
    scheme, _, authority = origin.partition("://")
    return {
        "@authority": authority,
        "@scheme": scheme,
        "@request-target": received.target,
        "@path": path,
        "@query": mark + query if mark else "?",
    }


def lines(pairs: Iterable[tuple[str, str]], parameters: str) -> bytes:
    """A signature base from its components (identifier as serialised, value) and the signature parameters."""
    text = "".join(f"{identifier}: {value}\n" for identifier, value in pairs)
    return f'{text}"@signature-params": {parameters}'.encode("ascii")


def parse_base(base: bytes) -> tuple[dict[str, str], InnerList]:
    """A base's components by identifier, and its signature parameters; for whoever verifies kept evidence.

    Raises MalformedFieldError unless the lines are exactly those that the parameters name, in that order.
    """
    try:
        rows = [row.partition(": ") for row in base.decode("ascii").split("\n")]
    except UnicodeDecodeError:
        raise MalformedFieldError("a base is ASCII") from None
    last, _, parameters = rows.pop()
    if last != '"@signature-params"':
        raise MalformedFieldError("a base ends with its parameters")
    member, names = read_inner_list(parameters)
    if tuple([row[0] for row in rows]) != names:
        raise MalformedFieldError("the lines are not those that the parameters name")
    found = {name: value for name, _, value in rows}
    if len(found) != len(rows):
        raise MalformedFieldError("a component is repeated")
    return found, member
