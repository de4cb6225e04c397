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
from gateway.model import Answer, Content, Nirec, Party, Refused, SubjectRequest, UpstreamRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.model import (
        Attempt,
        Claim,
        Disclosure,
        Form,
        Grant,
        Received,
        Reduction,
        Released,
        Reply,
        VerifiedRequest,
    )
    from gateway.ports import FamilyNotes, Guard, Identity, Ledger, Policy, Signing, Subjects, Translation, Upstream

_CONTENT_TYPES: Mapping[Form, str] = {
    "rest": "application/json",
    "soap11": "text/xml; charset=utf-8",
    "soap12": "application/soap+xml; charset=utf-8",
}
_OK = 200
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
        upstreams: Mapping[str, Upstream],
        subjects: Subjects,
        family: FamilyNotes,
        ledger: Ledger,
        alarm: Callable[[Received, Exception], None],
    ) -> None:
        self._identity = identity
        self._signing = signing
        self._translation = translation
        self._guard = guard
        self._policy = policy
        self._upstreams = upstreams
        self._subjects = subjects
        self._family = family
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
            self._subjects.check(_handles(grant), party.name)  # nor about a child that the caller does not know
            asked = self._as_known_there(grant)  # nor under a name that is not theirs
            reply = self._upstreams[message.upstream].call(asked)  # 6  verified upstream answer
            attempts = reply.attempts
            answer = self._reduce(grant, reply)  # 7  only what the agreement names
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

    def _as_known_there(self, grant: Grant) -> Grant:
        """The same, a child under the handle that the upstream has for it: never under the caller's own (N3)."""
        message, rule = grant.message, grant.message.reduction
        if rule is None or rule.act != "read":
            return grant
        names = self._subjects.named_for(_handles(grant), message.request.party.name, message.upstream)
        fields = {**message.fields, **dict(zip(rule.given, names, strict=True))}
        return replace(grant, message=replace(message, fields=fields))

    def _reduce(self, grant: Grant, reply: Reply) -> Answer:
        fields = dict(reply.fields)
        rule = grant.message.reduction
        told = None if rule is None else self._disclosed(grant, rule, fields)
        if rule is not None and not grant.tells_not_found:
            for name, value, said in rule.conceal:
                if fields.get(name) == value:
                    fields[name] = said
        kept = {name: value for name, value in fields.items() if name in grant.fields}
        body = self._translation.translate_out(grant, dict(kept))
        message = grant.message
        content = Content(_OK, _CONTENT_TYPES[message.request.form], body, message.headers)
        if told is None:
            return Answer(content, tuple(sorted(kept)), (), reply.changes)
        # a child who is registered twice is one subject
        subjects = tuple(dict.fromkeys(told.subjects))
        changes = (*reply.changes, *told.changes, *self._family.noted(grant, told, kept))
        return Answer(content, tuple(sorted(kept)), subjects, changes)

    def _disclosed(self, grant: Grant, rule: Reduction, fields: dict[str, object]) -> Disclosure | None:
        """The subjects that the answer is about, their handles put into ``fields``; raises Refusal."""
        for name, value, code in rule.refuse:
            if fields.get(name) == value:
                raise Refusal(code)
        if rule.listed is not None:
            return self._list(grant, rule, fields) if rule.listed in grant.fields else None
        if rule.field is not None and fields.get(rule.field) != rule.confirmed:
            return None
        told = self._subjects.disclose(_subject_request(grant, rule))
        fields[rule.handle] = told.subjects[0].handle
        return told

    def _list(self, grant: Grant, rule: Reduction, fields: dict[str, object]) -> Disclosure:
        """Names each item's child for the caller; in ``fields`` its handle takes the place of the upstream's (N3)."""
        listed = str(rule.listed)
        items = _items(fields.get(listed))
        asked = replace(
            _subject_request(grant, rule),
            handles=tuple(str(item[rule.handle]) for item in items),
            upstream=grant.message.upstream,
        )
        told = self._subjects.disclose(asked)
        fields[listed] = [
            {**item, rule.handle: subject.handle} for item, subject in zip(items, told.subjects, strict=True)
        ]
        return told

    def _seal(self, grant: Grant, reply: Reply, answer: Answer) -> Released:
        request = grant.message.request
        try:
            return self._ledger.seal(grant, reply, answer)
        except Refusal as changed:  # at the commit the subjects were not those any more that the answer speaks of
            return self._refuse(Refused(request.received, request.party.name, changed, grant, reply.attempts))

    def _refuse(self, refused: Refused) -> Released:
        party, received = refused.party, refused.received
        # What was asked of another system is recorded, however many refusals there were.
        exceeded = party is not None and self._guard.refusals_exceeded(party, received.at)
        if exceeded and not refused.attempts:
            return self._once_a_minute(f"party {party}", received, party, Refusal(Code.TOO_MANY_REFUSALS))
        return self._sealed(refused, lambda: self._ledger.seal_refusal(refused))

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


def _handles(grant: Grant) -> tuple[str, ...]:
    rule = grant.message.reduction
    return () if rule is None else tuple(str(grant.message.fields[name]) for name in rule.given)


def _items(listed: object) -> list[dict[str, object]]:
    # the contract has them so, by which the upstream's answer was judged
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _subject_request(grant: Grant, rule: Reduction) -> SubjectRequest:
    message = grant.message
    nirec = None if rule.identifier is None else message.fields[rule.identifier]
    if nirec is not None and not isinstance(nirec, Nirec):
        raise PasserelleError("the contract's identifier is no NIREC")
    return SubjectRequest(
        act=rule.act,
        party=message.request.party.name,
        nirec=nirec,
        handles=_handles(grant),
        reason=None if rule.reason is None else str(message.fields[rule.reason]),
        gives_handle=(rule.listed or rule.handle) in grant.fields,
    )
