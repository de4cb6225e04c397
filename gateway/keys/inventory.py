"""Every key of a gateway: what it is for, where it lies, whose certificate it has, which generation it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cryptography import x509

from gateway.keys.names import handle_key, nirec_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from gateway.keys.generations import Generation, Generations
    from gateway.keys.stores import Keys

#: The kinds whose keys have certificates, and those whose public part callers are told of.
CERTIFIED = ("tls-server", "tls-client", "signing")
PUBLISHED = ("signing", "receipts")
_DAY = 86400.0
State = Literal["in_use", "next", "former"]


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """One key.

    Attributes:
        name: in the keystore.
        kind: what it is for, a word of the catalogue (``keys.kind.KIND``).
        where: ``file``, ``token``, or ``absent``.
        generation: counted from 0; None where there are none.
        state: in use, not yet, or no longer.
        since: when a generation comes or came into use; None while nobody has said, or since ever.
        published: whether callers can have its public part from us.
        subject, days: of its certificate, RFC 4514 and days left; None without one.
    """

    name: str
    kind: str
    where: Literal["file", "token", "absent"]
    generation: int | None = None
    state: State = "in_use"
    since: datetime | None = None
    published: bool = False
    subject: str | None = None
    days: float | None = None


def inventory(
    keys: Keys, generations: Generations, folder: Path, parties: Iterable[str], plain: Iterable[str], at: datetime
) -> tuple[KeyFacts, ...]:
    """Every key, those that callers meet first; raises KeystoreError where the token cannot be asked.

    Args:
        keys: where they lie.
        generations: of those that have them.
        folder: where the certificates lie.
        parties: those that have handles.
        plain: names of keys without generations.
        at: the present.
    """
    found = [_facts(keys, folder, one, generations, at) for kind in generations.kinds for one in generations.all(kind)]
    found += [KeyFacts(name, name, keys.where(name)) for name in plain]
    found += list(_pseudonym_keys(keys))
    found += [KeyFacts(name, "handle", keys.where(name)) for name in map(handle_key, sorted(parties))]
    return tuple(found)


def _facts(keys: Keys, folder: Path, one: Generation, generations: Generations, at: datetime) -> KeyFacts:
    current = generations.current(one.kind)
    state: State = "in_use" if one == current else "next" if one.since is None or one.since > at else "former"
    certificate = _certificate(folder / f"{one.name}.pem") if one.kind in CERTIFIED else None
    return KeyFacts(
        name=one.name,
        kind=one.kind,
        where=keys.where(one.name),
        generation=one.number,
        state=state,
        since=None if one.number == 0 and state != "next" else one.since,
        published=one.kind in PUBLISHED and (one.kind not in CERTIFIED or certificate is not None),
        subject=None if certificate is None else certificate.subject.rfc4514_string(),
        days=None if certificate is None else round((certificate.not_valid_after_utc - at).total_seconds() / _DAY, 1),
    )


def _pseudonym_keys(keys: Keys) -> Iterator[KeyFacts]:
    number = 0
    while (where := keys.where(nirec_key(number))) != "absent" or number == 0:
        yield KeyFacts(nirec_key(number), "nirec", where, generation=number)
        number += 1


def _certificate(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None
