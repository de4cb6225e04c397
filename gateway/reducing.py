"""Step 7: of an upstream's answer only what the agreement names, each child under the caller's own handle (N3, N4).

What lives here: what leaves, and what is written with its record. What may not: who a subject is, how a note is kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.effect import States
from gateway.errors import Code, PasserelleError, Refusal
from gateway.model import Answer, Content, Nirec, SubjectRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.change import Change
    from gateway.model import Disclosure, Form, Grant, Reduction, Reply
    from gateway.ports import FamilyNotes, Subjects, Translation

_CONTENT_TYPES: Mapping[Form, str] = {
    "rest": "application/json",
    "soap11": "text/xml; charset=utf-8",
    "soap12": "application/soap+xml; charset=utf-8",
}
_OK = 200


class Reducing:
    """Makes the answer of what was replied."""

    def __init__(self, translation: Translation, subjects: Subjects, family: FamilyNotes) -> None:
        self._translation = translation
        self._subjects = subjects
        self._family = family

    def reduce(self, grant: Grant, reply: Reply) -> Answer:
        """What leaves, and what its record brings; raises Refusal where the contract says that the reply is one."""
        fields, message = dict(reply.fields), grant.message
        rule = message.reduction
        told = None if rule is None else self._disclosed(grant, rule, fields)
        if rule is not None and not grant.tells_not_found:
            _conceal(rule, fields)
        states = None if message.states is None else _states(message.states, fields)
        kept = {name: value for name, value in fields.items() if name in grant.fields}
        body = self._translation.translate_out(grant, dict(kept))
        content = Content(_OK, _CONTENT_TYPES[message.request.form], body, message.headers)
        changes = (*_written_with(grant), *reply.changes)
        if told is None:
            return Answer(content, tuple(sorted(kept)), (), changes, states)
        # a child who is registered twice is one subject
        subjects = tuple(dict.fromkeys(told.subjects))
        changes = (*changes, *told.changes, *self._family.noted(grant, told, kept))
        return Answer(content, tuple(sorted(kept)), subjects, changes, states)

    def _disclosed(self, grant: Grant, rule: Reduction, fields: dict[str, object]) -> Disclosure | None:
        """The subjects that the answer is about, their handles put into ``fields``; raises Refusal."""
        for name, value, code in rule.refuse:
            if fields.get(name) == value:
                raise Refusal(code)
        if rule.listed is not None:
            return self._list(grant, rule, fields) if rule.listed in grant.fields else None
        fields.pop(rule.handle, None)  # a handle of the upstream's is nobody else's (N3)
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


def given_handles(grant: Grant) -> tuple[str, ...]:
    """The handles by which the caller names children, in the contract's order."""
    rule = grant.message.reduction
    return () if rule is None else tuple(str(grant.message.fields[name]) for name in rule.given)


def _conceal(rule: Reduction, fields: dict[str, object]) -> None:
    for name, value, said in rule.conceal:
        if fields.get(name) == value:
            fields[name] = said


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
        handles=given_handles(grant),
        reason=None if rule.reason is None else str(message.fields[rule.reason]),
        gives_handle=(rule.listed or rule.handle) in grant.fields,
        seed=None if grant.effect is None else grant.effect.seed,
    )


def _states(names: tuple[str, str], fields: Mapping[str, object]) -> States:
    """Whoever has an effect says what state it found and left (P5); raises Refusal where it does not."""
    before, after = (fields.get(name) for name in names)
    if not isinstance(before, str) or not isinstance(after, str):
        raise Refusal(Code.UPSTREAM_MALFORMED)
    return States(before, after)


def _written_with(grant: Grant) -> tuple[Change, ...]:
    """What an exchange's record brings of its effect: it is settled, or comes with the record itself."""
    if grant.effect is None:
        return ()
    return (grant.effect.settled,) if grant.effect.outside else (grant.effect.begun,)
