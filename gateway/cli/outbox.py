"""`passerelle outbox list|show|resend|drop`: ids, times and codes; never a field of a notice, nor a child's name."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from gateway.cli.common import compose, settings_of
from gateway.cli.output import Exit
from gateway.cli.policy_words import local
from gateway.delivery.acts import OutboxActError, OutboxActs
from gateway.delivery.sealing import SEALED_OTHERWISE, Sealing
from gateway.delivery.storage import Outbox
from gateway.errors import ConfigurationError, KeystoreError
from gateway.keys.periods import period_key
from gateway.ledger.deliveries import DeliveryLog
from gateway.ledger.storage import Records
from gateway.ledger.writer import Writer
from gateway.storage import open_database
from gateway.written_nirec import WrittenNirec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.cli.output import Output
    from gateway.composition import Composition
    from gateway.delivery.rows import Waiting
    from gateway.storage import Database

Act = Literal["resend", "drop"]
#: What is wrong with one letter, and says nothing of the others.
_OF_ONE = frozenset({"outbox_unknown", "outbox_not_dead", SEALED_OTHERWISE})
#: More than any outbox holds.
_ALL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Which:
    """What a decision is about: one letter, or (``dead``) all dead letters of a party; ``unread``: it does not open."""

    delivery: str | None
    party: str | None
    dead: bool
    unread: bool = False


@dataclass(frozen=True, slots=True)
class _Desk:
    composition: Composition
    database: Database
    outbox: Outbox


@contextmanager
def _desk(config: Path | None) -> Iterator[_Desk]:
    _, settings = settings_of(config)
    composition = compose(settings)
    _ = composition.bundle  # says first what is wrong with the set-up
    database = open_database(composition.url, durable=True)
    try:
        yield _Desk(composition, database, Outbox(database, composition.clock, composition.randomness))
    finally:
        database.dispose()


def listed(output: Output, config: Path | None, party: str | None, most: int, *, dead: bool) -> Exit:
    """What is in the outbox, the oldest first, and how much there is for each party; 1 where letters are dead."""
    with _desk(config) as desk:
        if party is not None:
            _check_party(desk, party)
        depths = [one for one in desk.outbox.depths() if party in {None, one.party}]
        shown = desk.outbox.listed(most, party, dead=dead)
    output.result({"parties": [asdict(one) for one in depths], "notices": [asdict(one) for one in shown]})
    for one in depths:
        oldest = "—" if one.oldest is None else local(one.oldest)
        output.say(
            "outbox.depth", party=one.party, waiting=one.waiting, failing=one.failing, dead=one.dead, oldest=oldest
        )
    if not depths:
        output.say("outbox.empty")
    for notice in shown:
        _say(output, notice)
    return Exit.REFUSED if any(one.dead for one in depths) else Exit.HOLDS


def show(output: Output, config: Path | None, delivery: str) -> Exit:
    """One notice: where it stands, and the exchange by which it was accepted; raises OutboxActError, KeystoreError."""
    with _desk(config) as desk:
        found = desk.outbox.one(_id(delivery))
        if found is None:
            raise OutboxActError("outbox_unknown", delivery=delivery)
        notice, content = found
        keystore = desk.composition.outbox_keystore()
        try:
            exchange = Sealing(keystore, desk.composition.randomness).open(notice.delivery, content).exchange
        finally:
            keystore.close()
    output.result({**asdict(notice), "exchange": exchange})
    _say(output, notice)
    output.say("outbox.exchange", exchange=exchange)
    return Exit.HOLDS


def decide(output: Output, config: Path | None, which: Which, reason: str, act: Act) -> Exit:
    """Sends a dead letter again, or gives it up, and records that; or does so with every one of a party.

    Raises ConfigurationError where it is neither, UnfitReasonError, OutboxActError, NotRecordedError, KeystoreError.
    """
    if which.delivery is not None and which.party is None and not which.dead:
        return _decide_one(output, config, which, reason, act)
    # both words: what holds for thousands is not said by leaving something out
    if which.delivery is None and which.party is not None and which.dead and not which.unread:
        return _decide_all(output, config, which.party, reason, act)
    raise ConfigurationError("outbox_which")


def _decide_one(output: Output, config: Path | None, which: Which, reason: str, act: Act) -> Exit:
    number = _id(str(which.delivery))
    with _desk(config) as desk, ExitStack() as ends:
        acts = _acts(desk, ends)
        drop = acts.drop_unread if which.unread else acts.drop
        (acts.resend if act == "resend" else drop)(number, reason)
    output.result({"holds": True, "delivery": number, "act": act})
    output.say(f"outbox.{act}", delivery=number)
    return Exit.HOLDS


def _decide_all(output: Output, config: Path | None, party: str, reason: str, act: Act) -> Exit:
    """The oldest first, each recorded by itself, over one writer.

    What another has decided meanwhile, or what does not open, is left, and told: 1 then. Raises ConfigurationError for
    a party that nobody knows, UnfitReasonError, NotRecordedError, KeystoreError; what was decided before stands.
    """
    done, left = [], []
    with _desk(config) as desk, ExitStack() as ends:
        acts = _acts(desk, ends)
        acts.check(reason)
        _check_party(desk, party)
        for letter in desk.outbox.listed(_ALL, party, dead=True):
            try:
                (acts.resend if act == "resend" else acts.drop)(letter.delivery, reason)
            except (OutboxActError, KeystoreError) as problem:
                if problem.key not in _OF_ONE:
                    raise
                left.append(letter.delivery)
                output.fail(f"problem.{problem.key}", **problem.values)
            else:
                done.append(letter.delivery)
    output.result({"holds": not left, "deliveries": done, "left": left, "act": act})
    output.say(f"outbox.{act}_all", party=party, count=len(done))
    return Exit.REFUSED if left else Exit.HOLDS


def _check_party(desk: _Desk, party: str) -> None:
    """A party of the policy in force, or one that still has letters here; raises ConfigurationError."""
    known = {*desk.composition.bundle.parties, *(one.party for one in desk.outbox.depths())}
    if party not in known:
        raise ConfigurationError("outbox_party", party=party, known=", ".join(sorted(known)))


def _acts(desk: _Desk, ends: ExitStack) -> OutboxActs:
    base = desk.composition
    settings, bundle = base.settings, base.bundle
    keystore = base.outbox_keystore()
    ends.callback(keystore.close)
    writer = Writer(
        Records(desk.database, base.objects().__getitem__),
        role="command",
        locks=base.locks,
        randomness=base.randomness,
        period_key=partial(period_key, settings.folders.keys, bundle.periods),
    )
    ends.callback(writer.close)
    return OutboxActs(
        desk.outbox,
        Sealing(keystore, base.randomness),
        DeliveryLog(writer, base.clock, bundle.gateway),
        policy_sha256=base.policy_sha256,
        expiry=timedelta(hours=settings.deliveries.expire_hours),
        clock=base.clock,
        randomness=base.randomness,
        unfit=WrittenNirec(settings.nirec.pattern),
    )


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise OutboxActError("outbox_unknown", delivery=text) from None


def _say(output: Output, notice: Waiting) -> None:
    output.say(
        f"outbox.{notice.state}",
        delivery=notice.delivery,
        party=notice.party,
        accepted=local(notice.accepted),
        due=local(notice.due),
        expires=local(notice.expires),
        attempts=notice.attempts,
        reason=notice.reason or "—",
    )
