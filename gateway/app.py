"""The composition root of a worker: builds every object and hands it on; alone knows the adapters."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
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
from gateway.errors import ConfigurationError, KeystoreError, NotRecordedError
from gateway.exchange import Exchange
from gateway.guard.claims import ClaimGuard
from gateway.guard.storage import DatabaseClaims
from gateway.http.app import Face, create_app
from gateway.http.elsewhere import AskedElsewhere, Elsewhere
from gateway.http.receipts import Receipts
from gateway.http.received import Receiver
from gateway.identity.parties import KnownParty, Parties
from gateway.keys.make import handle_key, nirec_key
from gateway.ledger.acknowledgements import Acknowledgements
from gateway.ledger.leaf import KINDS
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.reader import LogReader
from gateway.ledger.sealer import Sealer
from gateway.ledger.storage import Lookup, Records
from gateway.ledger.writer import Writer
from gateway.messages.table import ErrorTable
from gateway.nirec.pseudonyms import PseudonymChain
from gateway.nirec.storage import DatabaseSubjects
from gateway.nirec.subjects import SubjectDirectory
from gateway.policy.authorise import Authoriser
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

    from flask import Flask

    from gateway.composition import Composition
    from gateway.errors import Refusal
    from gateway.model import CertificateProof, Received
    from gateway.ports import Upstream

LOOPBACK = "loopback"
LEDGER = "ledger"
_TURNED_AWAY_AT_ONCE = 8


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


def _der(pem: bytes) -> bytes:
    try:
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    except ValueError:
        raise ConfigurationError("certificate_not_pem") from None
