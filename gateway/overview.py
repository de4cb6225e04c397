"""What an operator sees, composed: beside app, which a gateway in service needs alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.storage import Database
from gateway.watch.observer import KnownPolicy, Observer
from gateway.watch.snapshots import Collector
from gateway.watch.storage import DatabaseWatch

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.composition import Composition


def observer(composition: Composition, snapshots: Path | None) -> Observer:
    """Sees one gateway; ``snapshots`` is where its processes report, if it runs."""
    settings, bundle = composition.settings, composition.bundle
    authorities = {
        f"{name}.{kind}": pem
        for name, item in bundle.authorities.items()
        for kind, pems in (("root", item.roots), ("issuing", item.intermediates))
        for pem in pems
    }
    return Observer(
        settings.folders,
        KnownPolicy(bundle.version, composition.policy_sha256, bundle.periods, authorities),
        DatabaseWatch(lambda: Database(composition.url, durable=False)),
        Collector(snapshots, composition.clock),
        composition.clock,
        (settings.civil_registry.party,),
        # only who watches a gateway that runs knows an hour worth keeping
        None if snapshots is None else settings.folders.logs / "hour.json",
    )
