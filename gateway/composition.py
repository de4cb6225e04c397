"""What stands before a process forks, and the sequencer, which needs no more: settings, contracts, policy, keys."""

from __future__ import annotations

import threading
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from contracts.loader import ContractError, load_contracts
from gateway.errors import ConfigurationError, LedgerError
from gateway.guard.claims import CLAIMS_KEY
from gateway.guard.storage import DatabaseClaims
from gateway.keys.files import FileKeystore, check_private
from gateway.keys.make import handle_key, nirec_key
from gateway.ledger.beginning import adopt_policy, begin_log, policy_in_force
from gateway.ledger.note import LOG_KEY, LogKey
from gateway.ledger.publish import Publisher
from gateway.ledger.sequencer import Sequencer
from gateway.ledger.storage import Log, Lookup, Records
from gateway.ledger.writer import Writer
from gateway.nirec.subjects import LEDGER_KEY
from gateway.policy.agreements import check_agreements
from gateway.policy.bundle import read_bundle, version_and_previous
from gateway.signing.answer import SIGNING_KEY
from gateway.signing.receipt import RECEIPT_KEY
from gateway.storage import Database

if TYPE_CHECKING:
    from threading import Event

    from gateway.ports import Clock, Randomness
    from gateway.settings import Settings

DATABASE = "passerelle.sqlite"
_EXPIRE_SECONDS = 600


def contracts_folder() -> Path:
    """Where the contracts stand, in a checkout and in an installed wheel."""
    return Path(str(files("contracts")))


class Composition:
    """All that stands before a process forks: settings, contracts, policy; and the sequencer, which needs no more."""

    def __init__(self, settings: Settings, clock: Clock, randomness: Randomness) -> None:
        """Raises ConfigurationError for a policy, contract or file that cannot be used."""
        self.settings = settings
        self.clock = clock
        self.randomness = randomness
        try:
            self._policy = settings.folders.policy.read_bytes()
            self.contracts = load_contracts(contracts_folder())
        except OSError as error:
            raise ConfigurationError("file_unreadable", path=error.filename, detail=error.strerror) from None
        except ContractError as error:
            raise ConfigurationError("contract_invalid", detail=error) from None
        self.bundle, self.policy_sha256 = read_bundle(self._policy)
        check_agreements(self.bundle, self.contracts)
        self.url = database_url(settings)
        self.locks = settings.folders.db / "writers"

    def objects(self) -> dict[str, bytes]:
        """What evidence names that is no certificate: the policy and the contracts, by hex SHA-256."""
        return {self.policy_sha256: self._policy} | {item.sha256: item.source for item in self.contracts}

    def log_key(self) -> LogKey:
        """The log's public key and origin; raises ConfigurationError."""
        path = self.settings.folders.keys / "log.vkey"
        try:
            return LogKey.parse(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None
        except LedgerError as error:
            raise ConfigurationError("key_malformed", path=path, detail=error) from None

    def prepare(self) -> None:
        """Before the processes start: the keys can be used, the schema is there, a new policy has its leaf (P1)."""
        self.check_keys()
        adopt_policy(
            self.url,
            policy=self._policy,
            version_of=version_and_previous,
            objects=self.objects(),
            locks=self.locks,
            clock=self.clock,
            randomness=self.randomness,
        )
        database = Database(self.url, durable=False)
        try:
            # Once, before anybody can call: what of a run before this one may have been lost (L4).
            DatabaseClaims(database, self.clock)
        finally:
            database.dispose()

    def check_adopted(self) -> None:
        """Raises ConfigurationError unless the policy here is the one that the log says is in force (P1)."""
        if policy_in_force(self.url) != self.policy_sha256:
            raise ConfigurationError("policy_not_adopted", path=self.settings.folders.policy)

    def backlog(self) -> int:
        """How many records wait for the sequencer."""
        database = Database(self.url, durable=False)
        try:
            return Lookup(database).waiting()
        finally:
            database.dispose()

    def check_keys(self) -> None:
        """Raises KeystoreError or ConfigurationError unless every key is there, ours alone, and of its form.

        Of the log's key nothing is loaded, here or in a worker: only the sequencer can sign with it (S5).
        """
        self.keystore()
        for name in ("tls-server", "tls-client", LOG_KEY):
            check_private(self.settings.folders.keys / f"{name}.key")
        self.log_key()

    def keystore(self) -> FileKeystore:
        """A worker's keys: all but the log's (S5); raises KeystoreError."""
        macs = [CLAIMS_KEY, LEDGER_KEY]
        macs += [nirec_key(generation) for generation in range(self.settings.nirec.generations)]
        macs += [handle_key(party) for party in self.bundle.parties]
        return FileKeystore(self.settings.folders.keys, signing=[SIGNING_KEY, RECEIPT_KEY], macs=macs)

    def sequence(self, stop: Event) -> None:
        """Runs the sequencer until ``stop`` is set; it alone can sign checkpoints (S5)."""
        database = Database(self.url, durable=True)
        folder = self.settings.folders.log
        records = Records(database, self.objects().__getitem__)
        writer = Writer(records, role="sequencer", locks=self.locks, randomness=self.randomness, period_key=None)
        sequencer = Sequencer(
            log=Log(database),
            publisher=Publisher(folder, folder.with_name(f"{folder.name}.tmp")),
            writer=writer,
            key=self.log_key(),
            keystore=FileKeystore(self.settings.folders.keys, signing=[LOG_KEY]),
            clock=self.clock,
            randomness=self.randomness,
            locks=self.locks,
            alarm=lambda error: structlog.get_logger("sequencer").error("sequencing_fails", exc_info=error),
        )
        relaxed = Database(self.url, durable=False)
        claims = DatabaseClaims(relaxed, self.clock)
        threading.Thread(target=_expire, args=(claims, stop), name="expire", daemon=True).start()
        try:
            sequencer.run(stop, poll_seconds=self.settings.ledger.poll_milliseconds / 1000)
        finally:
            relaxed.dispose()
            database.dispose()


def _expire(claims: DatabaseClaims, stop: Event) -> None:
    """Forgets old claims from time to time; a failure is tried again, and stops nothing."""
    while not stop.wait(_EXPIRE_SECONDS):
        with suppress(Exception):
            claims.expire()


def database_url(settings: Settings) -> str:
    """The database's URL: the embedded default."""
    return f"sqlite:///{settings.folders.db / DATABASE}"


def begin(settings: Settings, clock: Clock, randomness: Randomness) -> str:
    """Makes the database and the genesis leaf; gives the policy's hex SHA-256; raises LedgerError if there is one."""
    settings.folders.db.mkdir(parents=True, exist_ok=True, mode=0o700)
    base = Composition(settings, clock, randomness)
    return begin_log(
        base.url,
        key=base.log_key(),
        policy=settings.folders.policy.read_bytes(),
        objects=base.objects(),
        locks=base.locks,
        clock=clock,
        randomness=randomness,
    )
