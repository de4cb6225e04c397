"""The sandbox registry's own database, SQLite or PostgreSQL: registrations by the cooperative's handles, never a NIREC.

Nothing of a registration is overwritten: each version of it is a row, in force from ``since`` (included) until
``until`` (not included; NULL for the one in force), so that what stood at a past instant can be counted again. Names
are kept twice: as they are written, and as they are looked up, so that an accent more or less finds them.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, inspect, text

from adapters.cooperative.sandbox.counts_storage import read_cells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy import Connection, Engine

    from adapters.cooperative.sandbox.counts_storage import Cell
    from adapters.cooperative.sandbox.registrations import Registration

_SCHEMA = (
    """
    CREATE TABLE registrations (
        number INTEGER NOT NULL, version INTEGER NOT NULL, since TEXT NOT NULL, until TEXT, handle TEXT NOT NULL,
        family_name TEXT NOT NULL, family_key TEXT NOT NULL, given_names TEXT, given_key TEXT, birth_date TEXT,
        expected_date TEXT, region TEXT NOT NULL, registered_on TEXT NOT NULL, registered_day INTEGER NOT NULL,
        desired_on TEXT NOT NULL, wanted TEXT NOT NULL, held TEXT NOT NULL, PRIMARY KEY (number, version)
    )
    """,
    """
    CREATE TABLE parents (
        number INTEGER NOT NULL, version INTEGER NOT NULL, place INTEGER NOT NULL, family_name TEXT NOT NULL,
        family_key TEXT NOT NULL, given_names TEXT NOT NULL, given_key TEXT NOT NULL, phone TEXT NOT NULL,
        PRIMARY KEY (number, version, place)
    )
    """,
    "CREATE TABLE effects (key TEXT PRIMARY KEY, request TEXT NOT NULL, answer TEXT NOT NULL, at TEXT NOT NULL)",
    "CREATE UNIQUE INDEX registrations_in_force ON registrations (handle) WHERE until IS NULL",
    "CREATE INDEX registrations_by_name ON registrations (family_key, given_key)",
    "CREATE INDEX registrations_by_birth ON registrations (birth_date)",
    "CREATE INDEX parents_by_name ON parents (family_key, given_key)",
    "CREATE INDEX parents_by_phone ON parents (phone)",
)
_ADD = """
INSERT INTO registrations VALUES (:number, :version, :since, :until, :handle, :family_name, :family_key, :given_names,
:given_key, :birth_date, :expected_date, :region, :registered_on, :registered_day, :desired_on, :wanted, :held)
"""
_ADD_PARENT = """
INSERT INTO parents VALUES (:number, :version, :place, :family_name, :family_key, :given_names, :given_key, :phone)
"""
_COUNT = "SELECT COUNT(*) FROM registrations WHERE until IS NULL"
_HANDLES = "SELECT handle FROM registrations WHERE until IS NULL ORDER BY number"
_MADE = "SELECT COALESCE(MAX(number) + 1, 0) FROM registrations WHERE number < :first"
_COUNTED = """
SELECT region, COUNT(*), SUM(CASE WHEN birth_date <= :day THEN 1 ELSE 0 END),
SUM(CASE WHEN desired_on <= :day THEN 1 ELSE 0 END), SUM(CASE WHEN held = 'none' THEN 1 ELSE 0 END),
SUM(:ordinal - registered_day)
FROM registrations WHERE since <= :instant AND (until IS NULL OR until > :instant) GROUP BY region ORDER BY region
"""
_BY_HANDLE = "SELECT * FROM registrations WHERE handle = :handle AND until IS NULL"
_PARENTS = """
SELECT family_name, given_names, phone FROM parents WHERE number = :number AND version = :version ORDER BY place
"""
_NEXT = "SELECT COALESCE(MAX(number) + 1, :first) FROM registrations WHERE number >= :first"
_CLOSE = "UPDATE registrations SET until = :until WHERE number = :number AND version = :version"
_EFFECT = "SELECT request, answer FROM effects WHERE key = :key"
_KEEP_EFFECT = "INSERT INTO effects VALUES (:key, :request, :answer, :at)"
#: A criterion of a search, and what holds of a registration that meets it; a parent's are met by one and the same.
_OF_CHILD = {
    "family_name": "r.family_key = :family_name",
    "given_names": "r.given_key = :given_names",
    "birth_date": "r.birth_date = :birth_date",
    "region": "r.region = :region",
}
_OF_PARENT = {
    "parent_family_name": "p.family_key = :parent_family_name",
    "parent_given_names": "p.given_key = :parent_given_names",
    "phone": "p.phone = :phone",
}
_BY_KEY = frozenset({"family_name", "given_names", "parent_family_name", "parent_given_names"})
_BATCH = 5000
#: Registrations of this number or above were entered by somebody; those below are synthetic.
ENTERED = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Counted:
    """The registrations of a region on a day, by each definition, and the days that they waited, added up."""

    region: str
    everybody: int
    born: int
    wanted_by_now: int
    without_place: int
    days: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A registration as it is kept: its columns by name, and its parents'."""

    row: Mapping[str, Any] = field(repr=False)
    parents: Sequence[Mapping[str, Any]] = field(repr=False)


class Registry:
    """The database; used by all threads. ``url`` is ``sqlite:///PATH`` or PostgreSQL's own ``postgresql://...``."""

    def __init__(self, url: str) -> None:
        self._path = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
        self._engine: Engine = create_engine(
            url if self._path else "postgresql+psycopg://", creator=_connecting(url, self._path), hide_parameters=True
        )

    def exists(self) -> bool:
        """Whether its tables were made."""
        return (self._path is None or self._path.exists()) and inspect(self._engine).has_table("registrations")

    def create(self) -> None:
        """Makes the tables; raises FileExistsError rather than touch a file."""
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch(mode=0o600, exist_ok=False)
        with self._engine.begin() as connection:
            for statement in _SCHEMA:
                connection.execute(text(statement))

    def add(self, registrations: Iterable[tuple[str, Registration]]) -> None:
        """Registrations, each with its handle and in force since the beginning of its day, in one transaction."""
        rows = iter(registrations)
        with self._engine.begin() as connection:
            while batch := list(islice(rows, _BATCH)):
                connection.execute(text(_ADD), [_row(handle, one) for handle, one in batch])
                connection.execute(text(_ADD_PARENT), [row for _, one in batch for row in _parent_rows(one)])

    def count(self) -> int:
        """How many are in force."""
        with self._engine.connect() as connection:
            return int(connection.execute(text(_COUNT)).scalar_one())

    def made(self) -> int:
        """How many synthetic ones were ever added: the number of the next one."""
        with self._engine.connect() as connection:
            return int(connection.execute(text(_MADE), {"first": ENTERED}).scalar_one())

    def handles(self) -> list[str]:
        """The handles of all registrations in force, in the order of their numbers."""
        with self._engine.connect() as connection:
            return list(connection.execute(text(_HANDLES)).scalars())

    def counted(self, day: date) -> list[Counted]:
        """What is counted at the end of a day, by region."""
        with self._engine.connect() as connection:
            asked = {"day": day.isoformat(), "ordinal": day.toordinal(), "instant": end_of(day)}
            found = connection.execute(text(_COUNTED), asked)
            return [Counted(*row) for row in found]

    def cells(self, day: date) -> list[Cell]:
        """What was in force at the end of a day, counted in cells (counts_storage)."""
        with self._engine.connect() as connection:
            return read_cells(connection, day, end_of(day))

    def by_handle(self, handle: str) -> Kept | None:
        """The registration in force of the child that the cooperative knows by this handle."""
        with self._engine.connect() as connection:
            return _in_force(connection, handle)

    def search(self, criteria: Mapping[str, str], most: int) -> list[Mapping[str, Any]]:
        """The columns of those that meet every criterion, up to so many, in the order of their numbers.

        Raises LookupError where there is no criterion that it knows.
        """
        of_parent = [said for name, said in _OF_PARENT.items() if name in criteria]
        of_child = [said for name, said in _OF_CHILD.items() if name in criteria]
        if of_parent:
            theirs = " AND ".join(["p.number = r.number", "p.version = r.version", *of_parent])
            of_child.append(f"EXISTS (SELECT 1 FROM parents p WHERE {theirs})")  # noqa: S608  our own constants only
        if not of_child:
            raise LookupError("a search without a criterion would be a listing")
        conditions = ["r.until IS NULL", *of_child]
        values = {name: key_of(value) if name in _BY_KEY else value for name, value in criteria.items()}
        query = f"SELECT r.* FROM registrations r WHERE {' AND '.join(conditions)} ORDER BY r.number LIMIT :most"  # noqa: S608  the same
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(query), {**values, "most": most}).mappings()]

    @contextmanager
    def writing(self, at: datetime) -> Iterator[Writing]:
        """A transaction in which registrations are changed at one instant; rolled back when the block raises."""
        with self._engine.begin() as connection:
            yield Writing(connection, at)

    def dispose(self) -> None:
        """Closes every connection."""
        self._engine.dispose()


@dataclass(frozen=True, slots=True)
class Effect:
    """What was done under a key: the digest of what was asked, and the answer as JSON."""

    request: str
    answer: str = field(repr=False)


class Writing:
    """One transaction over the registry: closes versions and adds others, all of them at the instant ``at``."""

    def __init__(self, connection: Connection, at: datetime) -> None:
        self._connection = connection
        self.at = at

    def in_force(self, handle: str) -> Kept | None:
        """The registration in force under a handle, as this transaction sees it."""
        return _in_force(self._connection, handle)

    def enter(self, columns: Mapping[str, Any], parents: Sequence[Mapping[str, str]]) -> None:
        """A registration that was not there, under the next number."""
        number = self._connection.execute(text(_NEXT), {"first": ENTERED}).scalar_one()
        empty = dict.fromkeys(("given_names", "birth_date", "expected_date"))
        self._write({**empty, **columns, "number": number, "version": 0}, parents)

    def close(self, kept: Kept) -> None:
        """This version is in force no more."""
        named = {name: kept.row[name] for name in ("number", "version")}
        self._connection.execute(text(_CLOSE), {**named, "until": instant_text(self.at)})

    def supersede(self, kept: Kept, columns: Mapping[str, Any], parents: Sequence[Mapping[str, str]]) -> None:
        """The version after one that was closed, other in these columns."""
        self._write({**kept.row, **columns, "version": kept.row["version"] + 1}, parents)

    def effect(self, key: str) -> Effect | None:
        """What was done under this key."""
        row = self._connection.execute(text(_EFFECT), {"key": key}).one_or_none()
        return None if row is None else Effect(*row)

    def keep_effect(self, key: str, request: str, answer: str) -> None:
        """From now on this key stands for this."""
        values = {"key": key, "request": request, "answer": answer, "at": instant_text(self.at)}
        self._connection.execute(text(_KEEP_EFFECT), values)

    def _write(self, columns: Mapping[str, Any], parents: Sequence[Mapping[str, str]]) -> None:
        row = {**columns, **_keys(columns), "since": instant_text(self.at), "until": None}
        self._connection.execute(text(_ADD), row)
        named = {name: row[name] for name in ("number", "version")}
        rows = [{**named, "place": place, **one, **_keys(one)} for place, one in enumerate(parents)]
        self._connection.execute(text(_ADD_PARENT), rows)


def _keys(named: Mapping[str, Any]) -> dict[str, str | None]:
    """Both names as they are looked up."""
    given = named["given_names"]
    return {"family_key": key_of(named["family_name"]), "given_key": None if given is None else key_of(given)}


def _connecting(url: str, path: Path | None) -> Callable[[], Any]:
    """How a connection is made: libpq reads its own addresses, sockets and several hosts among them."""
    if path is None:
        import psycopg  # noqa: PLC0415  an extra

        return lambda: psycopg.connect(url)

    def unhurried() -> sqlite3.Connection:
        # kept in a pool, from thread to thread; synthetic registrations need not outlive a power failure
        connection = sqlite3.connect(path, check_same_thread=False)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    return unhurried


@lru_cache(maxsize=20_000)
def key_of(name: str) -> str:
    """How a name is looked up: small letters, without accents, hyphens and spaces alike."""
    plain = unicodedata.normalize("NFD", name.casefold())
    return " ".join("".join(" " if one == "-" else one for one in plain if not unicodedata.combining(one)).split())


def instant_text(at: datetime) -> str:
    """An instant as it is kept: UTC, RFC 3339 with microseconds, so that texts sort as instants do."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def end_of(day: date) -> str:
    """The last instant of a day, in UTC, as it is kept."""
    return f"{day.isoformat()}T23:59:59.999999Z"


def _in_force(connection: Connection, handle: str) -> Kept | None:
    row = connection.execute(text(_BY_HANDLE), {"handle": handle}).mappings().one_or_none()
    if row is None:
        return None
    parents = connection.execute(text(_PARENTS), {"number": row["number"], "version": row["version"]}).mappings()
    return Kept(dict(row), [dict(one) for one in parents])


def _row(handle: str, one: Registration) -> dict[str, object]:
    child = one.child
    return {
        "number": one.number,
        "version": 0,
        "since": f"{one.registered_on.isoformat()}T00:00:00.000000Z",
        "until": None,
        "handle": handle,
        "family_name": child.family_name,
        "family_key": key_of(child.family_name),
        "given_names": child.given_names,
        "given_key": None if child.given_names is None else key_of(child.given_names),
        "birth_date": None if child.birth_date is None else child.birth_date.isoformat(),
        "expected_date": None if child.expected_date is None else child.expected_date.isoformat(),
        "region": one.region,
        "registered_on": one.registered_on.isoformat(),
        "registered_day": one.registered_on.toordinal(),
        "desired_on": one.desired_on.isoformat(),
        "wanted": one.wanted,
        "held": one.held,
    }


def _parent_rows(one: Registration) -> list[dict[str, object]]:
    return [
        {
            "number": one.number,
            "version": 0,
            "place": place,
            "family_name": parent.family_name,
            "family_key": key_of(parent.family_name),
            "given_names": parent.given_names,
            "given_key": key_of(parent.given_names),
            "phone": parent.phone,
        }
        for place, parent in enumerate(one.parents)
    ]
