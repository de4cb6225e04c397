"""What stands before a process forks, and the sequencer, which needs no more: settings, contracts, policy, keys."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING

import structlog

from gateway.addressees import check_leases
from gateway.delivery.sealing import OUTBOX_KEY
from gateway.delivery.storage import Outbox
from gateway.errors import KeystoreError, NotRecordedError, StorageUnavailableError
from gateway.family.storage import DatabaseNotes
from gateway.guard.claims import CLAIMS_KEY
from gateway.guard.storage import DatabaseClaims
from gateway.in_force import FILE_DIFFERS, Attempt, Follower
from gateway.keys.files import check_private
from gateway.keys.generations import Generations
from gateway.keys.make import handle_key, nirec_key
from gateway.keys.remote import BlockingChannel, RemoteKeystore
from gateway.keys.service import DISPATCHER, SEQUENCER, SOCKET, WORKERS, KeyService, Supervised
from gateway.keys.stores import TLS, Keys
from gateway.known_contracts import known_contracts
from gateway.ledger.beginning import begin_log
from gateway.ledger.note import LOG_KEY, LogKey
from gateway.ledger.policy_published import PublishedActs
from gateway.ledger.publish import Publisher
from gateway.ledger.recover import check_not_behind
from gateway.ledger.sequencer import Sequencer
from gateway.ledger.storage import Log, Lookup, PolicyRows, Records, lives
from gateway.ledger.writer import Writer
from gateway.nirec.pseudonyms import PseudonymChain
from gateway.nirec.storage import DatabaseSubjects
from gateway.nirec.subjects import FAMILY_KEY, HANDLES_KEY, LEDGER_KEY, check_generations
from gateway.outside import Outside
from gateway.places import check_there, contracts_folder, database_url, log_key, policy_log, read_policy
from gateway.policy.agreements import check_agreements, check_budgets
from gateway.policy.bundle import read_bundle
from gateway.signing.answer import SIGNING_KEY
from gateway.signing.receipt import RECEIPT_KEY
from gateway.storage import check_server, migrate, open_database
from gateway.upkeep import kept_up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.keys.make import KeyMaker
    from gateway.keys.stores import OpenKeystore
    from gateway.policy.bundle import Bundle
    from gateway.ports import Clock, Keystore, Randomness, Stop
    from gateway.settings import Settings
    from gateway.storage import Database

_TOKEN_SECONDS = 1.0


class Composition:
    """All that stands before a process forks: settings, contracts, policy; and the sequencer, which needs no more."""

    def __init__(self, settings: Settings, clock: Clock, randomness: Randomness) -> None:
        """Raises ConfigurationError for a contract or file that cannot be used; of the policy, see ``follower``."""
        self.settings = settings
        self.clock = clock
        self.randomness = randomness
        folders = (one.folder for one in settings.upstreams.values())
        self.contracts = known_contracts(contracts_folder(), [folder for folder in folders if folder is not None])
        check_leases(self.contracts, settings)
        self.url = database_url(settings)
        self.locks = lives(self.url, settings.folders.db / "writers")
        self.keys = Keys(settings.folders.keys, settings.keystore, clock, randomness)
        self.generations = Generations(settings.folders.keys, clock)
        self._follower: Follower | None = None

    @property
    def follower(self) -> Follower:
        """The policy in force, found in the log; it holds no connection, so a process follows it over its own (P1).

        Raises ConfigurationError, LedgerError or StorageUnavailableError at its first use, where none can be found.
        """
        if self._follower is None:
            folder, key = self.settings.folders.log, self.log_key()
            follower = Follower(PublishedActs(folder, key), self.clock)
            with self._database() as database:
                check_not_behind(folder, key, lambda: Log(database).state().size)
                follower.begin(PolicyRows(database))
            check_agreements(follower.current.bundle, self.contracts)
            self._follower = follower
        return self._follower

    @property
    def bundle(self) -> Bundle:
        """The policy in force, as far as this process knows; raises as ``follower`` does."""
        return self.follower.current.bundle

    @property
    def policy_sha256(self) -> str:
        """Its hex SHA-256."""
        return self.follower.current.sha256

    def make_ready(self, bundle: Bundle) -> None:
        """Before a bundle is activated: it fits the contracts, and each party has the key of its handles (N3).

        Raises ConfigurationError or KeystoreError.
        """
        check_agreements(bundle, self.contracts)
        check_budgets(bundle, self.contracts)
        maker = self.key_maker()
        try:
            for name in (handle_key(party) for party in bundle.parties):
                if not maker.has(name):
                    maker.make_mac(name)
        finally:
            maker.close()

    def objects(self) -> dict[str, bytes]:
        """What evidence names that is no certificate: the policy and the contracts, by hex SHA-256."""
        with self._database() as database:
            policy = self.follower.content(PolicyRows(database))
        return {self.policy_sha256: policy} | {item.sha256: item.source for item in self.contracts}

    def log_key(self) -> LogKey:
        """The log's public key and origin; raises ConfigurationError."""
        return log_key(self.settings)

    def prepare(self) -> None:
        """Before the processes start: the keys can be used, the schema is there, what was tried is recorded (P1)."""
        self._check_database()
        migrate(self.url)
        if not self.bundle.development:
            check_server(self.url, standbys=self.settings.storage.synchronous_standbys)
        self._key_of_handles()
        if not self.settings.keystore.process:
            self.check_keys()
        self._compare_copy()
        self._record_attempts()
        database = open_database(self.url, durable=True)
        try:
            # Once, before anybody can call, and durably: what of a run before this one may have been lost (L4).
            DatabaseClaims(database, self.clock)
            if not self.settings.keystore.process:
                self._check_generations(database)
        finally:
            database.dispose()

    def _key_of_handles(self) -> None:
        """A set-up made before handles, or families' notes, were looked up gets the key, unless one was ever used."""
        with self._database() as database, suppress(KeystoreError):  # a token that is away is told of where it is used
            maker = self.key_maker()
            try:
                if not maker.has(LEDGER_KEY):
                    return  # an emptied token, or another one: whoever restores it must find it as it was
                subjects = DatabaseSubjects(database, self.clock, self.randomness)
                if not maker.has(HANDLES_KEY) and not subjects.has_handles():
                    maker.make_mac(HANDLES_KEY)
                if not maker.has(FAMILY_KEY) and DatabaseNotes(database).is_empty():
                    maker.make_mac(FAMILY_KEY)
                # and one made before there was an outbox, the key that seals it
                if not maker.has(OUTBOX_KEY) and not Outbox(database, self.clock, self.randomness).depths():
                    maker.make_mac(OUTBOX_KEY)
            finally:
                maker.close()

    def _check_generations(self, database: Database) -> None:
        # another key under a generation's name would make every NIREC unknown, and each child twice
        store = self.nirec_keystore()
        try:
            subjects = DatabaseSubjects(database, self.clock, self.randomness)
            check_generations(subjects, PseudonymChain(store, nirec_key))
        finally:
            store.close()

    def check_copy(self) -> None:
        """What stands in policy.yaml could be used, were it in force; raises ConfigurationError."""
        bundle, _ = read_bundle(read_policy(self.settings.folders.policy))
        check_agreements(bundle, self.contracts)

    def backlog(self) -> int:
        """How many records wait for the sequencer."""
        with self._database() as database:
            return Lookup(database).waiting()

    def check_keys(self) -> None:
        """Raises KeystoreError or ConfigurationError unless every key is there, ours alone, and of its form.

        Of the log's key nothing is loaded, here or in a worker: only the sequencer can sign with it (S5).
        """
        store = self.keystore()
        try:
            store.certificate(self.generations.name(SIGNING_KEY))
            store.public_key(self.generations.name(RECEIPT_KEY))
            files = [self.generations.name(kind) for kind in TLS]
            for name in (*files, *([] if self.keys.in_token(LOG_KEY) else [LOG_KEY])):
                check_private(self.settings.folders.keys / f"{name}.key")
        finally:
            store.close()
        self.log_key()

    def keystore(self) -> OpenKeystore:
        """A worker's keys: all but the log's (S5); raises KeystoreError."""
        ours = (LEDGER_KEY, HANDLES_KEY, FAMILY_KEY, OUTBOX_KEY)
        macs = [self.generations.name(CLAIMS_KEY), *ours, nirec_key(0)]
        macs += [handle_key(party) for party in self.bundle.parties]
        return self.keys.open(
            signing=[self.generations.name(kind) for kind in (SIGNING_KEY, RECEIPT_KEY)],
            macs=macs,
            later=(SIGNING_KEY, RECEIPT_KEY, CLAIMS_KEY, nirec_key(""), handle_key("")),
        )

    def dispatcher_keystore(self) -> OpenKeystore:
        """A dispatcher's keys: what it signs with, and what opens the outbox; raises KeystoreError."""
        if self.settings.keystore.process:
            return RemoteKeystore(BlockingChannel(self.key_socket, DISPATCHER), self.settings.folders.keys)
        return self.outbox_keystore()

    def outbox_keystore(self) -> OpenKeystore:
        """The same, where the keys are in this process; raises KeystoreError."""
        return self.keys.open(
            signing=[self.generations.name(SIGNING_KEY)],
            macs=[self.generations.name(CLAIMS_KEY), OUTBOX_KEY],
            later=(SIGNING_KEY, CLAIMS_KEY),
        )

    def nirec_keystore(self) -> OpenKeystore:
        """The pseudonyms' keys alone, for their rotation (N2)."""
        return self.keys.open(later=[nirec_key("")])

    @property
    def key_socket(self) -> Path:
        """Where the process that has the keys is asked."""
        return self.settings.folders.db / SOCKET

    def serve_keys(self, stop: Stop, supervisor: int | None) -> None:
        """Runs the process that has the keys until ``stop`` is set; each role can use its own only (S5).

        A token that is away when it begins is waited for: the others are there, and refuse meanwhile.
        """
        while True:
            try:
                self.check_keys()
                break
            except KeystoreError as error:
                if error.key != "token_absent":
                    raise
                structlog.get_logger("keystore").error("token_absent", exc_info=error)
                if stop.wait(_TOKEN_SECONDS):
                    return
        # here, where the keys are: of a process that has looked at one, memory keeps it long after
        with self._database() as database:
            self._check_generations(database)
        stores = {WORKERS: self.keystore(), SEQUENCER: self.keys.open_one(LOG_KEY), DISPATCHER: self.outbox_keystore()}
        try:
            KeyService(self.key_socket, stores, Supervised(supervisor)).run(stop)
        finally:
            self.keys.close()

    def _log_keystore(self) -> Keystore:
        if self.settings.keystore.process:
            return RemoteKeystore(BlockingChannel(self.key_socket, SEQUENCER), self.settings.folders.keys)
        return self.keys.open_one(LOG_KEY)

    def key_maker(self) -> KeyMaker:
        """Makes further keys where the others lie."""
        return self.keys.maker()

    @contextmanager
    def _database(self) -> Iterator[Database]:
        self._check_database()
        database = open_database(self.url, durable=False)
        try:
            yield database
        finally:
            database.dispose()

    def _check_database(self) -> None:
        check_there(self.settings)

    def _compare_copy(self) -> None:
        """policy.yaml is only a copy to read: one that differs is never adopted, and somebody has tried (P1)."""
        try:
            copy = sha256(self.settings.folders.policy.read_bytes()).hexdigest()
        except OSError:
            copy = None
        if copy != self.policy_sha256:
            self.follower.note(Attempt(copy, FILE_DIFFERS))

    def _record_attempts(self) -> None:
        log = structlog.get_logger("policy")
        attempts = self.follower.attempts()
        for attempt in attempts:
            log.error("policy_refused", policy=attempt.policy, reason=attempt.reason)
        if not attempts:
            return
        try:
            with policy_log(self.settings, self.clock, self.randomness, by="start") as acts:
                for attempt in attempts:
                    acts.refuse_once(attempt.policy, attempt.reason)
        except (NotRecordedError, StorageUnavailableError) as error:
            # A full disk keeps nobody from starting: what cannot be recorded now is found again at the next start.
            log.warning("attempt_not_recorded", exc_info=error)

    def sequence(self, stop: Stop) -> None:
        """Runs the sequencer until ``stop`` is set; it alone can sign checkpoints (S5)."""
        database = open_database(self.url, durable=True)
        folder = self.settings.folders.log
        records = Records(database, self.objects().__getitem__)
        writer = Writer(records, role="sequencer", locks=self.locks, randomness=self.randomness, period_key=None)
        outside = Outside(self.settings, self.follower, database, self.log_key(), writer, self.clock, self.randomness)
        sequencer = Sequencer(
            log=Log(database),
            publisher=Publisher(folder, folder.with_name(f"{folder.name}.tmp")),
            writer=writer,
            key=self.log_key(),
            keystore=self._log_keystore(),
            clock=self.clock,
            randomness=self.randomness,
            locks=self.locks,
            alarm=lambda error: structlog.get_logger("sequencer").error("sequencing_fails", exc_info=error),
            witnesses=outside.witnesses,
            anchors=outside,
        )
        try:
            with kept_up(self.url, self.settings, self.log_key(), self.clock, stop):
                sequencer.run(stop, poll_seconds=self.settings.ledger.poll_milliseconds / 1000)
        finally:
            database.dispose()


def begin(settings: Settings, clock: Clock, randomness: Randomness) -> str:
    """Makes the database and the genesis leaf of the policy in the file; gives its hex SHA-256.

    Raises ConfigurationError for a policy, contract or file that cannot be used; LedgerError where a log was begun.
    """
    settings.folders.db.mkdir(parents=True, exist_ok=True, mode=0o700)
    policy = read_policy(settings.folders.policy)
    base = Composition(settings, clock, randomness)
    bundle, _ = read_bundle(policy)
    check_agreements(bundle, base.contracts)
    return begin_log(
        base.url,
        key=base.log_key(),
        policy=policy,
        objects={item.sha256: item.source for item in base.contracts},
        locks=base.locks,
        clock=clock,
        randomness=randomness,
    )
