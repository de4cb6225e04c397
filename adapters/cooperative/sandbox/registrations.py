"""Synthetic registrations: the same seed, the same registry, however many of them are made. Nobody in it exists.

Each is drawn from its own number, so that a registry that grows keeps what it has. Children who are born may be those
of another registry, in its order; what names them there, such as a NIREC, has no place here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import sha512
from typing import TYPE_CHECKING

from adapters.sandboxing.names import FAMILY_NAMES, GIVEN_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SEED = b"passerelle sandbox waiting list 2"
#: Name and licensed places by the region's number; places that are not counted are absent.
REGIONS: dict[str, tuple[str, int | None]] = {
    "03": ("Capitale-Nationale", 27_412),
    "06": ("Montréal", 71_905),
    "13": ("Laval", None),
}
#: Those that are counted as one where one of them is small.
NEIGHBOURS = (("06", "13"), ("03",))
#: The registry's first and last day; the numbers of the last month are not final.
FIRST_DAY, LAST_DAY = date(2025, 1, 1), date(2026, 11, 30)
WANTED = ("cpe", "subsidised_daycare", "home_care")
NONE = "none"
HELD = ("non_subsidised_daycare", "home_care", "temporary_place")
#: A public figure who never was, and a namesake: parents of the registrations of these numbers.
PUBLIC_FIGURE = ("Beauchemin-Larivière", "Marie-Josée")
_NAMESAKES = (17, 41)
#: The numbers of the third region's nine registrations: so few that counts are withheld there.
_FEW = range(5, 54, 6)
_FEW_BORN, _FEW_WANTED, _FEW_WITHOUT = 6, 4, 3
#: In days: how long the third region's registrations took, how old a child is at most and how soon one is expected,
#: how long after its registration a place is wanted.
_FEW_WITHIN, _OLDEST, _EXPECTED_WITHIN, _SOONEST, _LATEST = 300, 1800, 200, 60, 700
_TENTHS, _MONTREAL, _LINES = 10, 7, 10_000
_DRAWS = 32
_AREAS = ("418", "514", "581", "438")
#: One in so many: not born yet, the twin of the one before, with one parent, holding another kind of service.
_UNBORN, _TWINS, _ALONE, _HOLDS = 7, 30, 6, 3


@dataclass(frozen=True, slots=True)
class Child:
    """Who is registered; born, or expected and then without given names."""

    family_name: str = field(repr=False)
    given_names: str | None = field(repr=False)
    birth_date: date | None = field(repr=False)
    expected_date: date | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Parent:
    """Who registered the child, and where they are reached."""

    family_name: str = field(repr=False)
    given_names: str = field(repr=False)
    phone: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Registration:
    """One child's place in the queue.

    Attributes:
        number: from 0, in the order of making.
        known: which of the children that were handed over this is, from 0; None for one of our own making.
        region: by its number.
        wanted, held: the kind of service wanted, and the one that the child has now.
    """

    number: int
    known: int | None
    child: Child
    parents: tuple[Parent, ...]
    region: str
    registered_on: date
    desired_on: date
    wanted: str
    held: str


class _Draw:
    """Numbers drawn from the seed and a word: two bytes each of one SHA-512."""

    def __init__(self, word: str) -> None:
        self._block = sha512(SEED + word.encode()).digest()
        self._next = 0

    def below(self, bound: int) -> int:
        at = self._next % _DRAWS * 2
        self._next += 1
        return int.from_bytes(self._block[at : at + 2]) % bound

    def one_in(self, many: int) -> bool:
        return self.below(many) == 0

    def choice(self, values: Sequence[str]) -> str:
        return values[self.below(len(values))]

    def day(self, first: date, days: int) -> date:
        return first + timedelta(days=self.below(days))


def make_registrations(children: Iterable[Child], first: int, count: int) -> Iterator[Registration]:
    """Those with the numbers from ``first`` up to ``count``; ``children``, known elsewhere, are registered first."""
    ahead = enumerate(children)
    for number in range(count):
        # a twin has the family and the dates of the one before it
        drawn = _Draw(f"child {number - 1 if number % _TWINS == _TWINS - 1 else number}")
        unborn = _is_unborn(drawn, number)
        which, child = (None, None) if unborn else next(ahead, (None, None))
        if number >= first:
            child = child or _own_child(drawn, _Draw(f"given {number}"), unborn=unborn)
            yield _registration(number, which, child)


def _is_unborn(draw: _Draw, number: int) -> bool:
    return _FEW.index(number) >= _FEW_BORN if number in _FEW else draw.one_in(_UNBORN)


def _own_child(draw: _Draw, given: _Draw, *, unborn: bool) -> Child:
    family = draw.choice(FAMILY_NAMES)
    if draw.one_in(2):
        family += f"-{draw.choice(FAMILY_NAMES)}"
    if unborn:
        return Child(family, None, None, draw.day(LAST_DAY + timedelta(days=1), _EXPECTED_WITHIN))
    return Child(family, given.choice(GIVEN_NAMES), draw.day(LAST_DAY - timedelta(days=_OLDEST), _OLDEST), None)


def _registration(number: int, known: int | None, child: Child) -> Registration:
    draw = _Draw(f"registration {number}")
    registered_on = draw.day(FIRST_DAY, _FEW_WITHIN if number in _FEW else (LAST_DAY - FIRST_DAY).days)
    desired_on = registered_on + timedelta(days=_SOONEST + draw.below(_LATEST))
    region, held = "06" if draw.below(_TENTHS) < _MONTREAL else "03", NONE
    if draw.one_in(_HOLDS):
        held = draw.choice(HELD)
    if number in _FEW:
        place = _FEW.index(number)
        region, held = "13", NONE if place < _FEW_WITHOUT else HELD[0]
        desired_on = registered_on if place < _FEW_WANTED else LAST_DAY + timedelta(days=_LATEST)
    parents = _parents(number, child)
    return Registration(number, known, child, parents, region, registered_on, desired_on, draw.choice(WANTED), held)


def _parents(number: int, child: Child) -> tuple[Parent, ...]:
    # of the child's family and day alone: twins have the same
    draw = _Draw(f"parents {child.family_name} {child.birth_date or child.expected_date}")
    first = Parent(child.family_name.partition("-")[0], draw.choice(GIVEN_NAMES), _phone(draw))
    if number in _NAMESAKES:
        return (Parent(*PUBLIC_FIGURE, _phone(draw)),)
    if draw.one_in(_ALONE):
        return (first,)
    return first, Parent(draw.choice(FAMILY_NAMES), draw.choice(GIVEN_NAMES), _phone(draw))


def _phone(draw: _Draw) -> str:
    """One of the numbers that nobody is given: the exchange 555."""
    return f"{draw.choice(_AREAS)}-555-{draw.below(_LINES):04}"
