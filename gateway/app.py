"""The composition root of a worker: builds every object and hands it on; alone knows the adapters."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.loopback import Absent, Loopback
from certs.profiles import CertificateRefusedError
from certs.revocation import RevocationFolder
from contracts.generate.error_table import read_errors
from gateway.addressees import Addressees, offered
from gateway.batches.batches import Batches
from gateway.batches.pace import Pace
from gateway.batches.sealing import Sealing as LineSealing
from gateway.batches.storage import DatabaseBatches
from gateway.delivery.accepting import Accepting
from gateway.delivery.sealing import Sealing
from gateway.delivery.storage import Outbox
from gateway.effects.keys import EffectKeys
from gateway.effects.storage import EffectRows
from gateway.errors import ConfigurationError, NotRecordedError
from gateway.exchange import Exchange
from gateway.family.notes import FamilyNotes
from gateway.family.storage import DatabaseNotes
from gateway.family.view import FamilyView
from gateway.family_words import family_words
from gateway.guard.budgets import BudgetGuard
from gateway.guard.claims import CLAIMS_KEY, OVERLAP, ClaimGuard
from gateway.guard.storage import DatabaseBudgets, DatabaseClaims
from gateway.http.app import Face, create_app
from gateway.http.elsewhere import AskedElsewhere, Elsewhere
from gateway.http.keychannel import LoopChannel
from gateway.http.published import published
from gateway.http.receipts import Receipts
from gateway.http.received import Receiver
from gateway.identity.warmth import Warmth
from gateway.keys.make import handle_key, nirec_key
from gateway.keys.periods import period_key
from gateway.keys.published import certificates, public_keys
from gateway.keys.remote import RemoteKeystore
from gateway.keys.service import WORKERS
from gateway.keys.slow import SlowKeystore
from gateway.known_parties import der_of, known_parties
from gateway.ledger.acknowledgements import Acknowledgements
from gateway.ledger.anchoring import Anchors
from gateway.ledger.leaf import KINDS
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.policy_acts import ActWriter, PolicyLog
from gateway.ledger.reader import LogReader
from gateway.ledger.sealer import Sealer
from gateway.ledger.storage import AnchorRows, Lookup, PolicyRows, Records
from gateway.ledger.writer import Writer
from gateway.messages.table import ErrorTable, table_content
from gateway.nirec.pseudonyms import PseudonymChain
from gateway.nirec.storage import DatabaseSubjects
from gateway.nirec.subjects import HANDLES_KEY, SubjectDirectory
from gateway.nirec.unasked import Unasked
from gateway.outside import Halt, anchor_rule
from gateway.policy.authorise import Authoriser
from gateway.signing.answer import SIGNING_KEY, RestSigning
from gateway.signing.answer_key import AnswerKey
from gateway.signing.by_form import SigningByForm
from gateway.signing.receipt import RECEIPT_KEY, ReceiptIssuer
from gateway.signing.request import RequestVerifier
from gateway.signing.soap_answer import SoapSigning
from gateway.signing.soap_request import SoapRequestVerifier
from gateway.storage import open_database
from gateway.switch import Served, Switch
from gateway.translation.translation import Translation
from gateway.upstreams import Ours, outside_systems
from gateway.watch.metered import MeteredLedger, MeteredUpstream
from gateway.watch.meters import Meters
from gateway.watch.storage import Metered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Flask

    from gateway.composition import Composition
    from gateway.identity.parties import Parties
    from gateway.in_force import Attempt
    from gateway.keys.stores import OpenKeystore
    from gateway.model import CertificateProof, Received
    from gateway.policy.bundle import Bundle
    from gateway.policy.judge import InForce
    from gateway.ports import Signing, Upstream

LOOPBACK = "loopback"
LEDGER = "ledger"
SUBJECTS = "subjects"
BATCHES = "batches"
FAMILY = "family"
DELIVERY = "delivery"
_TURNED_AWAY_AT_ONCE = 8


class Worker:
    """One worker's objects, made after the fork; ``close`` when it ends."""

    def __init__(
        self,
        composition: Composition,
        alarm: Callable[[Received, Exception], None],
        upstreams: Mapping[str, Upstream] | None = None,
        meters: Meters | None = None,
        let_in: Callable[[Bundle], None] = lambda _: None,
    ) -> None:
        """``upstreams`` stand in for the configured ones (benchmarks); ``let_in`` gets each policy before it serves."""
        self._meters = Meters() if meters is None else meters
        self._base = composition
        self._settings = composition.settings
        self._alarm = alarm
        self._let_in = let_in
        self._shelf = composition.objects()
        self._revocation = RevocationFolder(composition.settings.folders.revocation, composition.clock.monotonic)
        self._former: Parties | None = None
        self._waiting = Elsewhere(self._settings.listen.threads)
        self._keystore = self._opened_keystore()
        self._signing_key = partial(composition.generations.name, SIGNING_KEY)
        metered = Metered(self._meters, composition.clock)
        self._durable = open_database(composition.url, durable=True, waiting=self._waiting, around=metered)
        self._relaxed = open_database(composition.url, durable=False, waiting=self._waiting)
        self._lookup = Lookup(self._durable)
        self._errors = ErrorTable()
        self._writer = Writer(
            Records(self._durable, self._shelf.__getitem__),
            role="worker",
            locks=composition.locks,
            randomness=composition.randomness,
            period_key=self._period_key,
        )
        self._claims = DatabaseClaims(self._relaxed, composition.clock)
        self._budgets = BudgetGuard(
            DatabaseBudgets(self._relaxed, composition.clock),
            self._keystore,
            self._claims_keys,
            self._meters.budgeted,
        )
        self._batches = self._make_batches()
        subjects = DatabaseSubjects(self._durable, composition.clock, composition.randomness)
        chain = PseudonymChain(self._keystore, nirec_key)
        self._subjects = SubjectDirectory(subjects, chain, self._keystore, handle_key(""))
        notes = DatabaseNotes(self._durable)
        self._family = FamilyNotes(notes, composition.randomness)
        ours: dict[str, Upstream] = {
            LEDGER: Acknowledgements(partial(self._lookup.find, KINDS["exchange"])),
            SUBJECTS: Unasked(),
            BATCHES: self._batches,
            FAMILY: FamilyView(notes, self._subjects.secrets, family_words(composition.contracts, self._durable)),
            DELIVERY: self._accepting(),
        }
        self._ours = frozenset({*ours, LOOPBACK})
        named = {one.upstream for contract in composition.contracts for one in contract.operations.values()}
        asked = self._ask_upstream() if upstreams is None else upstreams
        self._upstreams = {**dict.fromkeys(named, Absent()), **ours, **self._with_batches(asked)}
        self._halt = Halt(
            lambda: anchor_rule(composition.bundle), Anchors(AnchorRows(self._relaxed)), composition.clock
        )
        self._exchange = self._switch()
        self._warmth = Warmth(lambda: self._parties, composition.clock)

    def _make_batches(self) -> Batches:
        base = self._base
        self._batch_rows = DatabaseBatches(self._relaxed)
        sealing = LineSealing(self._keystore, HANDLES_KEY, base.randomness)
        per_second = self._settings.civil_registry.batch_per_second
        return Batches(self._batch_rows, sealing, base.clock, self._waiting, per_second)

    def _with_batches(self, asked: Mapping[str, Upstream]) -> Mapping[str, Upstream]:
        """The same; the civil registry also answers for batches, at their pace, with half of its calls at most."""
        registry = self._settings.civil_registry
        if registry.party not in asked:
            return asked
        pace = Pace(
            self._batch_rows,
            self._base.clock,
            self._waiting,
            upstream=registry.party,
            per_second=registry.batch_per_second,
            at_once=max(1, registry.concurrency // 2),
        )
        return {**asked, registry.party: self._batches.asked(asked[registry.party], pace, registry.deadline_seconds)}

    def _opened_keystore(self) -> OpenKeystore:
        """The keys themselves, or the way to the process that has them (S7)."""
        settings = self._settings.keystore
        if settings.process:
            return RemoteKeystore(LoopChannel(self._base.key_socket, WORKERS), self._settings.folders.keys)
        store = self._base.keystore()
        return SlowKeystore(store, self._waiting) if settings.slow else store

    def application(self) -> Flask:
        """The Flask application."""
        self._exchange.start()
        self._warmth.start()
        try:
            self._writer.open(self._base.clock.now())
        except NotRecordedError as error:
            # It will be tried again with each exchange: a worker that ended would take the others with it.
            structlog.get_logger("worker").error("recording_fails", exc_info=error)
        receipt_keys = partial(public_keys, self._keystore, self._base.generations, RECEIPT_KEY)
        issuer = ReceiptIssuer(self._keystore, receipt_keys, self._base.bundle.gateway, self._base.clock)
        reader = LogReader(self._settings.folders.log, self._base.log_key())
        face = Face(
            exchange=self._exchange,
            receiver=Receiver(self._base.clock, self._base.randomness),
            identity=self._exchange,
            receipts=Receipts(self._lookup.answered, reader, issuer, leaf_hash, self._published_certificates),
            errors=self._errors,
            log=self._settings.folders.log,
            published=published(
                offered(self._base.contracts), read_errors(table_content()), self._settings.listen.origin
            ),
            alarm=self._alarm,
        )
        return create_app(face)

    def close(self) -> None:
        """Ends the writer's life, and the connections."""
        self._exchange.close()
        self._warmth.close()
        self._writer.close()
        self._relaxed.dispose()
        self._durable.dispose()

    def _switch(self) -> Switch:
        base = self._base
        rows = PolicyRows(self._durable)
        acts = PolicyLog(rows, ActWriter(rows, self._writer, base.clock, base.randomness, "worker"), lambda: None)
        return Switch(
            base.follower,
            rows,
            acts,
            lambda policy: self._serve(policy, rows),
            clock=base.clock,
            waiting=self._waiting,
            told=self._tell,
            look_too=self._halt.look,
            failed=lambda error: structlog.get_logger("policy").error("policy_unknown", exc_info=error),
        )

    def _serve(self, policy: InForce, rows: PolicyRows) -> Served:
        """Everything that depends on the policy, made anew for this one; the rest is the worker's for its life."""
        base, settings = self._base, self._settings
        parties = self._known_parties(policy.bundle)
        if self._former is not None:
            parties.take_over(self._former)
        self._shelf[policy.sha256] = base.follower.content(rows)
        self._let_in(policy.bundle)
        signing = self._signing(parties, partial(self._prove, parties, policy.bundle.gateway))
        guard = ClaimGuard(self._claims, self._keystore, policy.bundle.guard.refusals_per_minute, self._claims_keys)
        ledger = MeteredLedger(self._sealer(policy, signing), self._meters, base.clock)
        exchange = Exchange(
            identity=parties,
            signing=signing,
            translation=Translation(offered(base.contracts), base.randomness, settings.nirec.pattern),
            guard=guard,
            policy=Authoriser(policy.bundle, policy.sha256, self._halt.holds),
            budgets=self._budgets,
            upstreams=self._upstreams,
            subjects=self._subjects,
            family=self._family,
            effects=EffectKeys(EffectRows(), self._keystore, HANDLES_KEY, self._ours),
            ledger=ledger,
            alarm=self._alarm,
        )
        self._parties = self._former = parties
        self._guard = guard
        return Served(policy, exchange, parties, ledger)

    def _signing(self, parties: Parties, prove: Callable[[bytes], CertificateProof]) -> Signing:
        origin, clock = self._settings.listen.origin, self._base.clock
        key = AnswerKey(self._keystore, prove, self._signing_key)
        return SigningByForm(
            rest=RestSigning(RequestVerifier(origin, parties), key, origin, clock),
            soap=SoapSigning(SoapRequestVerifier(origin, parties), key, clock),
        )

    def _accepting(self) -> Accepting:
        base = self._base
        return Accepting(
            Outbox(self._relaxed, base.clock, base.randomness),
            Sealing(self._keystore, base.randomness),
            self._subjects.introduction,
            Addressees(base.contracts, lambda: base.follower.current),
            base.randomness,
            timedelta(hours=self._settings.deliveries.expire_hours),
        )

    def _tell(self, attempt: Attempt) -> None:
        self._meters.policy_refused()
        structlog.get_logger("policy").error("policy_refused", policy=attempt.policy, reason=attempt.reason)

    def _sealer(self, policy: InForce, signing: Signing) -> Sealer:
        return Sealer(
            writer=self._writer,
            lookup=self._lookup,
            signing=signing,
            clock=self._base.clock,
            gateway=policy.bundle.gateway,
            promise_seconds=self._settings.ledger.promise_seconds,
            render=self._errors.content,
            policy_sha256=lambda: policy.sha256,
            pause=self._waiting.pause,
        )

    def _ask_upstream(self) -> Mapping[str, Upstream]:
        base, own = self._base, self._base.generations.name("tls-client")
        ours = Ours(
            settings=self._settings,
            contracts=base.contracts,
            keystore=self._keystore,
            tls=self._settings.folders.keys / own,
            signing_key=self._signing_key,
            prove=self._signing_proof,
            parties=lambda: self._parties,
            guard=lambda: self._guard,
            bundle=lambda: self._base.bundle,
            clock=base.clock,
            randomness=base.randomness,
        )
        asked: dict[str, Upstream] = {LOOPBACK: Loopback()}
        for party, one in outside_systems(ours).items():
            metered = MeteredUpstream(party, one.system, self._meters, base.clock, one.system.cut_off)
            # more threads than calls that the adapter lets through, so that it can turn the others away at once
            asked[party] = AskedElsewhere(metered, Elsewhere(one.concurrency + _TURNED_AWAY_AT_ONCE))
        return asked

    def _known_parties(self, bundle: Bundle) -> Parties:
        return known_parties(bundle, self._settings.folders, self._revocation, self._shelf)

    def _claims_keys(self, overlap: timedelta = OVERLAP) -> list[str]:
        return [one.name for one in self._base.generations.within(CLAIMS_KEY, overlap)]

    def _published_certificates(self) -> bytes:
        ours = certificates(self._keystore, self._base.generations, SIGNING_KEY).values()
        bundle = self._base.bundle
        between = bundle.authorities[bundle.parties[bundle.gateway].authority].intermediates
        return b"".join(_pem(der) for der in (*ours, *(der_of(pem.encode()) for pem in between)))

    def _signing_proof(self, certificate: bytes) -> CertificateProof:
        return self._prove(self._parties, self._base.bundle.gateway, certificate)

    def _prove(self, parties: Parties, gateway: str, certificate: bytes) -> CertificateProof:
        try:
            return parties.counterpart(gateway, certificate, self._base.clock.now())
        except CertificateRefusedError as refused:
            raise ConfigurationError("own_certificate_refused", reason=refused.reason) from None

    def _period_key(self, period: int) -> bytes:
        return period_key(self._settings.folders.keys, self._base.bundle.periods, period)


def _pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
