"""`passerelle call`: one operation as a party; the answer verified, kept, and proven in the log."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Protocol

from contracts.loader import SALT, load_contracts
from gateway.cli.answers import say_answer
from gateway.cli.output import Exit
from gateway.client.client import PartyClient, UnreachableError
from gateway.client.failed import kept, under
from gateway.client.party import PartyFolder
from gateway.client.signer import SIGNING_KEY, RequestSigner
from gateway.client.verifier import AnswerError
from gateway.errors import ConfigurationError
from gateway.keys.files import FileKeystore
from gateway.places import contracts_folder
from gateway.signing.request import UUID_TEXT
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from contracts.loader import Contract, Operation, RestBinding
    from gateway.cli.output import Output
    from gateway.client.client import Acknowledgement, ProvenPlace
    from gateway.client.party import AgreedOperation
    from gateway.client.signer import SignedRequest
    from gateway.client.verifier import VerifiedAnswer
    from gateway.ports import Randomness

_GOOD = 300


def client_of(folder: Path) -> PartyClient:
    """A party's client from its folder; raises ConfigurationError, KeystoreError."""
    party = PartyFolder.load(folder)
    keystore = FileKeystore(folder, signing=[SIGNING_KEY])
    randomness = SystemRandomness()
    return PartyClient(party, RequestSigner(keystore, SystemClock(), randomness, party.origin), randomness)


def operation_of(
    name: str, version: str | None, contracts: Sequence[Contract], agreed: AgreedOperation | None
) -> tuple[Operation, RestBinding | None]:
    """The operation in that version, and how it is called; None for as the party's folder says.

    Without a version it is the one whose path the party's folder has, else the newest. Raises ConfigurationError.
    """
    found = {one.version: one.operations[name] for one in contracts if name in one.operations}
    if not found:
        known = sorted({word for one in contracts for word in one.operations})
        raise ConfigurationError("no_such_operation", operation=name, known=", ".join(known))
    if version is not None and version not in found:
        known = sorted(found, key=int)
        raise ConfigurationError("no_such_version", operation=name, version=version, known=", ".join(known))
    if version is not None:
        return found[version], found[version].rest
    for operation in found.values():
        if agreed is not None and (agreed.method, agreed.path) == (operation.rest.method, operation.rest.path):
            return operation, operation.rest
    return found[max(found, key=int)], None


def read_fields(data: str) -> dict[str, Any]:
    """The fields in a JSON file, or on standard input for ``-``; raises ConfigurationError."""
    try:
        if data == "-":
            fields = json.load(sys.stdin)
        else:
            with open(data, encoding="utf-8") as file:  # noqa: PTH123  the name comes from the command line
                fields = json.load(file)
        json.dumps(fields, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=data, detail=error.strerror) from None
    except (ValueError, RecursionError):
        raise ConfigurationError("not_json", path=data) from None
    if not isinstance(fields, dict):
        raise ConfigurationError("not_json", path=data)
    return fields


def key_for(operation: Operation, key: str | None, randomness: Randomness) -> str | None:
    """The Idempotency-Key of a call: the one that is given, else a fresh one where it has an effect (L4).

    Raises ConfigurationError for what is no UUID as the gateway reads it, so that nothing is sent under it.
    """
    if key is None:
        return None if operation.idempotent else str(randomness.uuid())
    if not UUID_TEXT.fullmatch(key):
        raise ConfigurationError("key_not_uuid", given=key)
    return key


class Acknowledging(Protocol):
    """What of a client an acknowledgement needs."""

    def acknowledge(self, request: SignedRequest, answer: VerifiedAnswer, *, handle: str | None) -> Acknowledgement:
        """As PartyClient."""
        ...


def handle_in(operation: Operation, answer: VerifiedAnswer) -> str | None:
    """The handle in an answer; None where it has none."""
    rule = operation.reduction
    handle = None if rule is None else json.loads(answer.body).get(rule.handle)
    return handle if isinstance(handle, str) else None


def call(
    output: Output,
    operation: str,
    party: Path,
    data: str,
    receipts: Path,
    within: float,
    *,
    acknowledge: bool = False,
    version: str | None = None,
    key: str | None = None,
) -> Exit:
    """Makes the call and says what came of it; exit 1 when the gateway refuses, or does not prove itself.

    ``key``: the Idempotency-Key of the call that this one repeats; without it an effect has a fresh one. Raises
    ConfigurationError, KeystoreError before anything is sent, and after it CallErrors, which tell the key.
    """
    contracts = load_contracts(contracts_folder())
    declared, rest = operation_of(operation, version, contracts, PartyFolder.load(party).operations.get(operation))
    client = client_of(party)
    salted = SALT in declared.sensitivity("request")
    key = key_for(declared, key, SystemRandomness())
    request = client.prepare(operation, read_fields(data), salted=salted, rest=rest, idempotency_key=key)
    say_key(output, key)
    with under(key):
        answer = client.send(request)
        path = client.keep(request, answer, receipts)
        place = placed(client, answer, within, path)
        said, code = None, Exit.HOLDS if answer.status < _GOOD else Exit.REFUSED
        if acknowledge and answer.status < _GOOD:
            said, code = acknowledged(output, client, request, answer, handle_in(declared, answer))
        if said is not None:
            client.keep(said.request, said.answer, receipts)
    show(output, operation, answer, place, path, None if said is None else said.answer, key)
    return code


def say_key(output: Output, key: str | None) -> None:
    """Says an effect's key before anything is sent: whoever has no answer repeats the call under it."""
    if key is not None:
        output.say("call.key", uuid=key)


def acknowledged(
    output: Output, client: Acknowledging, request: SignedRequest, answer: VerifiedAnswer, handle: str | None
) -> tuple[Acknowledgement | None, Exit]:
    """The acknowledgement and the exit code; a failure of it is told, and does not take the answer away."""
    try:
        made = client.acknowledge(request, answer, handle=handle)
    except (UnreachableError, AnswerError) as error:
        outside = isinstance(error, UnreachableError)
        text = output.t(f"problem.{error.key}", **error.values)
        output.fail("error.outside" if outside else "error.untrusted", text=text)
        return None, Exit.OUTSIDE if outside else Exit.REFUSED
    return made, Exit.HOLDS if made.answer.status < _GOOD else Exit.REFUSED


def proven(client: PartyClient, answer: VerifiedAnswer, within: float) -> ProvenPlace | None:
    """The answer's place in the log; None where the log does not show it in time, or its party is refused all."""
    try:
        return client.prove(answer, within=within)
    except AnswerError as error:
        # whoever is refused at step 1 is refused its receipts too; the answer is signed, and says why
        if error.key != "no_receipt" or answer.status < _GOOD:
            raise
        return None


def placed(client: PartyClient, answer: VerifiedAnswer, within: float, path: Path) -> ProvenPlace | None:
    """The same, where the answer has a leaf; what proves it is kept beside the receipt. Raises UnkeptError too."""
    place = None if answer.ledger_leaf is None else proven(client, answer, within)
    if place is not None:
        with kept():
            path.with_suffix(".jws").write_text(place.receipt, encoding="ascii")
    return place


def show(
    output: Output,
    operation: str,
    answer: VerifiedAnswer,
    place: ProvenPlace | None,
    path: Path,
    said: VerifiedAnswer | None,
    key: str | None,
) -> None:
    """Says what was answered, where it is kept, what the acknowledgement ``said``, and the call's ``key``."""
    body = json.loads(answer.body)
    index = None if place is None else place.index
    acknowledgement = None if said is None else {"status": said.status, "exchange_id": said.exchange_id}
    output.result(
        {
            "status": answer.status,
            "exchange_id": answer.exchange_id,
            "body": body,
            "index": index,
            "receipt": path,
            "acknowledgement": acknowledgement,
            "idempotency_key": key,
        }
    )
    output.say("call.status", status=answer.status, exchange_id=answer.exchange_id)
    if answer.status < _GOOD:
        say_answer(output, operation, body)
    else:
        _show_problem(output, body)
    output.say("call.verified")
    if index is None:
        output.say("call.unproven", path=path, folder=path.parent)
    else:
        output.say("call.proven", index=index, path=path)
    if said is not None:
        key = "call.acknowledged" if said.status < _GOOD else "call.not_acknowledged"
        output.say(key, status=said.status, exchange_id=said.exchange_id)


def _show_problem(output: Output, problem: dict[str, Any]) -> None:
    """A refusal in the reader's language, whatever language the gateway put first (RFC 9457)."""
    language = output.t.language
    title, detail = (problem.get(f"{name}_{language}", problem.get(name, "")) for name in ("title", "detail"))
    code = str(problem.get("code", ""))
    output.say("call.refused", title=title, code=code)
    output.say("call.next", detail=detail)
    if "component" in problem:
        output.say("call.component", component=problem["component"])
    if "reason" in problem:
        output.say("call.reason", reason=problem["reason"])
