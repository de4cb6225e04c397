"""Synthetic births: Québec-like names with accents and hyphens, twins, homonyms; the same seed, the same registry.

Nobody in it exists. NIRECs are 13 digits drawn from the seed, in no order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from adapters.civil_registry.sandbox.storage import Register, write_births
from adapters.sandboxing.names import FAMILY_NAMES, GIVEN_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COUNT = 10_000
SEED = b"passerelle sandbox civil registry 1"

_FIRST_DAY = date(2019, 1, 1)
_DAYS = 7 * 365
_SMALLEST, _NUMBERS = 10**12, 9 * 10**12
#: One birth in so many has a twin, a homonym, a family name or a given name of two parts.
_TWINS, _HOMONYMS, _DOUBLE_FAMILY, _DOUBLE_GIVEN = 40, 50, 4, 3


@dataclass(frozen=True, slots=True)
class Birth:
    """One act of the registry; ``birth_date`` is YYYY-MM-DD."""

    nirec: str = field(repr=False)
    family_name: str = field(repr=False)
    given_names: str = field(repr=False)
    birth_date: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Examples:
    """Births to show: what each is for, as its outcome when sent as it stands.

    Attributes:
        confirmed: stands in the registry, with accents.
        wrong_name: a number and a date of the registry under another family name: not confirmed.
        unknown: a number that the registry does not have: not found.
        namesakes: two of the same full name, with other dates and numbers.
        twins: two of the same family name and date.
    """

    confirmed: Birth
    wrong_name: Birth
    unknown: Birth
    namesakes: tuple[Birth, Birth]
    twins: tuple[Birth, Birth]


class _Draw:
    """Numbers drawn from a seed: SHA-256 of seed and counter, 64 bits each."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._counter = 0

    def below(self, bound: int) -> int:
        self._counter += 1
        block = sha256(self._seed + self._counter.to_bytes(8)).digest()
        return int.from_bytes(block[:8]) % bound

    def one_in(self, many: int) -> bool:
        return self.below(many) == 0

    def choice(self, values: Sequence[str]) -> str:
        return values[self.below(len(values))]


def make_births(count: int = COUNT, seed: bytes = SEED) -> list[Birth]:
    """``count`` births, in the order of their making."""
    draw = _Draw(seed)
    births: list[Birth] = []
    taken: set[str] = set()

    def add(family: str, given: str, day: str) -> None:
        nirec = _number(draw, taken)
        births.append(Birth(nirec, family, given, day))

    while len(births) < count:
        family, given, day = _family(draw), _given(draw), _day(draw)
        add(family, given, day)
        if draw.one_in(_TWINS) and len(births) < count:
            add(family, _other(draw, given), day)
        elif draw.one_in(_HOMONYMS) and len(births) < count:
            add(family, given, _day(draw))
    return births


def create_births(path: Path, count: int = COUNT, seed: bytes = SEED) -> None:
    """Makes the registry's database at ``path``, anew; raises FileExistsError rather than touch one."""
    births = make_births(count, seed)
    rows = [(birth.nirec, birth.family_name, birth.given_names, birth.birth_date) for birth in births]
    write_births(path, rows)


def examples(path: Path) -> Examples:
    """Births of this registry to show; the same for the same database. Raises LookupError for one too small."""
    with Register(path) as register:
        namesakes = tuple(Birth(*row) for row in register.namesakes())
        twins = tuple(Birth(*row) for row in register.twins())
        confirmed = Birth(*register.accented())
        other = next(name for name in FAMILY_NAMES if name not in confirmed.family_name)
        number = next(
            candidate
            for step in range(1, COUNT * COUNT)
            if register.find(candidate := str(_SMALLEST + (int(confirmed.nirec) + step * 7) % _NUMBERS)) is None
        )
    return Examples(
        confirmed=confirmed,
        wrong_name=Birth(confirmed.nirec, other, confirmed.given_names, confirmed.birth_date),
        unknown=Birth(number, confirmed.family_name, confirmed.given_names, confirmed.birth_date),
        namesakes=(namesakes[0], namesakes[1]),
        twins=(twins[0], twins[1]),
    )


def all_births(path: Path) -> list[Birth]:
    """Every birth of this registry, those to show first; the same for the same database. Raises LookupError."""
    shown = examples(path)
    with Register(path) as register:
        others = [Birth(*row) for row in register.all()]
    return list(dict.fromkeys([shown.confirmed, *shown.twins, *shown.namesakes, *others]))


def _number(draw: _Draw, taken: set[str]) -> str:
    while (number := str(_SMALLEST + draw.below(_NUMBERS))) in taken:
        pass
    taken.add(number)
    return number


def _family(draw: _Draw) -> str:
    first = draw.choice(FAMILY_NAMES)
    return f"{first}-{_other_of(draw, FAMILY_NAMES, first)}" if draw.one_in(_DOUBLE_FAMILY) else first


def _given(draw: _Draw) -> str:
    first = draw.choice(GIVEN_NAMES)
    if not draw.one_in(_DOUBLE_GIVEN):
        return first
    joint = "-" if "-" not in first and draw.one_in(2) else " "
    return f"{first}{joint}{_other_of(draw, GIVEN_NAMES, first)}"


def _other(draw: _Draw, given: str) -> str:
    return _other_of(draw, GIVEN_NAMES, given)


def _other_of(draw: _Draw, values: Sequence[str], first: str) -> str:
    while (other := draw.choice(values)) == first:
        pass
    return other


def _day(draw: _Draw) -> str:
    return (_FIRST_DAY + timedelta(days=draw.below(_DAYS))).isoformat()
