"""Subject to handles: each party sees its own, the ledger another, and none can be joined (N3).

A subject lives longer than a NIREC's pseudonym: it may be expected before birth, and may turn out to be another one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from gateway.change import Change
from gateway.errors import Code, PasserelleError, Refusal
from gateway.model import DisclosedSubject, Disclosure, SubjectRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.change import Statement
    from gateway.model import Nirec, SubjectRole
    from gateway.nirec.found import Found, Generation, Located
    from gateway.nirec.pseudonyms import PseudonymChain
    from gateway.ports import Keystore

LEDGER_KEY = "ledger-subjects"
HANDLES_KEY = "subject-handles"
#: Makes of a subject the secret by which its family's notes are found and opened (gateway.family).
FAMILY_KEY = "family-notes"
#: The one reason for which two children with a NIREC each are one: the registry has given the child another number.
NEW_NUMBER = "new_number"


class SubjectStore(Protocol):
    """The subjects at rest; ids are 16 random bytes, values and look-ups 32 bytes of HMAC."""

    def generations(self) -> Sequence[Generation]:
        """Every generation of the pseudonym key, oldest first."""
        ...

    def prove(self, generation: int, proof: bytes) -> None:
        """Notes which key a generation has, unless that is known."""
        ...

    def locate(self, values: Sequence[bytes]) -> Located:
        """Whom a NIREC's chain of values finds, in one snapshot."""
        ...

    def make(self, values: Sequence[bytes]) -> Located:
        """The same, with a new subject where there was none, unless the chain is too short by now."""
        ...

    def fresh(self) -> tuple[bytes, str]:
        """A new subject's id and month, not written."""
        ...

    def named(self, lookup: bytes) -> Found | None:
        """The subject that a given handle names."""
        ...

    def family(self, survivor: bytes) -> Sequence[bytes]:
        """A subject and all that were merged into it."""
        ...

    def numbers(self, survivor: bytes) -> int:
        """How many NIRECs it has, with theirs."""
        ...

    def new_subject(self, subject: bytes, created: str) -> Statement:
        """A subject without pseudonym, to be written."""
        ...

    def new_handle(self, lookup: bytes, subject: bytes) -> Statement:
        """A handle that is given, to be written."""
        ...

    def attached(self, values: Sequence[bytes], subject: bytes) -> Statement:
        """A pseudonym for a subject that has none, to be written."""
        ...

    def merged(self, subject: bytes, survivor: bytes, numbers: tuple[int, int]) -> tuple[Statement, ...]:
        """A subject that becomes another, to be written."""
        ...


class SubjectDirectory:
    """ports.Subjects. Nothing is kept in memory but how many generations there are: a merge is seen at once."""

    def __init__(self, store: SubjectStore, chain: PseudonymChain, keystore: Keystore, handle_prefix: str) -> None:
        self._store = store
        self._chain = chain
        self._keystore = keystore
        self._prefix = handle_prefix
        self._newest = 0
        self._checked = -1

    def check(self, handles: Sequence[str], party: str) -> tuple[tuple[str, ...], ...]:
        """The subjects of these handles if each was given to this party; raises Refusal (handle_unknown).

        A handle that nobody has and one of another party's cannot be told apart (N4). Each subject by the ledger's
        hashes: its own first, then those of the ones that were merged into it.
        """
        found = [self._named(handle, party).survivor for handle in handles]
        return tuple((self._in_ledger(subject), *self._formerly(subject)) for subject in found)

    def named_for(self, handles: Sequence[str], party: str, other: str) -> tuple[str, ...]:
        """What ``other`` calls the subjects that ``party`` names by these handles, in their order.

        Raises Refusal: handle_unknown; not_registered where it was never told of one of them. It is not asked then:
        whoever is asked by a handle of its own that it has yet to be given would know it again when it is (N4).
        """
        return tuple(self._named_for(handle, party, other) for handle in handles)

    def introduced(self, handles: Sequence[str], party: str, other: str) -> tuple[tuple[str, ...], tuple[Change, ...]]:
        """The same, each that ``other`` was never told of under the handle that it is given now (N3).

        What that changes is written before it is told, so that whatever it says of the child is known here. Raises
        Refusal (handle_unknown).
        """
        subjects = [self._named(handle, party).survivor for handle in handles]
        known = [(subject, *self._known_as(subject, (), other)) for subject in subjects]
        writes = [
            self._store.new_handle(self._lookup(name, other), subject) for subject, name, given in known if not given
        ]
        changes = (Change(tuple(writes), Code.SUBJECTS_CHANGED),) if writes else ()
        return tuple(name for _, name, _ in known), changes

    def _named_for(self, handle: str, party: str, other: str) -> str:
        name, given = self._known_as(self._named(handle, party).survivor, (), other)
        if not given:
            raise Refusal(Code.NOT_REGISTERED, component="handle")
        return name

    def introduction(self, handle: str, party: str, other: str) -> Disclosure:
        """The subject that ``party`` names so, under the handle of ``other``, to whom it is given with the record (N3).

        Raises Refusal (handle_unknown), KeystoreError.
        """
        told = SubjectRequest("tell", other, None, (), None, gives_handle=True)
        return self._told(told, self._named(handle, party).survivor)

    def disclose(self, request: SubjectRequest) -> Disclosure:
        """The subject that the request is about, under the names of its party and of the ledger.

        What it changes is not written yet: it comes with the exchange's record, or not at all. Only a subject for a
        NIREC that is new here is made at once (N2).

        Raises:
            Refusal: handle_unknown, merge_needed, merge_refused; upstream_malformed for a handle that its upstream was
                never given.
            KeystoreError: a key is absent, or not the one that it was.
        """
        match request.act:
            case "disclose":
                return self._told(request, self._found_or_made(_given(request.nirec)).survivor)
            case "expect":
                return self._expected(request)
            case "attach":
                return self._attached(request, self._named(request.handles[0], request.party))
            case "merge":
                one, other = (self._named(handle, request.party) for handle in request.handles)
                return self._merged(request, one, other)
            case "read" | "register" | "view" | "tell":
                return self._told(request, self._named(request.handles[0], request.party).survivor)
            case "list":
                return self._listed(request)

    def _expected(self, request: SubjectRequest) -> Disclosure:
        """A child to be born; the one that this party was told of already, where the same request is repeated."""
        fresh, created = self._store.fresh()
        subject = request.seed or fresh
        former = self._store.named(self._lookup(self._handle(subject, request.party), request.party))
        if former is not None:
            return self._told(request, former.survivor)
        return self._told(request, subject, (), [self._store.new_subject(subject, created)])

    def _listed(self, request: SubjectRequest) -> Disclosure:
        """Those whom another party found, by its own handles; who stands there twice is written once."""
        there = {handle: self._found_there(request, handle) for handle in request.handles}
        told = {handle: self._told(request, subject) for handle, subject in there.items()}
        changes = tuple(change for one in told.values() for change in one.changes)
        names = tuple(
            replace(told[handle].subjects[0], formerly=self._formerly(there[handle])) for handle in request.handles
        )
        return Disclosure(names, changes, tuple(secret for one in told.values() for secret in one.secrets))

    def _found_there(self, request: SubjectRequest, handle: str) -> bytes:
        found = self._store.named(self._lookup(handle, str(request.upstream)))
        if found is None:
            raise Refusal(Code.UPSTREAM_MALFORMED, component="handle")
        return found.survivor

    def enrolled(self, nirec: Nirec | None, party: str) -> tuple[str, tuple[Statement, ...]]:
        """The handle by which a party knows a child, and what is to be written for it to be so.

        For files that were there before the gateway: many at once, in one transaction, each of them a child that is
        named here for the first time, or by its NIREC known already.
        """
        values, known = ((), None) if nirec is None else self._located(nirec)
        if known is not None:
            handle, given = self._known_as(known.survivor, (), party)
            return handle, () if given else (self._store.new_handle(self._lookup(handle, party), known.survivor),)
        subject, created = self._store.fresh()
        handle = self._handle(subject, party)
        writes = [self._store.new_subject(subject, created)]
        if values:
            writes.append(self._store.attached(values, subject))
        return handle, (*writes, self._store.new_handle(self._lookup(handle, party), subject))

    def _attached(self, request: SubjectRequest, expected: Found) -> Disclosure:
        """The registry has confirmed the birth: the NIREC is this subject's from now on."""
        values, known = self._located(_given(request.nirec))
        subject = expected.survivor
        if known is not None and known.survivor == subject:
            return self._told(request, subject, (expected.named,))  # as it was asked before
        if self._store.numbers(subject):
            raise Refusal(Code.MERGE_NEEDED, component="handle")  # this child was born already
        if known is None:
            return self._told(request, subject, (expected.named,), [self._store.attached(values, subject)])
        party = request.party
        if any(self._is_known(self._handle(each, party), party) for each in self._store.family(known.survivor)):
            raise Refusal(Code.MERGE_NEEDED, component="nirec")  # the party knows this child as another one
        # Others asked about this NIREC first: to refuse would tell that they did (N4)
        return self._joined(request, expected, known, (0, self._store.numbers(known.survivor)))

    def _merged(self, request: SubjectRequest, one: Found, other: Found) -> Disclosure:
        if one.survivor == other.survivor:
            return self._told(request, one.survivor, (one.named, other.named))  # as it was asked before
        numbers = self._store.numbers(one.survivor), self._store.numbers(other.survivor)
        if all(numbers) and request.reason != NEW_NUMBER:
            raise Refusal(Code.MERGE_REFUSED, component="reason")
        return self._joined(request, one, other, numbers)

    def _joined(self, request: SubjectRequest, one: Found, other: Found, numbers: tuple[int, int]) -> Disclosure:
        """One takes the other in, if each has as many NIRECs at the commit as it was judged by.

        The lower id stays: random, and the same whoever asks. If the older one stayed, its handle would tell a party
        that somebody had asked about this child before it did (N4).
        """
        goes, stays = one.survivor, other.survivor
        if goes < stays:
            goes, stays, numbers = stays, goes, numbers[::-1]
        return self._told(request, stays, (one.named, other.named, goes), self._store.merged(goes, stays, numbers))

    def _told(
        self,
        request: SubjectRequest,
        subject: bytes,
        others: Sequence[bytes] = (),
        statements: Sequence[Statement] = (),
    ) -> Disclosure:
        """The subject first, and with it each other that now is this one."""
        party, merged = request.party, [each for each in dict.fromkeys(others) if each != subject]
        handle, given = self._known_as(subject, merged, party)
        names = [self._names(subject, handle, "survivor" if merged else None)]
        names += [self._names(each, self._handle(each, party), "merged") for each in merged]
        writes = [*statements]
        if request.gives_handle and not given:
            writes.append(self._store.new_handle(self._lookup(handle, party), subject))
        changes = (Change(tuple(writes), Code.SUBJECTS_CHANGED),) if writes else ()
        return Disclosure(tuple(names), changes, (self._secret(subject),))

    def secrets(self, handle: str, party: str) -> tuple[bytes, ...]:
        """Those of the child whom this party names so, and of all that became it; raises Refusal (handle_unknown)."""
        return tuple(self._secret(each) for each in self._store.family(self._named(handle, party).survivor))

    def _secret(self, subject: bytes) -> bytes:
        return self._keystore.mac(FAMILY_KEY, subject)

    def _names(self, subject: bytes, handle: str, role: SubjectRole | None) -> DisclosedSubject:
        return DisclosedSubject(ledger=self._in_ledger(subject), handle=handle, role=role)

    def _in_ledger(self, subject: bytes) -> str:
        return self._keystore.mac(LEDGER_KEY, subject).hex()

    def _formerly(self, subject: bytes) -> tuple[str, ...]:
        """The ledger's hashes of those who became this subject."""
        return tuple(self._in_ledger(each) for each in self._store.family(subject) if each != subject)

    def _known_as(self, subject: bytes, merged: Sequence[bytes], party: str) -> tuple[str, bool]:
        """The handle by which this party is told of a subject, and whether it was given it before.

        Its own one, unless the party knows the child by that of another that became this one: whoever did not ask for
        a merge is not told, by another handle, that there was one (N4). Of several, the one that would have stayed had
        nobody else been there.
        """
        own = self._handle(subject, party)
        if self._is_known(own, party):
            return own, True
        for each in sorted({member for name in (subject, *merged) for member in self._store.family(name)}):
            handle = self._handle(each, party)
            if self._is_known(handle, party):
                return handle, True
        return own, False

    def _handle(self, subject: bytes, party: str) -> str:
        return self._keystore.mac(self._prefix + party, subject).hex()

    def _lookup(self, handle: str, party: str) -> bytes:
        # the party is in it: a handle finds nothing for anybody else, even if two parties ever had the same one
        return self._keystore.mac(HANDLES_KEY, f"{party}\0{handle}".encode())

    def _is_known(self, handle: str, party: str) -> bool:
        return self._store.named(self._lookup(handle, party)) is not None

    def _named(self, handle: str, party: str) -> Found:
        found = self._store.named(self._lookup(handle, party))
        if found is None:
            raise Refusal(Code.HANDLE_UNKNOWN, component="handle")
        return found

    def _found_or_made(self, nirec: Nirec) -> Found:
        values, found = self._located(nirec)
        while found is None:
            located = self._store.make(values)
            # a rotation that began meanwhile may have rewritten the row: the chain is walked on, and looked up again
            values, found = self._extended(values, located.newest), located.found
        return found

    def _located(self, nirec: Nirec) -> tuple[tuple[bytes, ...], Found | None]:
        """The chain up to the newest generation, and whom it finds."""
        values = self._chain.values(nirec, self._newest)
        while True:
            located = self._store.locate(values)
            complete = self._extended(values, located.newest)
            if located.found is not None or complete == values:
                return complete, located.found
            values = complete

    def _extended(self, values: tuple[bytes, ...], newest: int) -> tuple[bytes, ...]:
        if newest > self._checked:
            self._check_keys()
        self._newest = newest
        return self._chain.extended(values, newest)[: newest + 1]

    def _check_keys(self) -> None:
        """Each generation has the key that it had when it was first used; raises KeystoreError."""
        self._checked = check_generations(self._store, self._chain)


def check_generations(store: SubjectStore, chain: PseudonymChain) -> int:
    """Returns the newest generation if each has the key that it had when first used; raises KeystoreError."""
    generations = store.generations()
    for generation in generations:
        if generation.proof is None:
            store.prove(generation.number, chain.proof(generation.number))
        else:
            chain.check(generation.number, generation.proof)
    return generations[-1].number


def _given(nirec: Nirec | None) -> Nirec:
    if nirec is None:
        raise PasserelleError("the contract's identifier is no NIREC")
    return nirec
