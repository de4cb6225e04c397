"""`passerelle effects list`, `settle`: at the gateway, what became of an effect whose answer never came (L4)."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from gateway.cli.common import compose, settings_of
from gateway.cli.output import Exit
from gateway.effects.storage import DatabaseEffects, settled_by_hand
from gateway.errors import ConfigurationError, Refusal
from gateway.keys.periods import period_key
from gateway.ledger.settlements import SettlementLog
from gateway.places import check_there, database_url
from gateway.storage import open_database
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.cli.output import Output
    from gateway.effects.storage import Unsettled
    from gateway.settings import Settings


def list_unsettled(output: Output, config: Path | None) -> Exit:
    """Every effect of which nobody knows what became; exit 1 where one waits for an operator."""
    _, settings = settings_of(config)
    found = _unsettled(settings)
    rows = [
        {"exchange_id": one.exchange_id, "party": one.party, "received_at": one.at, "state": one.state} for one in found
    ]
    waiting = sum(one.state == "unknown" for one in found)
    output.result({"holds": not waiting, "effects": rows})
    for row in rows:
        output.say("effects.row", **row | {"state": output.t(f"effects.state.{row['state']}")})
    if not rows:
        output.say("effects.none")
    return Exit.REFUSED if waiting else Exit.HOLDS


def settle(output: Output, config: Path | None, text: str, outcome: str, reason: str) -> Exit:
    """Records what an operator says of one, which is evidence; raises ConfigurationError where it does not wait for it.

    One that is still ``open`` may have its answer any moment: it is not for an operator yet.
    """
    try:
        exchange_id = UUID(text)
    except ValueError:
        raise ConfigurationError("exchange_id_malformed", text=text) from None
    _, settings = settings_of(config)
    found = next((one for one in _unsettled(settings) if one.exchange_id == exchange_id), None)
    if found is None or found.state != "unknown":
        raise ConfigurationError("effect_not_unknown", exchange=exchange_id)
    composition = compose(settings)
    log = SettlementLog(
        composition.url,
        locks=composition.locks,
        clock=SystemClock(),
        randomness=SystemRandomness(),
        period_key=partial(period_key, settings.folders.keys, composition.bundle.periods),
    )
    with closing(log):
        try:
            log.write(exchange_id, found.key, outcome, reason, settled_by_hand(exchange_id))
        except Refusal:  # an answer came meanwhile
            raise ConfigurationError("effect_not_unknown", exchange=exchange_id) from None
    output.result({"holds": True, "exchange_id": exchange_id, "outcome": outcome, "reason": reason})
    output.say("effects.settled", exchange=exchange_id, outcome=output.t(f"effects.outcome.{outcome}"))
    return Exit.HOLDS


def _unsettled(settings: Settings) -> list[Unsettled]:
    check_there(settings)
    database = open_database(database_url(settings), durable=False)
    try:
        return DatabaseEffects(database).unsettled()
    finally:
        database.dispose()
