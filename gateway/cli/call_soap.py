"""`passerelle call --soap`: the same call in the other form; what it answers is told in the same words."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from contracts.loader import SALT, load_contracts
from gateway.cli.call import client_of, key_for, operation_of, placed, read_fields, say_key, show
from gateway.cli.output import Exit
from gateway.client.failed import under
from gateway.client.party import PartyFolder
from gateway.client.signer import SIGNING_KEY
from gateway.client.soap import SoapCaller
from gateway.keys.files import FileKeystore
from gateway.places import contracts_folder
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.cli.output import Output
    from gateway.client.soap import SoapExchange

_GOOD = 300
_SALT_BYTES = 16


def call_soap(
    output: Output,
    operation: str,
    folder: Path,
    data: str,
    receipts: Path,
    within: float,
    *,
    version: str | None = None,
    key: str | None = None,
) -> Exit:
    """Makes the call and says what came of it; exit 1 when the gateway refuses, or does not prove itself."""
    party, client, randomness = PartyFolder.load(folder), client_of(folder), SystemRandomness()
    contracts = load_contracts(contracts_folder())
    declared, _ = operation_of(operation, version, contracts, party.operations.get(operation))
    contract = next(one for one in contracts if one.operations.get(operation) is declared)
    fields = read_fields(data)
    if SALT in declared.sensitivity("request"):
        fields = {SALT: b64encode(randomness.bytes(_SALT_BYTES)).decode()} | fields
    key = key_for(declared, key, randomness)
    say_key(output, key)
    caller = SoapCaller(client, party, FileKeystore(folder, signing=[SIGNING_KEY]), SystemClock(), randomness)
    with under(key):
        exchange: SoapExchange = caller.call(contract, operation, fields, idempotency_key=key)
        path = caller.keep(exchange, receipts)
        answer = exchange.answer
        place = placed(client, answer, within, path)
    show(output, operation, answer, place, path, None, key)
    return Exit.HOLDS if answer.status < _GOOD else Exit.REFUSED
