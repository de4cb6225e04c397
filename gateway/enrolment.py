"""Files that were there before the gateway: each child gets its subject, and the party its handle (N2, N3).

What lives here: how many are made at once, durably. What may not: where the files come from.
"""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

from gateway.change import Change
from gateway.composition import Composition
from gateway.errors import Code
from gateway.keys.names import handle_key, nirec_key
from gateway.model import Nirec
from gateway.nirec.pseudonyms import PseudonymChain
from gateway.nirec.storage import DatabaseSubjects
from gateway.nirec.subjects import SubjectDirectory
from gateway.storage import make_change, open_database

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.ports import Clock, Randomness
    from gateway.settings import Settings

_BATCH = 1000


def enrol(
    settings: Settings, party: str, nirecs: Iterable[str | None], clock: Clock, randomness: Randomness
) -> list[str]:
    """The party's handle for each child, in order; None stands for one without a NIREC, who is then a new one.

    A transaction for each few thousand: whoever is stopped between two has made children that nobody names.
    Raises KeystoreError, StorageUnavailableError.
    """
    composition = Composition(settings, clock, randomness)
    handles: list[str] = []
    database = open_database(composition.url, durable=True)
    try:
        with closing(composition.keystore()) as keystore:
            store = DatabaseSubjects(database, clock, randomness)
            directory = SubjectDirectory(store, PseudonymChain(keystore, nirec_key), keystore, handle_key(""))
            ahead = iter(nirecs)
            while batch := list(islice(ahead, _BATCH)):
                made = [directory.enrolled(None if nirec is None else Nirec(nirec), party) for nirec in batch]
                with database.writing(alone=True) as connection:
                    for _, statements in made:
                        make_change(connection, Change(statements, Code.SUBJECTS_CHANGED))
                handles += [handle for handle, _ in made]
    finally:
        database.dispose()
    return handles
