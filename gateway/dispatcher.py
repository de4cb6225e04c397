"""The dispatcher's process: it takes notices out of the outbox and delivers them; as many of it as there are nodes.

What lives here: its objects, made after its start. What may not: how a delivery is done (gateway/delivery).
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from certs.profiles import CertificateRefusedError
from certs.revocation import RevocationFolder
from gateway.addressees import Addressees, takers
from gateway.delivery.delivering import Deliverer
from gateway.delivery.lane import Lane, LaneRules
from gateway.delivery.pace import Pace
from gateway.delivery.sealing import Sealing
from gateway.delivery.storage import Outbox
from gateway.errors import ConfigurationError, PasserelleError
from gateway.family.notes import FamilyNotes
from gateway.family.storage import DatabaseNotes
from gateway.guard.claims import CLAIMS_KEY, OVERLAP, ClaimGuard
from gateway.guard.storage import DatabaseClaims
from gateway.keys.periods import period_key
from gateway.known_parties import known_parties
from gateway.ledger.anchoring import Anchors
from gateway.ledger.deliveries import DeliveryLog
from gateway.ledger.storage import AnchorRows, PolicyRows, Records
from gateway.ledger.writer import Writer
from gateway.outside import Halt, anchor_rule
from gateway.signing.answer import SIGNING_KEY
from gateway.storage import open_database
from gateway.upstreams import Ours, outside_systems

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.system import OutsideSystem
    from gateway.composition import Composition
    from gateway.delivery.rows import Claimed
    from gateway.identity.parties import Parties
    from gateway.model import Attempt, CertificateProof
    from gateway.notices import Outcome, Telling
    from gateway.policy.judge import InForce
    from gateway.ports import Stop

_LOOK_SECONDS = 0.25
#: Nothing is delivered under a policy that was last found in force longer ago, as with exchanges.
_STALE_SECONDS = 1.0


class Dispatcher:
    """All of one process: ``run`` it until ``stop`` is set."""

    def __init__(self, composition: Composition, stop: Stop) -> None:
        """Raises ConfigurationError, KeystoreError, StorageUnavailableError, LedgerError."""
        self._base = base = composition
        self._stop = stop
        self._log = structlog.get_logger("dispatcher")
        self._ends = ExitStack()
        self._shelf = base.objects()
        self._keystore = base.dispatcher_keystore()
        self._ends.callback(self._keystore.close)
        self._durable = durable = open_database(base.url, durable=True)
        self._ends.callback(durable.dispose)
        relaxed = open_database(base.url, durable=False)
        self._ends.callback(relaxed.dispose)
        self._rows = PolicyRows(durable)
        self._revocation = RevocationFolder(base.settings.folders.revocation, base.clock.monotonic)
        self._parties: Parties | None = None
        self._known: InForce | None = None
        self._confirmed = 0.0
        self._look_lock = threading.Lock()
        base.follower.begin(self._rows)
        self._look()
        self._halt = Halt(lambda: anchor_rule(base.bundle), Anchors(AnchorRows(relaxed)), base.clock)
        self._writer = Writer(
            Records(durable, self._shelf.__getitem__),
            role="dispatcher",
            locks=base.locks,
            randomness=base.randomness,
            period_key=lambda period: period_key(base.settings.folders.keys, base.bundle.periods, period),
        )
        self._ends.callback(self._writer.close)
        self._claims = DatabaseClaims(relaxed, base.clock)
        self._outbox = Outbox(relaxed, base.clock, base.randomness)
        self._systems = self._asked()
        self._deliverer = self._made()
        self.lanes = [self._lane(party, system) for party, system in self._systems.items()]

    def run(self) -> None:
        """Delivers until it is told to stop; the rounds that were begun end first."""
        with self._ends:
            for lane in self.lanes:
                lane.start()
            self._log.info("ready", parties=sorted(self._systems))
            while not self._stop.wait(_LOOK_SECONDS):
                try:
                    self._look()
                    self._halt.look()
                except Exception as fault:  # noqa: BLE001  whatever it is, the next look may mend it
                    self._failed(fault)
            for lane in self.lanes:
                lane.join()

    def _look(self) -> None:
        """Which policy is in force, now; in any thread."""
        with self._look_lock:
            at = self._base.clock.monotonic()
            self._base.follower.follow(self._rows)
            current = self._base.follower.current
            if current is not self._known:
                self._shelf[current.sha256] = self._base.follower.content(self._rows)
                made = known_parties(current.bundle, self._base.settings.folders, self._revocation, self._shelf)
                if self._parties is not None:
                    made.take_over(self._parties)
                self._parties, self._known = made, current
            self._confirmed = at

    def _may(self, party: str) -> bool:
        """Whether anything may go out to it now: the policy is known, and the log has its timestamps (L8).

        A party that is suspended is left alone, and what waits for it goes on waiting, as long as it may: it is to come
        back without anybody's sending thousands of dead letters again.
        """
        if self._base.clock.monotonic() - self._confirmed > _STALE_SECONDS:
            try:
                self._look()
            except PasserelleError as fault:
                self._failed(fault)
                return False
        known = self._in_force().bundle.parties.get(party)
        return not (known is not None and known.suspended) and not self._halt.holds()

    def _in_force(self) -> InForce:
        if self._known is None:
            raise ConfigurationError("policy_invalid", where="policy", detail="not begun")
        return self._known

    def _those(self) -> Parties:
        if self._parties is None:
            raise ConfigurationError("policy_invalid", where="policy", detail="not begun")
        return self._parties

    def _asked(self) -> dict[str, OutsideSystem]:
        base = self._base
        ours = Ours(
            settings=base.settings,
            contracts=base.contracts,
            keystore=self._keystore,
            tls=base.settings.folders.keys / base.generations.name("tls-client"),
            signing_key=partial(base.generations.name, SIGNING_KEY),
            prove=self._prove,
            parties=self._those,
            guard=self._guard,
            bundle=lambda: self._in_force().bundle,
            clock=base.clock,
            randomness=base.randomness,
        )
        wanted = takers(base.contracts).keys() & base.settings.upstreams.keys()
        return {party: one.system for party, one in outside_systems(ours, wanted).items()}

    def _guard(self) -> ClaimGuard:
        most = self._in_force().bundle.guard.refusals_per_minute
        return ClaimGuard(self._claims, self._keystore, most, self._claims_keys)

    def _claims_keys(self) -> list[str]:
        return [one.name for one in self._base.generations.within(CLAIMS_KEY, OVERLAP)]

    def _prove(self, certificate: bytes) -> CertificateProof:
        gateway = self._in_force().bundle.gateway
        try:
            return self._those().counterpart(gateway, certificate, self._base.clock.now())
        except CertificateRefusedError as refused:
            raise ConfigurationError("own_certificate_refused", reason=refused.reason) from None

    def _made(self) -> Deliverer:
        base, rules = self._base, self._base.settings.deliveries
        return Deliverer(
            rows=self._outbox,
            sealing=Sealing(self._keystore, base.randomness),
            policy=Addressees(base.contracts, self._in_force),
            recorder=DeliveryLog(self._writer, base.clock, base.bundle.gateway),
            family=FamilyNotes(DatabaseNotes(self._durable), base.randomness),
            pace=Pace(rules.first_wait_seconds, rules.longest_wait_seconds),
            clock=base.clock,
            randomness=base.randomness,
        )

    def _lane(self, party: str, system: OutsideSystem) -> Lane:
        base, rules = self._base, self._base.settings.deliveries
        return Lane(
            party,
            self._outbox,
            self._round(system),
            rules=LaneRules(
                rules.concurrency,
                timedelta(seconds=rules.lease_seconds),
                Pace(rules.first_wait_seconds, rules.longest_pause_seconds),
            ),
            clock=base.clock,
            randomness=base.randomness,
            stop=self._stop,
            failed=self._failed,
            may=partial(self._may, party),
        )

    def _round(self, system: OutsideSystem) -> Callable[[Claimed], Outcome | None]:
        def tell(telling: Telling) -> tuple[Attempt, ...]:
            return system.call(telling).attempts

        def deliver(claimed: Claimed) -> Outcome | None:
            outcome = self._deliverer.round(claimed, tell)
            ended = outcome or "elsewhere"
            self._log.info("delivery", delivery=str(claimed.delivery), party=system.name, outcome=ended)
            return outcome

        return deliver

    def _failed(self, fault: Exception) -> None:
        self._log.error("round_failed", exc_info=fault)
