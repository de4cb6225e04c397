"""What a family reads in the place of words in a note: titles, by the policy of that time and today's contracts."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from contracts.told import in_words, told_fields
from gateway.errors import PasserelleError
from gateway.family.view import Words
from gateway.ledger.storage import PolicyRows
from gateway.policy.bundle import read_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from contracts.loader import Contract, Operation
    from gateway.family.note import Note
    from gateway.policy.bundle import Bundle
    from gateway.storage import Database

_POLICIES_KEPT = 16
#: The contract's maxLength of a field's words.
LONGEST = 500


def family_words(contracts: Iterable[Contract], database: Database) -> Callable[[Note], Words]:
    """Explains a note; a word that neither explains stands for itself.

    What it gives raises PasserelleError for a policy that is gone.
    """
    operations = {name: one for contract in contracts for name, one in contract.operations.items()}
    fields = {name: _fields(one) for name, one in operations.items()}
    rows = PolicyRows(database)

    @lru_cache(maxsize=_POLICIES_KEPT)
    def bundle(digest: str) -> Bundle:
        content = rows.object(digest)
        if content is None:
            raise PasserelleError("a policy that was in force is not in the database")
        return read_bundle(content)[0]

    def words(note: Note) -> Words:
        policy = bundle(note.policy)
        party, agreement = policy.parties.get(note.party), policy.agreements.get(note.agreement)
        basis = None if agreement is None else agreement.legal_basis
        title = None if party is None else party.title
        operation, there = operations.get(note.operation), policy.parties.get(note.sent_to)
        called = fields.get(note.operation, {})
        return Words(
            party=(note.party,) * 2 if title is None else (title.fr, title.en),
            sent_to=None if there is None else (there.title.fr, there.title.en),
            operation=(note.operation,) * 2 if operation is None else (operation.title.fr, operation.title.en),
            legal_basis=(note.agreement,) * 2 if basis is None else (basis.fr, basis.en),
            fields=tuple(called.get(name, (name, name)) for name in note.fields),
        )

    return words


def _fields(operation: Operation) -> dict[str, tuple[str, str]]:
    """What the operation's contract calls each field by which a party is told, French and English."""
    told = told_fields(operation).items()
    return {name: (_within(in_words(one, name, "fr")), _within(in_words(one, name, "en"))) for name, one in told}


def _within(said: str) -> str:
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"
