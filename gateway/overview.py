"""What an operator sees, composed: beside app, which a gateway in service needs alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from gateway.ledger.policy_acts import acts_of
from gateway.ledger.recovered import read_recovery
from gateway.ledger.storage import PolicyRows
from gateway.losses import unnamed_recoveries
from gateway.places import read_policy
from gateway.policy.bundle import read_bundle
from gateway.policy.recovery import NAMED_WITHIN
from gateway.storage import open_database
from gateway.watch.observer import KnownPolicy, Observer
from gateway.watch.snapshots import Collector
from gateway.watch.storage import DatabaseWatch

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from gateway.composition import Composition
    from gateway.policy.bundle import Bundle
    from gateway.storage import Database


def observer(composition: Composition, snapshots: Path | None) -> Observer:
    """Sees one gateway; ``snapshots`` is where its processes report, if it runs."""
    settings = composition.settings
    databases: list[Database] = []

    def connect() -> Database:
        databases.append(open_database(composition.url, durable=False))
        return databases[-1]

    losses = _Losses(composition)

    def follow() -> KnownPolicy:
        for database in databases[-1:]:  # none until something was first asked of it
            composition.follower.follow(PolicyRows(database))
            losses.look(PolicyRows(database))
        return replace(_known(composition.bundle, composition.policy_sha256), losses=losses.waiting)

    return Observer(
        settings.folders,
        _at_first(composition),
        # as check_server asks at the start
        DatabaseWatch(connect, lambda: settings.storage.synchronous_standbys and not composition.bundle.development),
        Collector(snapshots, composition.clock),
        composition.clock,
        (settings.civil_registry.party, *settings.upstreams),
        # only who watches a gateway that runs knows an hour worth keeping
        None if snapshots is None else settings.folders.logs / "hour.json",
        follow,
    )


class _Losses:
    """What recoveries lost and officers must still name; read again whenever an act was added."""

    def __init__(self, composition: Composition) -> None:
        self._composition = composition
        self._newest: object = None
        self.waiting: tuple[tuple[datetime, datetime], ...] = ()

    def look(self, rows: PolicyRows) -> None:
        """Raises StorageUnavailableError."""
        newest = rows.newest()
        if newest == self._newest:
            return
        waiting = unnamed_recoveries(acts_of(rows.all()), self._composition.follower.history)
        when = [read_recovery(document).until for document in waiting]
        self.waiting = tuple((at, at + NAMED_WITHIN) for at in when)
        self._newest = newest


def _at_first(composition: Composition) -> KnownPolicy:
    """The policy in force; where the database does not give it, the readable copy, which is only shown."""
    try:
        known = _known(composition.bundle, composition.policy_sha256)
        losses, database = _Losses(composition), open_database(composition.url, durable=False)
        try:
            losses.look(PolicyRows(database))
        finally:
            database.dispose()
        return replace(known, losses=losses.waiting)
    except Exception as error:  # noqa: BLE001  whatever keeps the database from answering hides nothing else
        structlog.get_logger("policy").warning("policy_unknown", exc_info=error)
    return _known(*read_bundle(read_policy(composition.settings.folders.policy)))


def _known(bundle: Bundle, sha256: str) -> KnownPolicy:
    authorities = {
        f"{name}.{kind}": pem
        for name, item in bundle.authorities.items()
        for kind, pems in (("root", item.roots), ("issuing", item.intermediates))
        for pem in pems
    }
    ends = {("policy", f"version {bundle.version}"): bundle.validity.until}
    ends |= {("agreement", word): item.validity.until for word, item in bundle.agreements.items()}
    grace = timedelta(hours=bundle.guard.revocation_grace_hours)
    return KnownPolicy(bundle.version, sha256, bundle.periods, authorities, grace, ends)
