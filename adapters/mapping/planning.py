"""One operation of another system planned both ways, whatever its form: what is asked, what is answered."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from adapters.mapping.checking import check_privacy, check_told
from adapters.mapping.filling import Planner
from adapters.mapping.reading import AnswerPlanner, single
from adapters.mapping.values import ValueUnfitError
from contracts.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from adapters.mapping.apart import Apart
    from adapters.mapping.checking import Canonical
    from adapters.mapping.declaration import Answer, AnswerSalt, MappingDocument, Served
    from adapters.mapping.declared import Declared
    from adapters.mapping.filling import Plan
    from adapters.mapping.reading import AnswerPlan, View

    Segments = Callable[[str], tuple[str, ...]]


class Theirs(Protocol):
    """An operation as their document declares it."""

    @property
    def request(self) -> Declared:
        """The places of what is asked."""
        ...

    @property
    def answer(self) -> Declared:
        """The places of what is answered."""
        ...


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """What an answer says.

    Attributes:
        fields: the canonical ones.
        salt: None where their document has none.
        repeated: what it says again of the request; None where it need not say anything again.
    """

    fields: Mapping[str, object] = field(repr=False)
    salt: bytes | None = field(repr=False)
    repeated: tuple[str | None, ...] | None = field(default=None, repr=False)

    def is_answer_to(self, asked: tuple[str | None, ...]) -> bool:
        """Whether it says again what was asked, where it must: else it answers somebody else's question."""
        return self.repeated is None or self.repeated == asked


@dataclass(frozen=True, slots=True)
class Repeats:
    """The places of their answer that say again what stood in their request; both as texts, in one order."""

    _view: View
    _asked: tuple[tuple[str, ...], ...]
    _answered: tuple[tuple[str, ...], ...]

    def asked(self, root: object) -> tuple[str | None, ...]:
        """What the request says there; None for a place that it does not have."""
        return tuple(self._text(root, way) for way in self._asked)

    def answered(self, root: object) -> tuple[str | None, ...]:
        """What the answer says there."""
        return tuple(self._text(root, way) for way in self._answered)

    def _text(self, root: object, way: tuple[str, ...]) -> str | None:
        found = self._view.find(root, way)
        return self._view.text(found[0]) if found else None


@dataclass(frozen=True, slots=True)
class AnswerReader:
    """Reads an answer that their document takes."""

    _view: View
    _plan: AnswerPlan
    _salt: tuple[AnswerSalt, tuple[str, ...]] | None
    _repeats: Repeats

    def read(self, root: object) -> ReadAnswer:
        """What it says; raises ValueUnfitError for one that has no canonical form."""
        return ReadAnswer(self._plan.read(root), self._read_salt(root), self._repeats.answered(root))

    def _read_salt(self, root: object) -> bytes | None:
        if self._salt is None:
            return None
        said, way = self._salt
        found = self._view.find(root, way)
        return _decoded(self._view.text(found[0]) if found else None, said)


@dataclass(frozen=True, slots=True)
class Planned:
    """Both messages of one canonical operation.

    Attributes:
        secret_answer: whether the answer holds personal data.
        apart: which messages evidence seals apart (C5).
        repeats: what an answer must say again.
    """

    request: Plan
    answer: AnswerReader
    repeats: Repeats
    secret_answer: bool
    apart: Apart


def planned(
    theirs: Theirs,
    served: Served,
    mapping: MappingDocument,
    canonical: Canonical,
    view: View,
    segments: Segments,
    in_target: frozenset[str] = frozenset(),
) -> Planned:
    """The plan of an operation; raises ContractError, its path from the mapping's entry.

    ``view`` walks their answers, ``segments`` reads a path, ``in_target`` are those that stand in an address (REST).
    """
    apart = check_privacy(served, canonical, mapping, in_target)
    try:
        request = Planner(segments).plan(theirs.request, served.request, canonical.request)
    except ContractError as error:
        raise error.below("request") from None
    check_told(served, canonical)
    said = served.answer
    try:
        answer = AnswerPlanner(view, segments).plan(theirs.answer, said.fields, canonical.response, canonical.added)
    except ContractError as error:
        raise error.below("answer", "fields") from None
    try:
        salt = _salt_place(theirs.answer, said, segments)
    except ContractError as error:
        raise error.below("answer", "salt") from None
    try:
        repeats = _repeats(theirs, served, view, segments)
    except ContractError as error:
        raise error.below("answer", "repeats") from None
    reader = AnswerReader(view, answer, salt, repeats)
    return Planned(request, reader, repeats, canonical.secret_answer, apart)


def _repeats(theirs: Theirs, served: Served, view: View, segments: Segments) -> Repeats:
    """Where an answer says again what was asked; raises ContractError, its path from these places."""
    asked, answered = [], []
    for place, told in served.answer.repeats.items():
        if told not in served.request:
            raise ContractError(f"nothing is mapped to {told}; an answer repeats what is", (place,))
        try:
            ways = segments(told), segments(place)
            leaves = single(theirs.request, ways[0], "").leaf and single(theirs.answer, ways[1], "").leaf
        except ContractError as error:
            raise ContractError(error.text, (place,)) from None
        if not leaves:
            raise ContractError("what is repeated is one value", (place,))
        asked.append(ways[0])
        answered.append(ways[1])
    return Repeats(view, tuple(asked), tuple(answered))


def _salt_place(place: Declared, said: Answer, segments: Segments) -> tuple[AnswerSalt, tuple[str, ...]] | None:
    """Where their salt stands, once in an answer; None where the mapping names no place."""
    if said.salt is None:
        return None
    way = segments(said.salt.at)
    if not single(place, way, "at").leaf:
        raise ContractError("a salt is one value", ("at",))
    return said.salt, way


def _decoded(text: str | None, said: AnswerSalt) -> bytes:
    """A salt's bytes; raises ValueUnfitError."""
    try:
        plain = "".join((text or "").split())
        return bytes.fromhex(plain) if said.form == "hex" else b64decode(plain, validate=True)
    except ValueError:
        raise ValueUnfitError from None
