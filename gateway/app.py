"""The one composition root: builds every object and hands it on; alone knows adapters and storage."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.civil_registry.adapter import civil_registry
from adapters.loopback import Loopback
from adapters.resilience import ResilienceSettings
from adapters.soap import SoapEndpoint
from certs.profiles import CertificateRefusedError
from certs.revocation import RevocationFolder
from contracts.loader import ContractError, load_contracts
from gateway.errors import ConfigurationError, KeystoreError, LedgerError, NotRecordedError
from gateway.exchange import Exchange
from gateway.guard.claims import CLAIMS_KEY, ClaimGuard
from gateway.guard.storage import DatabaseClaims
from gateway.http.app import Face, create_app
from gateway.http.elsewhere import AskedElsewhere, Elsewhere
from gateway.http.receipts import Receipts
from gateway.http.received import Receiver
from gateway.identity.parties import KnownParty, Parties
from gateway.keys.files import FileKeystore, check_private
from gateway.keys.make import handle_key, nirec_key
from gateway.ledger.acknowledgements import Acknowledgements
from gateway.ledger.beginning import adopt_policy, begin_log, policy_in_force
from gateway.ledger.leaf import KINDS
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.note import LOG_KEY, LogKey
from gateway.ledger.publish import Publisher
from gateway.ledger.reader import LogReader
from gateway.ledger.sealer import Sealer
from gateway.ledger.sequencer import Sequencer
from gateway.ledger.storage import Log, Lookup, Records
from gateway.ledger.writer import Writer
from gateway.messages.table import ErrorTable
from gateway.nirec.pseudonyms import PseudonymChain
from gateway.nirec.storage import DatabaseSubjects
from gateway.nirec.subjects import LEDGER_KEY, SubjectDirectory
from gateway.policy.agreements import check_agreements
from gateway.policy.authorise import Authoriser
from gateway.policy.bundle import read_bundle, version_and_previous
from gateway.signing.answer import SIGNING_KEY, RestSigning
from gateway.signing.receipt import RECEIPT_KEY, ReceiptIssuer
from gateway.signing.request import RequestVerifier
from gateway.storage import Database
from gateway.translation.rest import RestTranslation
from gateway.watch.metered import MeteredLedger, MeteredUpstream
from gateway.watch.meters import Meters
from gateway.watch.storage import MeteredDatabase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from threading import Event

    from flask import Flask

    from gateway.errors import Refusal
    from gateway.model import CertificateProof, Received
    from gateway.ports import Clock, Randomness, Upstream
    from gateway.settings import Settings

DATABASE = "passerelle.sqlite"
LOOPBACK = "loopback"
LEDGER = "ledger"
_EXPIRE_SECONDS = 600
_TURNED_AWAY_AT_ONCE = 8


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


class Worker:
    """One worker's objects, made after the fork; ``close`` when it ends."""

    def __init__(
        self,
        composition: Composition,
        alarm: Callable[[Received, Exception], None],
        upstreams: Mapping[str, Upstream] | None = None,
        meters: Meters | None = None,
    ) -> None:
        """``upstreams`` stand in for the configured ones (benchmarks)."""
        self._meters = Meters() if meters is None else meters
        self._base = composition
        self._settings = composition.settings
        self._alarm = alarm
        self._keystore = composition.keystore()
        self._shelf = composition.objects()
        self._parties = self._known_parties()
        self._waiting = Elsewhere(self._settings.listen.threads)
        self._durable = MeteredDatabase(composition.url, self._meters, composition.clock, self._waiting)
        self._relaxed = Database(composition.url, durable=False, waiting=self._waiting)
        self._lookup = Lookup(self._durable)
        self._errors = ErrorTable()
        self._signing = RestSigning(
            RequestVerifier(self._settings.listen.origin, self._parties),
            self._keystore,
            self._signing_proof,
            self._settings.listen.origin,
            composition.clock,
        )
        self._writer = Writer(
            Records(self._durable, self._shelf.__getitem__),
            role="worker",
            locks=composition.locks,
            randomness=composition.randomness,
            period_key=self._period_key,
        )
        self._exchange = self._build_exchange(upstreams)

    def application(self) -> Flask:
        """The Flask application."""
        try:
            self._writer.open(self._base.clock.now())
        except NotRecordedError as error:
            # It will be tried again with each exchange: a worker that ended would take the others with it.
            structlog.get_logger("worker").error("recording_fails", exc_info=error)
        issuer = ReceiptIssuer(
            self._keystore, self._keystore.public_key(RECEIPT_KEY), self._base.bundle.gateway, self._base.clock
        )
        reader = LogReader(self._settings.folders.log, self._base.log_key())
        face = Face(
            exchange=self._exchange,
            receiver=Receiver(self._base.clock, self._base.randomness),
            identity=self._parties,
            receipts=Receipts(self._lookup.answered, reader, issuer, leaf_hash),
            errors=self._errors,
            log=self._settings.folders.log,
            alarm=self._alarm,
        )
        return create_app(face)

    def close(self) -> None:
        """Ends the writer's life, and the connections."""
        self._writer.close()
        self._relaxed.dispose()
        self._durable.dispose()

    def _build_exchange(self, upstreams: Mapping[str, Upstream] | None) -> Exchange:
        base, settings = self._base, self._settings
        claims = DatabaseClaims(self._relaxed, base.clock)
        guard = ClaimGuard(claims, self._keystore, base.bundle.guard.refusals_per_minute)
        generations = [nirec_key(generation) for generation in range(settings.nirec.generations)]
        store = DatabaseSubjects(self._durable, base.clock, base.randomness)
        return Exchange(
            identity=self._parties,
            signing=self._signing,
            translation=RestTranslation(base.contracts, base.randomness, settings.nirec.pattern),
            guard=guard,
            policy=Authoriser(base.bundle, base.policy_sha256),
            upstreams={LEDGER: Acknowledgements(partial(self._lookup.find, KINDS["exchange"]))}
            | dict(self._upstreams(guard) if upstreams is None else upstreams),
            subjects=SubjectDirectory(
                store, PseudonymChain(self._keystore, generations), self._keystore, handle_key("")
            ),
            ledger=MeteredLedger(self._sealer(), self._meters, base.clock),
            alarm=self._alarm,
        )

    def _sealer(self) -> Sealer:
        base = self._base
        return Sealer(
            writer=self._writer,
            lookup=self._lookup,
            signing=self._signing,
            clock=base.clock,
            gateway=base.bundle.gateway,
            promise_seconds=self._settings.ledger.promise_seconds,
            render=self._render,
            policy_sha256=lambda: base.policy_sha256,
            pause=self._waiting.pause,
        )

    def _upstreams(self, guard: ClaimGuard) -> Mapping[str, Upstream]:
        registry = self._settings.civil_registry
        keys = self._settings.folders.keys
        endpoint = SoapEndpoint(
            url=registry.url,
            ca_file=keys / "authorities" / f"{registry.party}.pem",
            certificate_file=keys / "tls-client.pem",
            key_file=keys / "tls-client.key",
            connections=registry.concurrency,
        )
        adapter = civil_registry(
            endpoint,
            keystore=self._keystore,
            prove=lambda _der: self._signing_proof(),
            vet=lambda der: self._parties.counterpart(registry.party, der, self._base.clock.now()),
            vet_server=lambda der: self._parties.server(registry.party, der, self._base.clock.now()),
            clock=self._base.clock,
            randomness=self._base.randomness,
            claim_salt=lambda salt: guard.claim_salt(registry.party, salt, self._base.clock.now()),
            resilience=ResilienceSettings(
                deadline=registry.deadline_seconds,
                attempt_timeout=registry.attempt_seconds,
                attempts=registry.attempts,
                concurrency=registry.concurrency,
            ),
        )
        metered = MeteredUpstream(registry.party, adapter, self._meters, self._base.clock, adapter.cut_off)
        # more threads than calls that the adapter lets through, so that it can turn the others away at once
        return {
            LOOPBACK: Loopback(),
            registry.party: AskedElsewhere(metered, Elsewhere(registry.concurrency + _TURNED_AWAY_AT_ONCE)),
        }

    def _known_parties(self) -> Parties:
        bundle, folders = self._base.bundle, self._settings.folders
        known: dict[str, KnownParty] = {}
        for name, party in bundle.parties.items():
            authority = bundle.authorities[party.authority]
            known[name] = KnownParty(
                name=name,
                names=frozenset(party.names),
                roots=tuple(_der(pem.encode()) for pem in authority.roots),
                intermediates=tuple(_der(pem.encode()) for pem in authority.intermediates),
                signers=tuple(_der(path.read_bytes()) for path in sorted(folders.signers.glob(f"{name}.*pem"))),
                suspended=party.suspended,
            )
        return Parties(known, RevocationFolder(folders.revocation, self._base.clock.monotonic), self._shelf)

    def _signing_proof(self) -> CertificateProof:
        certificate = self._keystore.certificate(SIGNING_KEY)
        try:
            return self._parties.counterpart(self._base.bundle.gateway, certificate, self._base.clock.now())
        except CertificateRefusedError as refused:
            raise ConfigurationError("own_certificate_refused", reason=refused.reason) from None

    def _period_key(self, period: int) -> bytes:
        path = self._settings.folders.keys / "periods" / f"{period}.pub"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise KeystoreError("file_unreadable", path=path, detail=error.strerror) from None
        if self._base.bundle.periods.get(str(period)) != sha256(content).hexdigest():
            raise KeystoreError("period_key_unknown", path=path)
        return content

    def _render(
        self, refusal: Refusal, exchange_id: str, accept_language: str
    ) -> tuple[int, str, bytes, tuple[tuple[str, str], ...]]:
        shown = self._errors.render(refusal, exchange_id, accept_language)
        return shown.status, shown.content_type, shown.body, shown.headers


def _expire(claims: DatabaseClaims, stop: Event) -> None:
    """Forgets old claims from time to time; a failure is tried again, and stops nothing."""
    while not stop.wait(_EXPIRE_SECONDS):
        with suppress(Exception):
            claims.expire()


def database_url(settings: Settings) -> str:
    """The database's URL: the embedded default."""
    return f"sqlite:///{settings.folders.db / DATABASE}"


def _der(pem: bytes) -> bytes:
    try:
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    except ValueError:
        raise ConfigurationError("certificate_not_pem") from None


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
