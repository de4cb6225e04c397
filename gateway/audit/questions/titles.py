"""What the words in evidence are called: by the policy and the contract that it names, from ``objects/`` (L3)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from contracts.told import in_words, parts_of, told_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.audit.objects import Objects
    from gateway.audit.questions.rows import Terms

    Language = Literal["fr", "en"]


class Titles:
    """Words in one language; a word that policy or contract do not explain stands for itself.

    Each method raises Problem where the object that evidence names is not in the log.
    """

    def __init__(self, objects: Objects, language: Language) -> None:
        self._objects = objects
        self._language: Language = language
        self.party = lru_cache(maxsize=None)(self._party)
        self.legal_basis = lru_cache(maxsize=None)(self._legal_basis)
        self.operation = lru_cache(maxsize=None)(self._operation)
        self.fields = lru_cache(maxsize=None)(self._fields)

    def _party(self, terms: Terms) -> str:
        """The caller's title."""
        if not terms.policy:
            return terms.party
        known = self._objects.bundle(terms.policy).parties.get(terms.party)
        return terms.party if known is None else str(getattr(known.title, self._language))

    def _legal_basis(self, terms: Terms) -> str:
        """What allows it, as the policy of that time says; empty where no agreement was found."""
        if not terms.policy:
            return ""
        agreement = self._objects.bundle(terms.policy).agreements.get(terms.agreement)
        return "" if agreement is None else str(getattr(agreement.legal_basis, self._language))

    def _operation(self, terms: Terms) -> str:
        """The operation's title."""
        if not terms.contract:
            return terms.operation
        operation = self._objects.contract(terms.contract).operations.get(terms.operation)
        return terms.operation if operation is None else str(getattr(operation.title, self._language))

    def _fields(self, terms: Terms) -> tuple[tuple[str, str], ...]:
        """Each field disclosed, and what the contract says that it is."""
        if not terms.fields:
            return ()
        operation = self._objects.contract(terms.contract).operations.get(terms.operation)
        known = {} if operation is None else told_fields(operation)
        return tuple((name, self._words(name, known.get(name))) for name in terms.fields)

    def _words(self, name: str, schema: Mapping[str, Any] | None) -> str:
        """The whole description; of a list or object what it is called, and what it is made of."""
        if schema is None:
            return name
        whole = str(schema["description"][self._language])
        return in_words(schema, name, self._language) if parts_of(schema) else whole
