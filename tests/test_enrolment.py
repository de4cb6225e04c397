"""Files that were there before the gateway: each registration's child has a subject, the cooperative its handle."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from adapters.civil_registry.sandbox.births import all_births
from adapters.cooperative.sandbox.registrations import make_registrations
from adapters.cooperative.sandbox.storage import Registry
from gateway.composition import Composition
from gateway.development import Development, Ports
from gateway.errors import ConfigurationError, Refusal
from gateway.keys.names import handle_key, nirec_key
from gateway.model import Nirec, SubjectRequest
from gateway.nirec.pseudonyms import PseudonymChain
from gateway.nirec.storage import DatabaseSubjects
from gateway.nirec.subjects import SubjectDirectory
from gateway.sandboxes import fill_registrations
from gateway.settings import Settings, load_settings
from gateway.storage import Database, make_change, open_database
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLOCK, RANDOMNESS = SystemClock(), SystemRandomness()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("enrolled")
    Development(folder, Ports(), CLOCK, RANDOMNESS).create(births=300, registrations=30)
    return load_settings(folder / "passerelle.toml", {})


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    opened = open_database(Composition(settings, CLOCK, RANDOMNESS).url, durable=True)
    yield opened
    opened.dispose()


@pytest.fixture
def directory(settings: Settings, database: Database) -> Iterator[SubjectDirectory]:
    with closing(Composition(settings, CLOCK, RANDOMNESS).keystore()) as keystore:
        store = DatabaseSubjects(database, CLOCK, RANDOMNESS)
        yield SubjectDirectory(store, PseudonymChain(keystore, nirec_key), keystore, handle_key(""))


def registry(settings: Settings) -> Registry:
    assert settings.sandbox_cooperative is not None
    return Registry(f"sqlite:///{settings.sandbox_cooperative.folder / 'registrations.sqlite'}")


def handles(settings: Settings, count: int) -> list[str]:
    """Of the first registrations, in order."""
    opened = registry(settings)
    found = opened.handles()
    opened.dispose()
    assert len(found) >= count
    return found[:count]


def test_the_registry_and_the_gateway_know_the_same_children(
    settings: Settings, directory: SubjectDirectory, database: Database
) -> None:
    known = handles(settings, 30)
    directory.check(known, "cooperative")
    with pytest.raises(Refusal):
        directory.check(known[:1], "ministry")
    assert settings.sandbox_civil_registry is not None
    births = all_births(settings.sandbox_civil_registry.folder / "births.sqlite")
    first = next(one for one in make_registrations([], 0, 30) if one.child.birth_date)
    asked = SubjectRequest("disclose", "cooperative", Nirec(births[0].nirec), (), None, gives_handle=True)
    # what the civil registry's first child is registered under is what the cooperative would be told of it
    assert directory.disclose(asked).subjects[0].handle == known[first.number]
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM subjects").scalar_one() >= 30


def test_more_are_added_and_a_child_that_is_known_is_no_second_one(
    settings: Settings, directory: SubjectDirectory, database: Database
) -> None:
    before = handles(settings, 30)
    assert settings.sandbox_civil_registry is not None
    births = all_births(settings.sandbox_civil_registry.folder / "births.sqlite")
    numbers = [one.number for one in make_registrations([], 0, 60) if one.child.birth_date]
    which = next(index for index, number in enumerate(numbers) if number >= 30)
    nirec = Nirec(births[which].nirec)
    told = directory.disclose(SubjectRequest("disclose", "ministry", nirec, (), None, gives_handle=True))
    [change] = told.changes
    with database.writing() as connection:
        make_change(connection, change)
    fill_registrations(settings, 60, CLOCK, RANDOMNESS)
    after = handles(settings, 60)
    assert after[:30] == before
    again = directory.disclose(SubjectRequest("disclose", "cooperative", nirec, (), None, gives_handle=True))
    assert again.subjects[0].handle == after[numbers[which]]
    assert again.subjects[0].ledger == told.subjects[0].ledger
    fill_registrations(settings, 10, CLOCK, RANDOMNESS)
    assert handles(settings, 60) == after


def test_no_nirec_stands_in_the_registry(settings: Settings) -> None:
    assert settings.sandbox_cooperative is not None
    assert settings.sandbox_civil_registry is not None
    content = (settings.sandbox_cooperative.folder / "registrations.sqlite").read_bytes()
    births = all_births(settings.sandbox_civil_registry.folder / "births.sqlite")
    assert births[0].family_name.encode() in content
    assert not [one for one in births if one.nirec.encode() in content]


def test_without_sandboxes_there_is_nothing_to_fill(settings: Settings) -> None:
    in_service = settings.model_copy(update={"sandbox_cooperative": None})
    with pytest.raises(ConfigurationError):
        fill_registrations(in_service, 1, CLOCK, RANDOMNESS)


def test_the_sandbox_s_way_to_its_own_file(tmp_path: Path) -> None:
    opened = Registry(f"sqlite:///{tmp_path / 'a folder' / 'r.sqlite'}")
    opened.create()
    assert (opened.handles(), opened.count()) == ([], 0)
    opened.dispose()
