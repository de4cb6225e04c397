"""What a new bundle changes, item by item, and whether each item widens what anybody may do (P2).

Every field of the schema has its rule in one table, at the end; a difference that has none counts as widening.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.policy.bundle import (
    Agreement,
    Authority,
    BreakGlass,
    Budget,
    Bundle,
    GuardRules,
    Officers,
    Party,
    Raised,
    Retention,
    Validity,
)
from gateway.policy.outside import TimestampAuthority, Timestamping, Witness, Witnessing

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two bundles.

    Attributes:
        where: dotted path in the document.
        sentence: the last part of its key in the catalogue, ``policy.change.SENTENCE``.
        values: what the sentence names: texts, numbers, times, tuples, and Bilingual texts.
        widens: whether anybody may do, see or decide more than before.
    """

    where: str
    sentence: str
    values: Mapping[str, object] = field(repr=False)
    widens: bool

    @property
    def section(self) -> str:
        """The document's section that it is in."""
        return self.where.partition(".")[0]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the walk is: the path, the values by which sentences name it, and both bundles' parties."""

    parties: Mapping[str, Party]
    path: tuple[str, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)

    def below(self, name: str, **values: object) -> _Place:
        return _Place(self.parties, (*self.path, name), {**self.values, **values})

    def change(self, sentence: str, *, widens: bool, **values: object) -> Change:
        where = ".".join(self.path)
        return Change(where, sentence, {**self.values, **values, "where": where}, widens)


_Rule = Callable[[_Place, Any, Any], Iterator[Change]]
_Naming = Callable[[_Place, str, Any], Mapping[str, object]]


def differences(before: Bundle, after: Bundle) -> tuple[Change, ...]:
    """Every change from one bundle to the other, in the document's order; empty only where they say the same."""
    return tuple(_walk(_Place({**before.parties, **after.parties}), before, after))


def _walk(place: _Place, before: BaseModel, after: BaseModel) -> Iterator[Change]:
    for name in type(after).model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield from _RULES.get((type(after), name), _other)(place.below(name), old, new)


def _other(place: _Place, _before: object, _after: object) -> Iterator[Change]:
    # Nobody has said what it means, so it is taken for the worst.
    yield place.change("other", widens=True)


def _changed(sentence: str, *, widens: bool) -> _Rule:
    """Any change of a value is one and the same sentence."""

    def rule(place: _Place, before: object, after: object) -> Iterator[Change]:
        yield place.change(sentence, widens=widens, before=before, after=after)

    return rule


def _more_widens(stem: str) -> _Rule:
    """A number that allows more when it is raised: STEM_raised, STEM_lowered."""

    def rule(place: _Place, before: int, after: int) -> Iterator[Change]:
        raised = after > before
        yield place.change(f"{stem}_{_direction(raised=raised)}", widens=raised, before=before, after=after)

    return rule


def _less_widens(stem: str) -> _Rule:
    """A number that protects more when it is raised; where it comes or goes, the recovery set does, which widens."""

    def rule(place: _Place, before: int | None, after: int | None) -> Iterator[Change]:
        if before is None or after is None:
            yield place.change(f"{stem}_set", widens=True, before=before or 0, after=after or 0)
            return
        raised = after > before
        yield place.change(f"{stem}_{_direction(raised=raised)}", widens=not raised, before=before, after=after)

    return rule


def _direction(*, raised: bool) -> str:
    return "raised" if raised else "lowered"


def _switch(sentence_on: str, sentence_off: str, *, on_widens: bool) -> _Rule:
    def rule(place: _Place, _before: bool, after: bool) -> Iterator[Change]:  # noqa: FBT001  a rule's form: both values
        yield place.change(sentence_on if after else sentence_off, widens=after is on_widens)

    return rule


def _items(stem: str, describe: Callable[[str], str] = str, *, more_widens: bool = True) -> _Rule:
    """A list whose order means nothing: STEM_added and STEM_removed, one for each item."""

    def rule(place: _Place, before: Sequence[str], after: Sequence[str]) -> Iterator[Change]:
        added = [item for item in dict.fromkeys(after) if item not in before]
        removed = [item for item in dict.fromkeys(before) if item not in after]
        for item in added:
            yield place.change(f"{stem}_added", widens=more_widens, item=describe(item))
        for item in removed:
            yield place.change(f"{stem}_removed", widens=not more_widens, item=describe(item))
        if not (added or removed):
            yield place.change("rewritten", widens=False)

    return rule


def _entries(stem: str, *, removal_widens: bool = False) -> _Rule:
    """Values by name: STEM_added, STEM_removed, STEM_replaced; what replaces is new, so it widens."""

    def rule(place: _Place, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
        for name in sorted(before.keys() | after.keys()):
            here = place.below(name, entry=name)
            if name not in before:
                yield here.change(f"{stem}_added", widens=True, after=after[name])
            elif name not in after:
                yield here.change(f"{stem}_removed", widens=removal_widens, before=before[name])
            elif before[name] != after[name]:
                yield here.change(f"{stem}_replaced", widens=True, before=before[name], after=after[name])

    return rule


def _models(stem: str, naming: _Naming, *, removal_widens: bool = False) -> _Rule:
    """Documents by name: STEM_added, STEM_removed, and the changes inside those that stay."""

    def rule(place: _Place, before: Mapping[str, BaseModel], after: Mapping[str, BaseModel]) -> Iterator[Change]:
        for name in sorted(before.keys() | after.keys()):
            here = place.below(name, **naming(place, name, after.get(name, before.get(name))))
            if name not in before:
                yield here.change(f"{stem}_added", widens=True)
            elif name not in after:
                yield here.change(f"{stem}_removed", widens=removal_widens)
            else:
                yield from _walk(here, before[name], after[name])

    return rule


def _span(stem: str) -> _Rule:
    """A validity: what begins earlier or ends later allows more."""

    def rule(place: _Place, before: Validity, after: Validity) -> Iterator[Change]:
        if after.since != before.since:
            earlier = after.since < before.since
            word = "earlier" if earlier else "later"
            here = place.below("since")
            yield here.change(f"{stem}_begins_{word}", widens=earlier, before=before.since, after=after.since)
        if after.until != before.until:
            later = after.until > before.until
            word = "later" if later else "earlier"
            here = place.below("until")
            yield here.change(f"{stem}_ends_{word}", widens=later, before=before.until, after=after.until)

    return rule


def _budget(place: _Place, before: Budget | None, after: Budget | None) -> Iterator[Change]:
    if before is None and after is not None:
        yield place.change("budget_set", widens=False, subjects=after.subjects, window_hours=after.window_hours)
    elif before is not None and after is None:
        yield place.change("budget_removed", widens=True, subjects=before.subjects, window_hours=before.window_hours)
    elif before is not None and after is not None:
        yield from _walk(place, before, after.model_copy(update={"raised": before.raised}))
        if after.raised != before.raised:
            # held against the ceiling that was signed before, not against one that comes with it
            yield from _raised(place.below("raised"), before, after.raised)


def _break_glass(place: _Place, before: BreakGlass | None, after: BreakGlass | None) -> Iterator[Change]:
    if before is None or after is None:
        said = after or before
        told = {} if said is None else {"most": said.subjects, "hours": said.hours}
        yield place.change(f"break_glass_{'removed' if after is None else 'set'}", widens=after is not None, **told)
    else:
        yield from _walk(place, before, after)


def _raised(place: _Place, before: Budget, after: Raised | None) -> Iterator[Change]:
    if after is None:
        yield place.change("budget_raise_ended", widens=False)
        return
    ceiling = before.break_glass
    inside = ceiling is not None and ceiling.allows(after.subjects, after.validity)
    span = after.validity
    told = {"subjects": after.subjects, "since": span.since, "until": span.until, "reason": after.reason}
    yield place.change(f"budget_raised_{'inside' if inside else 'beyond'}", widens=not inside, **told)


def _sealed_apart(place: _Place, before: str | None, after: str | None) -> Iterator[Change]:
    word = "removed" if after is None else "set" if before is None else "replaced"
    yield place.change(f"party_sealed_apart_{word}", widens=after is not None, before=before, after=after)


def _retention(place: _Place, before: Retention | None, after: Retention | None) -> Iterator[Change]:
    # what is destroyed earlier cannot be brought back: sooner is wider
    if before is None and after is not None:
        yield place.change("retention_set", widens=True, months=after.months, auditors=tuple(after.auditors))
    elif before is not None and after is None:
        yield place.change("retention_removed", widens=False, months=before.months)
    elif before is not None and after is not None:
        yield from _walk(place, before, after)


def _safeguard(stem: str) -> _Rule:
    """A section that may be left out and only ever demands more: STEM_set, STEM_removed, and the changes inside."""

    def rule(place: _Place, before: BaseModel | None, after: BaseModel | None) -> Iterator[Change]:
        if before is None or after is None:
            removed = after is None
            yield place.change(f"{stem}_{'removed' if removed else 'set'}", widens=removed)
        else:
            yield from _walk(place, before, after)

    return rule


def _when_missing(place: _Place, _before: str, after: str) -> Iterator[Change]:
    yield place.change(f"witnesses_{after}", widens=after == "open")


def _halt(place: _Place, before: int | None, after: int | None) -> Iterator[Change]:
    # without a number it never halts: that is the most
    raised = after is None or (before is not None and after > before)
    word = "removed" if after is None else "set" if before is None else _direction(raised=raised)
    yield place.change(f"timestamp_halt_{word}", widens=raised, before=before, after=after)


def _nested(place: _Place, before: BaseModel, after: BaseModel) -> Iterator[Change]:
    yield from _walk(place, before, after)


def _parties(place: _Place, before: Mapping[str, Party], after: Mapping[str, Party]) -> Iterator[Change]:
    """Parties by name; of a new one it is said what of it an audit cannot check, which nobody should learn later."""
    yield from _models("party", _party)(place, before, after)
    for name in sorted(after.keys() - before.keys()):
        if after[name].unsigned:
            here = place.below(name, **_party(place, name, after[name])).below("unsigned")
            yield here.change("party_unsigned", widens=True)
        if after[name].sealed_apart is not None:
            here = place.below(name, **_party(place, name, after[name])).below("sealed_apart")
            yield from _sealed_apart(here, None, after[name].sealed_apart)


def _party(place: _Place, name: str, party: Party) -> Mapping[str, object]:
    _ = place
    return {"party": name, "title": party.title, "role": party.role, "authority": party.authority, "names": party.names}


def _agreement(place: _Place, name: str, agreement: Agreement) -> Mapping[str, object]:
    return {
        "agreement": name,
        "party": agreement.party,
        "title": place.parties[agreement.party].title,
        "operation": agreement.operation,
        "fields": agreement.fields,
        "purposes": agreement.purposes,
        "since": agreement.validity.since,
        "until": agreement.validity.until,
    }


def _authority(place: _Place, name: str, authority: Authority) -> Mapping[str, object]:
    _ = place
    return {"authority": name, "certificates": tuple(_certificate(pem) for pem in authority.roots)}


def _witness(place: _Place, name: str, witness: Witness) -> Mapping[str, object]:
    _ = place
    return {"witness": name, "organisation": witness.organisation, "vkey": witness.vkey}


def _timestamp_authority(place: _Place, name: str, authority: TimestampAuthority) -> Mapping[str, object]:
    _ = place
    return {"authority": name, "url": authority.url, "certificates": _certificate(authority.root)}


def _certificate(pem: str) -> str:
    """A certificate as an officer can compare it: its subject, and SHA-256 of its DER as openssl prints it."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return f"{certificate.subject.rfc4514_string()} (SHA-256 {_der_hash(certificate)})"


def _der_hash(certificate: x509.Certificate) -> str:
    return sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


#: What a difference in each field means. Words that only people read widen nothing; what names who may act, see or
#: decide does when it grows; see docs/decisions/0012.
_RULES: Mapping[tuple[type[BaseModel], str], _Rule] = {
    (Bundle, "origin"): _changed("origin", widens=True),
    (Bundle, "version"): _changed("version", widens=False),
    (Bundle, "previous"): _changed("previous", widens=False),
    (Bundle, "validity"): _span("policy"),
    (Bundle, "gateway"): _changed("gateway", widens=True),
    (Bundle, "officers"): _nested,
    (Bundle, "authorities"): _models("authority", _authority),
    (Bundle, "parties"): _parties,
    (Bundle, "agreements"): _models("agreement", _agreement),
    (Bundle, "guard"): _nested,
    (Bundle, "periods"): _entries("period"),
    (Bundle, "witnessing"): _safeguard("witnessing"),
    (Bundle, "timestamping"): _safeguard("timestamping"),
    (Bundle, "retention"): _retention,
    (Officers, "threshold"): _less_widens("threshold"),
    (Officers, "keys"): _entries("officer"),
    (Officers, "recovery"): _entries("recovery_officer", removal_widens=True),
    (Officers, "recovery_threshold"): _less_widens("recovery_threshold"),
    (Officers, "recovery_delay_hours"): _less_widens("recovery_delay"),
    (Officers, "widening_delay_hours"): _less_widens("widening_delay"),
    (Authority, "roots"): _items("root", _certificate),
    (Authority, "intermediates"): _items("intermediate", _certificate),
    (Party, "title"): _changed("party_title", widens=False),
    (Party, "role"): _changed("party_role", widens=True),
    (Party, "authority"): _changed("party_authority", widens=True),
    (Party, "names"): _items("party_name"),
    (Party, "suspended"): _switch("party_suspended", "party_readmitted", on_widens=False),
    (Party, "unsigned"): _switch("party_unsigned", "party_signs", on_widens=True),
    (Party, "sealed_apart"): _sealed_apart,
    (Agreement, "party"): _changed("agreement_party", widens=True),
    (Agreement, "operation"): _changed("agreement_operation", widens=True),
    (Agreement, "purposes"): _items("agreement_purpose"),
    (Agreement, "legal_basis"): _changed("agreement_legal_basis", widens=False),
    (Agreement, "fields"): _items("agreement_field"),
    (Agreement, "tells_not_found"): _switch("tells_not_found", "conceals_not_found", on_widens=True),
    (Agreement, "budget"): _budget,
    (Agreement, "validity"): _span("agreement"),
    (Budget, "subjects"): _more_widens("budget_subjects"),
    (Budget, "window_hours"): _less_widens("budget_window"),
    (Budget, "break_glass"): _break_glass,
    (BreakGlass, "subjects"): _more_widens("break_glass_subjects"),
    (BreakGlass, "hours"): _more_widens("break_glass_hours"),
    (GuardRules, "refusals_per_minute"): _more_widens("refusals"),
    (GuardRules, "canaries"): _items("canary", more_widens=False),
    (GuardRules, "revocation_grace_hours"): _more_widens("revocation_grace"),
    (Witnessing, "quorum"): _less_widens("quorum"),
    (Witnessing, "when_missing"): _when_missing,
    # who comes could be the gateway's own, who goes is missed: k of n says less in either case
    (Witnessing, "witnesses"): _models("witness", _witness, removal_widens=True),
    (Witness, "vkey"): _changed("witness_vkey", widens=True),
    (Witness, "url"): _changed("witness_url", widens=False),
    (Witness, "organisation"): _changed("witness_organisation", widens=False),
    (Timestamping, "authorities"): _models("timestamp_authority", _timestamp_authority, removal_widens=True),
    (Timestamping, "halt_after_minutes"): _halt,
    (TimestampAuthority, "url"): _changed("timestamp_url", widens=False),
    (TimestampAuthority, "root"): _changed("timestamp_root", widens=True),
    (TimestampAuthority, "policy"): _changed("timestamp_policy", widens=True),
    (Retention, "months"): _less_widens("retention"),
    (Retention, "auditors"): _entries("auditor"),
}
