"""`disclosures_query_s_1m`: how long a question takes over a million disclosures, once they are indexed.

    python benchmarks/disclosures.py [--quick]

The rows are made up and go through the index's own writer, a year of twelve sealed periods; each question opens the
index anew, as the command does. The slowest of the questions counts. Reading the leaves that show an answer in the log
is not in it: there is no log behind made-up rows.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path
from uuid import UUID

from figures import Figure, keep

from gateway.audit.questions.disclosures import Question, find
from gateway.audit.questions.rows import Row, Rows, Subject, Terms
from gateway.audit.questions.store import Head, IndexFolder, Part
from gateway.system import SystemRandomness

PERIODS = tuple(range(202601, 202613))
HASH = 32
CHILDREN = 90_000
_MILLION, _QUICK = 1_000_000, 50_000
_MONTH = 30 * 24 * 3600 * 1_000_000
_START = 1_767_225_600_000_000  # 2026-01-01


def terms() -> list[Terms]:
    """What a year's disclosures share: three parties, four operations, a policy that changed each month."""
    return [
        Terms(
            kind="exchange",
            party=party,
            operation=operation,
            purpose=purpose,
            agreement=f"ENT-{party}",
            contract="c" * 64,
            policy=f"{month:064x}",
            outcome="released",
            fields=fields,
            discloses=True,
        )
        for month in range(12)
        for party in ("ministry", "cooperative-a", "cooperative-b")
        for operation, purpose, fields in (
            ("nirec.verify", "admissibilite", ("handle", "outcome")),
            ("registration.read", "subvention", ("handle", "status", "since")),
            ("subject.expect", "admissibilite", ("handle",)),
            ("placement.notify", "placement", ("handle", "place")),
        )
    ]


def filled(count: int) -> dict[int, Rows]:
    """So many rows over the periods, of children who come back."""
    kinds = terms()
    names = os.urandom(HASH * 2 * CHILDREN)
    parts = {period: Rows() for period in PERIODS}
    for index in range(count):
        month, child = index * len(PERIODS) // count, index * 7919 % CHILDREN
        at = child * 2 * HASH
        subject = Subject(names[at : at + HASH].hex(), names[at + HASH : at + 2 * HASH].hex())
        row = Row(
            index=index,
            at=_START + index * (12 * _MONTH // count),
            exchange_id=UUID(bytes=os.urandom(16), version=4),
            leaf_hash=os.urandom(HASH),
            terms=kinds[month * 12 + index % 12],
            subject=subject,
        )
        parts[PERIODS[month]].append(row)
    return parts


def main() -> None:
    """Measures, prints, keeps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    count = _QUICK if quick else _MILLION
    keys = {period: os.urandom(96) for period in PERIODS}
    with tempfile.TemporaryDirectory() as folder:
        store = IndexFolder(Path(folder) / "index", "log.bench", keys, SystemRandomness())
        parts = filled(count)
        head = Head("", count, "0" * 64, "", "", (), 0, {period: Part(len(rows), 0) for period, rows in parts.items()})
        started = time.perf_counter()
        store.write(head, parts)
        written = time.perf_counter() - started
        size = sum(path.stat().st_size for path in (Path(folder) / "index").iterdir())
        subject = parts[PERIODS[3]][0].subject
        del parts
        questions = {
            "subject": Question(subject=subject.handle if subject else None),
            "party_field_week": Question(
                since=_START + 4 * _MONTH, until=_START + 4 * _MONTH + _MONTH // 4, party="ministry", field="status"
            ),
            "purpose_day": Question(since=_START, until=_START + _MONTH // 30, purpose="placement"),
        }
        took, found = {}, {}
        for name, question in questions.items():
            started = time.perf_counter()
            kept = store.head()
            if kept is None:
                raise SystemExit("the index does not open")
            found[name] = len(find(store.rows(kept), question).rows)
            took[name] = round(time.perf_counter() - started, 3)
    name = "disclosures_query_s_1m" if count == _MILLION else "disclosures_query_s"
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    slowest = max(took, key=lambda question: took[question])
    what = f"the slowest of {len(took)} questions over {count:,} disclosures ({slowest}: {found[slowest]} found)"
    keep(
        {
            name: Figure(took[slowest], "s", 1, what),
            "disclosures_index_write_s": Figure(round(written, 2), "s", 1, f"to write their index, {mib} MiB resident"),
            "disclosures_index_bytes": Figure(round(size / count, 1), "bytes", 1, "of the index, a disclosure"),
        },
        quick=quick,
    )


if __name__ == "__main__":
    main()
