"""What a set-up's settings lead to: its database, its log's public key, its policy and who leads its log.

What lives here: where things are, for whoever commands them. What may not: anything that runs.
"""

from __future__ import annotations

import errno
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import ConfigurationError, LedgerError
from gateway.ledger.beginning import open_policy_log
from gateway.ledger.note import LogKey
from gateway.ledger.policy_published import PublishedActs
from gateway.ledger.sequencer import is_led
from gateway.ledger.storage import lives
from gateway.storage import is_postgresql

if TYPE_CHECKING:
    from gateway.ledger.locks import Lives
    from gateway.ledger.policy_acts import By, PolicyLog
    from gateway.ports import Clock, Randomness
    from gateway.settings import Settings

DATABASE = "passerelle.sqlite"


def contracts_folder() -> Path:
    """Where the contracts stand, in a checkout and in an installed wheel."""
    return Path(str(files("contracts")))


def notices_folder(party: str) -> Path:
    """Where it stands how a party of a development set-up takes notices: a folder like any other system's (C2)."""
    return contracts_folder() / "foreign" / f"{party}_notices"


def check_there(settings: Settings) -> None:
    """Raises ConfigurationError where there is no database."""
    # SQLite would make an empty one
    path = settings.folders.db / DATABASE
    if not is_postgresql(database_url(settings)) and not path.is_file():
        raise ConfigurationError("file_unreadable", path=path, detail=os.strerror(errno.ENOENT))


def database_url(settings: Settings) -> str:
    """The database's URL: a server's where one is set, and otherwise the embedded default."""
    return settings.storage.database or f"sqlite:///{settings.folders.db / DATABASE}"


def policy_log(settings: Settings, clock: Clock, randomness: Randomness, by: By = "command") -> PolicyLog:
    """The acts about the policy, for a command; raises ConfigurationError where there is no database."""
    check_there(settings)
    return open_policy_log(
        database_url(settings),
        published=PublishedActs(settings.folders.log, log_key(settings)),
        by=by,
        locks=lives_of(settings),
        clock=clock,
        randomness=randomness,
    )


def log_key(settings: Settings) -> LogKey:
    """The log's public key and origin; raises ConfigurationError."""
    path = settings.folders.keys / "log.vkey"
    try:
        return LogKey.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None
    except LedgerError as error:
        raise ConfigurationError("key_malformed", path=path, detail=error) from None


def lives_of(settings: Settings) -> Lives:
    """The locks by which writers and leaders are known to live."""
    return lives(database_url(settings), settings.folders.db / "writers")


def is_sequenced(settings: Settings) -> bool:
    """Whether a sequencer runs here, so that what is recorded is published."""
    return is_led(lives_of(settings))


def write_copy(settings: Settings, content: bytes) -> None:
    """Puts the policy in force where people read it; raises OSError."""
    path = settings.folders.policy
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content)
    temporary.replace(path)


def read_policy(path: Path) -> bytes:
    """The bytes of a bundle in a file; raises ConfigurationError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None
