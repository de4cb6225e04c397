"""The usual mistakes of a client's signature base, tried one by one against a signature that does not verify.

For `passerelle explain` only: the gateway itself never guesses.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256, sha512
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from gateway.signing.base import lines
from gateway.signing.digest import content_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gateway.signing.saved import SavedRequest

Pairs = tuple[tuple[str, str], ...]
PARAMETERS = "@signature-params"
#: Not tried together with another mistake: they are many, and each alone is rare.
_SELDOM = frozenset({"digest_form", "case", "quotes", "empty", "repeated"})


@dataclass(frozen=True, slots=True)
class Mistake:
    """A base that the signature does hold over, and what sets it apart from ours.

    Attributes:
        component: that differs; ``@signature-params`` for the last line, ``base`` for the whole, ``signature``.
        key: which mistake, a word.
        theirs: the line that was signed instead; None where it is not a matter of one line.
    """

    component: str
    key: str
    theirs: str | None = field(default=None)


def find_mistake(
    saved: SavedRequest, origin: str, pairs: Pairs, parameters: str, holds: Callable[[bytes], bool]
) -> Mistake | None:
    """The mistake that explains a signature; ``holds`` says whether it verifies over a base."""
    single = {
        (at, value): key
        for at, (name, right) in enumerate(pairs)
        for key, value in reversed(list(_values(name, saved, origin)))
        if value != right and value.isascii()
    }
    for (at, value), key in single.items():
        changed = _with(pairs, at, value)
        if holds(lines(_quoted(changed), parameters)):
            return Mistake(pairs[at][0], key, f'"{pairs[at][0]}": {value}')
    for component, key, base in _forms(pairs, parameters, saved):
        if holds(base):
            return Mistake(component, key)
    # two lines at once, of which the first is named: most often the target and the digest
    common = [(at, key, value) for (at, value), key in single.items() if key not in _SELDOM]
    for first, (at, key, value) in enumerate(common):
        for other, _, second in common[first + 1 :]:
            if other != at and holds(lines(_quoted(_with(_with(pairs, at, value), other, second)), parameters)):
                return Mistake(pairs[at][0], key, f'"{pairs[at][0]}": {value}')
    return None


def _with(pairs: Pairs, at: int, value: str) -> Pairs:
    return (*pairs[:at], (pairs[at][0], value), *pairs[at + 1 :])


def _quoted(pairs: Pairs) -> list[tuple[str, str]]:
    return [(f'"{name}"', value) for name, value in pairs]


def _values(name: str, saved: SavedRequest, origin: str) -> Iterator[tuple[str, str]]:
    match name:
        case "@target-uri":
            yield from _targets(saved, origin)
        case "@method":
            yield "method_case", saved.method.lower()
        case "content-digest":
            yield from _digests(saved)
            yield from _fields(name, saved)
        case _ if not name.startswith("@"):
            yield from _fields(name, saved)


def _targets(saved: SavedRequest, origin: str) -> Iterator[tuple[str, str]]:
    target = saved.target
    scheme, _, authority = origin.partition("://")
    host = authority.rpartition(":")[0] or authority
    other = "http" if scheme == "https" else "https"
    yield "target_scheme", f"{other}://{authority}{target}"
    yield "target_port", f"{scheme}://{host}{target}"
    yield "target_port", f"{scheme}://{host}:443{target}"
    named = saved.headers.get("host")
    if named:
        yield "target_host", f"{scheme}://{named}{target}"
        yield "target_host", f"{scheme}://{named.rpartition(':')[0] or named}{target}"
        yield "target_scheme", f"{other}://{named}{target}"
    for local in ("localhost", "127.0.0.1"):
        yield "target_host", origin.replace(host, local) + target
    path, mark, query = target.partition("?")
    yield "target_path_only", target
    yield "target_path_only", path
    yield "target_query", origin + path
    yield "target_slash", f"{origin}{path.rstrip('/')}{mark}{query}"
    yield "target_slash", f"{origin}{path}/{mark}{query}"
    yield "target_decoded", origin + unquote(target)
    yield "target_decoded", origin + quote(target, safe="/?&=:%,;@+~!$'()*")
    yield "target_decoded", origin + quote(target, safe="/?&=")
    yield "target_case", (origin + target).lower()


def _digests(saved: SavedRequest) -> Iterator[tuple[str, str]]:
    for key, body in _bodies(saved.body):
        for name, algorithm in (("sha-256", sha256), ("sha-512", sha512)):
            digest = algorithm(body).digest()
            yield "digest_algorithm" if key == "digest_form" else key, f"{name}=:{b64encode(digest).decode()}:"
            for written in (b64encode(digest).decode(), digest.hex()):
                yield "digest_form", f"{name}={written}"
                yield "digest_form", f"{name.upper()}={written}"
                yield "digest_form", f"{name}=:{written}:"
                yield "digest_form", written


def _bodies(body: bytes) -> Iterator[tuple[str, bytes]]:
    yield "digest_form", body
    yield "digest_newline", body.rstrip(b"\r\n")
    yield "digest_newline", body + b"\n"
    yield "digest_newline", body + b"\r\n"
    yield "digest_line_ends", body.replace(b"\r\n", b"\n")
    yield "digest_line_ends", body.replace(b"\n", b"\r\n")
    yield "digest_empty", b""


def digest_of(saved: SavedRequest, header: str) -> str | None:
    """Of which other bytes, or how else written, a Content-Digest is that does not fit the body; None if unknown."""
    for key, body in _bodies(saved.body):
        if header in {content_digest(body), f"sha-512=:{b64encode(sha512(body).digest()).decode()}:"}:
            return key
    return next((key for key, value in _digests(saved) if value == header), None)


def _fields(name: str, saved: SavedRequest) -> Iterator[tuple[str, str]]:
    raw = [value for known, value in saved.fields if known == name]
    trimmed = [value.strip(" \t") for value in raw]
    yield "spaces", ",".join(raw)
    yield "spaces", ", ".join(trimmed)
    yield "spaces", "".join(trimmed)
    yield "spaces", " ".join(",".join(trimmed).split())
    yield "spaces", "".join(",".join(trimmed).split())
    for value in trimmed[:1] if len(trimmed) > 1 else ():
        yield "repeated", value
    for value in trimmed[-1:] if len(trimmed) > 1 else ():
        yield "repeated", value
    whole = ",".join(trimmed)
    yield "case", whole.lower()
    yield "case", whole.upper()
    yield "quotes", f'"{whole}"'
    yield "quotes", whole.strip('"')
    yield "empty", ""
    if name == "content-type":
        bare = whole.partition(";")[0].strip()
        for value in (bare, f"{bare}; charset=utf-8", f"{bare};charset=utf-8", f"{bare}; charset=UTF-8"):
            yield "content_type", value


def _forms(pairs: Sequence[tuple[str, str]], parameters: str, saved: SavedRequest) -> Iterator[tuple[str, str, bytes]]:
    quoted = [(f'"{name}"', value) for name, value in pairs]
    right = lines(quoted, parameters)
    body = right[: right.rindex(b"\n")]
    text = parameters.encode()
    label, _, sent = saved.headers.get("signature-input", "").partition("=")
    yield PARAMETERS, "parameters_missing", body
    yield PARAMETERS, "parameters_missing", body + b"\n"
    yield PARAMETERS, "parameters_unquoted", body + b"\n@signature-params: " + text
    yield PARAMETERS, "parameters_label", body + b'\n"@signature-params": ' + f"{label}={parameters}".encode()
    yield PARAMETERS, "parameters_as_sent", body + b'\n"@signature-params": ' + sent.encode("ascii", "replace")
    yield PARAMETERS, "parameters_spaces", body + b'\n"@signature-params": ' + text.replace(b";", b"; ")
    yield PARAMETERS, "parameters_name", body + b'\n"@signature-input": ' + text
    yield "base", "names_unquoted", lines(pairs, parameters)
    yield (
        "base",
        "names_unquoted",
        "".join(f"{name}: {value}\n" for name, value in pairs).encode() + (b"@signature-params: " + text),
    )
    yield "base", "line_ends", right.replace(b"\n", b"\r\n")
    yield "base", "last_newline", right + b"\n"
    yield "base", "last_newline", right.replace(b"\n", b"\r\n") + b"\r\n"
    yield "base", "no_space", right.replace(b'": ', b'":')
    yield "base", "hashed_twice", sha256(right).digest()
    yield "base", "hashed_twice", sha256(right).hexdigest().encode()
