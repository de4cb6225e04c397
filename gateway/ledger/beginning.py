"""The log's first leaf, and the leaf of each policy after it (DESIGN P1); by one process, before others start."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.errors import LedgerError
from gateway.ledger.encoding import parse_canonical_json
from gateway.ledger.evidence import genesis_evidence, policy_evidence
from gateway.ledger.leaf import KINDS
from gateway.ledger.record import unpack_record
from gateway.ledger.storage import opened
from gateway.ledger.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gateway.ledger.note import LogKey
    from gateway.ledger.storage import Lookup, Records
    from gateway.ports import Clock, Randomness

_ROLE = "init"


def begin_log(
    url: str,
    *,
    key: LogKey,
    policy: bytes,
    objects: Mapping[str, bytes],
    locks: Path,
    clock: Clock,
    randomness: Randomness,
) -> str:
    """Makes the database and the genesis leaf; gives the policy's hex SHA-256, which is an auditor's anchor.

    Args:
        url: of the database, made where there is none.
        key: the log's public key; its name is the origin.
        policy: the first bundle's bytes.
        objects: further bytes for ``objects/`` by hex SHA-256, such as the contracts.
        locks: directory of the writers' lock files.
        clock: the leaf's time.
        randomness: ids and salts.

    Raises:
        LedgerError: the database holds a log already.
    """
    digest, everything = _with_policy(policy, objects)
    with opened(url, everything.__getitem__) as (records, log, _):
        writer = _writer(records, locks, randomness)
        try:
            evidence = genesis_evidence(key.name, digest, key.vkey)
            draft = writer.draft("genesis", randomness.uuid(), clock.now(), evidence)
            # state, leaf and objects in one transaction: a crash leaves either no log or one with its genesis
            log.begin(key.name, writer.row(draft), everything)
            writer.settled(draft)
        finally:
            writer.close()
    return digest


def adopt_policy(
    url: str,
    *,
    policy: bytes,
    version_of: Callable[[bytes], tuple[int, str | None]],
    objects: Mapping[str, bytes],
    locks: Path,
    clock: Clock,
    randomness: Randomness,
) -> bool:
    """Adds a policy leaf if this bundle is not the one of the newest genesis or policy leaf; says whether it did.

    ``version_of`` reads version and previous hash in a bundle's bytes; of the genesis bundle too, which the log keeps.

    Raises:
        LedgerError: no log was begun, or the bundle's version is not above that of the one in force.
    """
    digest, everything = _with_policy(policy, objects)
    with opened(url, everything.__getitem__) as (records, _, lookup):
        previous = _policy_in_force(lookup)
        if previous == digest:
            return False
        version, names = version_of(policy)
        if names not in (None, previous):
            raise LedgerError("the policy names another one before it than the one in force")
        _check_version(lookup, previous, version, version_of)
        writer = _writer(records, locks, randomness)
        try:
            evidence = policy_evidence(digest, version, previous)
            draft = writer.draft("policy", randomness.uuid(), clock.now(), evidence)
            writer.commit(draft, objects=frozenset(everything))
        finally:
            writer.close()
    return True


def policy_in_force(url: str) -> str:
    """Hex SHA-256 of the policy of the newest genesis or policy leaf; raises LedgerError where no log was begun."""
    with opened(url, dict[str, bytes]().__getitem__) as (_, _, lookup):
        return _policy_in_force(lookup)


def _policy_in_force(lookup: Lookup) -> str:
    newest = lookup.last_of_kinds([KINDS["genesis"], KINDS["policy"]])
    if newest is None or newest.record is None:
        raise LedgerError("no log was begun in this database")
    return str(parse_canonical_json(unpack_record(newest.record).evidence)["policy"])


def _check_version(
    lookup: Lookup, previous: str, version: int, version_of: Callable[[bytes], tuple[int, str | None]]
) -> None:
    bundle = lookup.object(previous)
    if bundle is None:
        raise LedgerError("the log does not hold the policy in force")
    floor, _ = version_of(bundle)
    if version <= floor:
        raise LedgerError(f"policy version {version} is not above {floor}, the one in force")


def _with_policy(policy: bytes, objects: Mapping[str, bytes]) -> tuple[str, dict[str, bytes]]:
    digest = sha256(policy).hexdigest()
    return digest, {**objects, digest: policy}


def _writer(records: Records, locks: Path, randomness: Randomness) -> Writer:
    return Writer(records, role=_ROLE, locks=locks, randomness=randomness, period_key=None)
