"""One signed request and its signed answer, in eight steps (DESIGN, section 1).

What lives here: the order of the steps, and which proof each one asks for. What may not: how a step is done.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.errors import (
    Code,
    ConfigurationError,
    KeystoreError,
    NotRecordedError,
    PasserelleError,
    Refusal,
    StorageUnavailableError,
)
from gateway.model import Grant, Refused, UpstreamRefusal
from gateway.reducing import Reducing, given_handles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.change import Change
    from gateway.model import Answer, Attempt, Claim, Party, Received, Released, Reply, VerifiedRequest
    from gateway.ports import (
        Budgets,
        Effects,
        FamilyNotes,
        Guard,
        Identity,
        Ledger,
        Policy,
        Signing,
        Subjects,
        Translation,
        Upstream,
    )

#: Where one of these ends an exchange before anybody was asked, it cannot be recorded, or not be answered for.
_NOT_RECORDED = (NotRecordedError, StorageUnavailableError, ConfigurationError, KeystoreError)


class Exchange:
    """Nothing is released that is not recorded; whatever is refused is recorded too."""

    def __init__(
        self,
        *,
        identity: Identity,
        signing: Signing,
        translation: Translation,
        guard: Guard,
        policy: Policy,
        budgets: Budgets,
        upstreams: Mapping[str, Upstream],
        subjects: Subjects,
        family: FamilyNotes,
        effects: Effects,
        ledger: Ledger,
        alarm: Callable[[Received, Exception], None],
    ) -> None:
        self._identity = identity
        self._signing = signing
        self._translation = translation
        self._reducing = Reducing(translation, subjects, family)
        self._guard = guard
        self._policy = policy
        self._budgets = budgets
        self._upstreams = upstreams
        self._subjects = subjects
        self._effects = effects
        self._ledger = ledger
        self._alarm = alarm

    def handle(self, received: Received) -> Released:
        """The signed, recorded answer; a refusal is one too."""
        key = f"certificate {received.tls_certificate.hex()}"
        try:
            party = self._identity.identify(received)  # 1  who holds this certificate
        except Refusal as refusal:
            return self._once_a_minute(key, received, None, refusal)
        except Exception as fault:  # noqa: BLE001  whatever it is, nobody gets further
            self._alarm(received, fault)
            return self._once_a_minute(key, received, None, Refusal(Code.INTERNAL))
        return self._handle(received, party)

    def _handle(self, received: Received, party: Party) -> Released:
        proven: VerifiedRequest | Claim | Grant | None = None
        attempts: tuple[Attempt, ...] = ()
        try:
            request = proven = self._signing.verify(received, party)  # 2  signed by them, as received
            message = self._translation.translate_in(request)  # 3  valid under its contract, salted
            claim = proven = self._guard.claim(message)  # 4  once, everywhere
            grant = proven = self._policy.authorise(claim)  # 5  agreement and purpose
            self._signing.signing_key()  # nobody is asked for an answer that we could not sign
            known = self._subjects.check(given_handles(grant), party.name)  # nor about a child unknown to the caller
            grant = proven = self._budgets.reserve(grant, known)  # and its cost is spent, whatever comes of it
            if (effect := self._effects.effect(grant)) is not None:
                grant = proven = replace(grant, effect=effect)
            asked = self._intended(*self._as_known_there(grant))  # nor under a name that is not theirs
            reply = self._upstreams[message.upstream].call(asked)  # 6  verified upstream answer
            attempts = reply.attempts
            answer = self._reducing.reduce(grant, reply)  # 7  only what the agreement names
            proven = replace(grant, reserved=0)  # settling that fails may have held all the same: give back nothing
            grant = self._budgets.settle(grant, answer.subjects)  # spent on whom it really discloses
        except UpstreamRefusal as refusal:
            if isinstance(refusal.__cause__, Exception):
                self._alarm(received, refusal.__cause__)
            return self._refuse(Refused(received, party.name, refusal, proven, refusal.attempts))
        except Refusal as refusal:
            return self._refuse(Refused(received, party.name, refusal, proven, attempts))
        except Exception as fault:  # noqa: BLE001  whatever it is, the caller gets a signed, opaque answer
            self._alarm(received, fault)
            if isinstance(fault, _NOT_RECORDED) and not attempts:
                return self._ledger.not_recorded(Refused(received, party.name, Refusal(Code.NOT_RECORDED), proven))
            return self._refuse(Refused(received, party.name, Refusal(Code.INTERNAL), proven, attempts))
        failed = Refused(received, party.name, Refusal(Code.NOT_RECORDED), proven, attempts)
        return self._sealed(failed, lambda: self._seal(grant, reply, answer))  # 8  durable, then released

    def _as_known_there(self, grant: Grant) -> tuple[Grant, tuple[Change, ...]]:
        """The same, a child under the handle that the upstream has for it: never under the caller's own (N3).

        Where the upstream has yet to be told of the child, with what makes it so.
        """
        message, rule = grant.message, grant.message.reduction
        changes: tuple[Change, ...] = ()
        asked = given_handles(grant), message.request.party.name, message.upstream
        if rule is not None and rule.act == "register":
            names, changes = self._subjects.introduced(*asked)
        elif rule is not None and rule.act == "read":
            names = self._subjects.named_for(*asked)
        else:
            return grant, ()
        fields = {**message.fields, **dict(zip(rule.given, names, strict=True))}
        return replace(grant, message=replace(message, fields=fields)), changes

    def _intended(self, grant: Grant, changes: tuple[Change, ...]) -> Grant:
        """The same, once it is durable what another system is about to be asked to do: log before effect (L4)."""
        if grant.effect is not None and grant.effect.outside:
            self._ledger.intend(grant, (grant.effect.begun, *changes))
        return grant

    def _seal(self, grant: Grant, reply: Reply, answer: Answer) -> Released:
        request = grant.message.request
        try:
            return self._ledger.seal(grant, reply, answer)
        except Refusal as changed:  # at the commit the subjects were not those any more that the answer speaks of
            return self._refuse(Refused(request.received, request.party.name, changed, grant, reply.attempts))

    def _refuse(self, refused: Refused) -> Released:
        refused = replace(refused, changes=_settled_by(refused))
        party, received = refused.party, refused.received
        self._give_back(refused)
        # What was asked of another system, or was about to be, is recorded, however many refusals there were.
        exceeded = party is not None and self._guard.refusals_exceeded(party, received.at)
        if exceeded and not refused.attempts and not refused.changes:
            return self._once_a_minute(f"party {party}", received, party, Refusal(Code.TOO_MANY_REFUSALS))
        return self._sealed(refused, lambda: self._ledger.seal_refusal(refused))

    def _give_back(self, refused: Refused) -> None:
        """Whom a refusal did not disclose costs nothing; where that cannot be written, it stays spent."""
        if isinstance(refused.proven, Grant) and refused.proven.reserved:
            try:
                self._budgets.settle(refused.proven, ())
            except PasserelleError as fault:
                self._alarm(refused.received, fault)

    def _sealed(self, failed: Refused, seal: Callable[[], Released]) -> Released:
        """What sealing gives; where it fails altogether, nothing was recorded and nothing is released."""
        try:
            return seal()
        except Exception as fault:  # noqa: BLE001  whatever it is, such as our own certificate refused meanwhile
            self._alarm(failed.received, fault)
            return self._ledger.not_recorded(failed)

    def _once_a_minute(self, key: str, received: Received, party: str | None, refusal: Refusal) -> Released:
        # Strangers, and parties that are refused without end, cannot fill the ledger: one leaf a minute.
        try:
            recorded = self._guard.first_refusal(key, received)
        except Exception as fault:  # noqa: BLE001  sealing then says what the caller is told: not_recorded
            self._alarm(received, fault)
            recorded = received.exchange_id
        refused = Refused(received, party, refusal, None)
        if recorded == received.exchange_id:
            return self._sealed(refused, lambda: self._ledger.seal_refusal(refused))
        return self._sealed(refused, lambda: self._ledger.repeat_refusal(refused, recorded))


def _settled_by(refused: Refused) -> tuple[Change, ...]:
    """A refusal says that it had no effect where step 6 tells that nobody was asked, or whoever was asked has said no.

    Of an effect that was asked for earlier under the same key it knows nothing; nor does a fault of ours, whenever it
    came. Whatever was refused before step 6 has no intent to settle.
    """
    grant = refused.proven
    if not isinstance(grant, Grant) or grant.effect is None or not grant.effect.outside:
        return ()
    if refused.attempts:
        rule = grant.message.reduction
        undone = rule is not None and refused.refusal.code in {code for _, _, code in rule.refuse}
    else:
        undone = isinstance(refused.refusal, UpstreamRefusal)
    return (grant.effect.undone,) if undone else ()
