"""The log's first leaf (DESIGN P1), and the acts about the policy after it, by one process for a moment."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.ledger.evidence import genesis_evidence
from gateway.ledger.policy_acts import ActWriter, PolicyLog
from gateway.ledger.storage import connected, opened
from gateway.ledger.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.ledger.locks import Lives
    from gateway.ledger.note import LogKey
    from gateway.ledger.policy_acts import By
    from gateway.ledger.policy_published import PublishedActs
    from gateway.ledger.storage import Records
    from gateway.ports import Clock, Randomness


def begin_log(
    url: str,
    *,
    key: LogKey,
    policy: bytes,
    objects: Mapping[str, bytes],
    locks: Lives,
    clock: Clock,
    randomness: Randomness,
) -> str:
    """Makes the database and the genesis leaf; gives the policy's hex SHA-256, which is an auditor's anchor.

    Args:
        url: of the database, made where there is none.
        key: the log's public key; its name is the origin.
        policy: the first bundle's bytes.
        objects: further bytes for ``objects/`` by hex SHA-256, such as the contracts.
        locks: who lives.
        clock: the leaf's time.
        randomness: ids and salts.

    Raises:
        LedgerError: the database holds a log already.
    """
    digest = sha256(policy).hexdigest()
    everything = {**objects, digest: policy}
    with opened(url, everything.__getitem__) as (records, log):
        writer = _writer(records, "init", locks, randomness)
        try:
            evidence = genesis_evidence(key.name, digest, key.vkey)
            draft = writer.draft("genesis", randomness.uuid(), clock.now(), evidence)
            # state, leaf and objects in one transaction: a crash leaves either no log or one with its genesis
            log.begin(key.name, writer.row(draft), everything)
            writer.settled(draft)
        finally:
            writer.close()
    return digest


def open_policy_log(
    url: str, *, published: PublishedActs, by: By, locks: Lives, clock: Clock, randomness: Randomness
) -> PolicyLog:
    """The acts about the policy, to be read and added to; gateways may run meanwhile.

    Args:
        url: of a database that holds a log.
        published: the log's directory.
        by: which of our processes this is, for the record.
        locks: who lives.
        clock: the leaves' time.
        randomness: ids and salts.
    """
    records, rows, dispose = connected(url)
    writer = _writer(records, by, locks, randomness)

    def close() -> None:
        writer.close()
        dispose()

    return PolicyLog(rows, ActWriter(rows, writer, clock, randomness, by), close, published)


def _writer(records: Records, role: str, locks: Lives, randomness: Randomness) -> Writer:
    return Writer(records, role=role, locks=locks, randomness=randomness, period_key=None)
