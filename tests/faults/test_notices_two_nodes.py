"""Two gateways on one PostgreSQL have notices for two authorities that were down; one gateway is killed among them.

None is lost, each has its effect once, and each child's come in order, by REST and by SOAP.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest

from tests.adapters.fakes import until
from tests.faults.ministry import EVENTS, TOLD, MinistryNight
from tests.faults.night import ROUNDS
from tests.faults.test_two_nodes import second

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.night import Night
    from tests.postgres.cluster import Cluster

CHILDREN = min(10 * ROUNDS, 60)
WORDS = {"ministry": TOLD, "benefits": dict(zip(EVENTS, ("OFF", "ACC", "DEB", "FIN"), strict=True))}
#: No wait of ours but the lease of whoever dies: so long nobody else touches what he was at.
SETTINGS = {
    "DELIVERIES__FIRST_WAIT_SECONDS": 0.05,
    "DELIVERIES__LONGEST_WAIT_SECONDS": 0.5,
    "DELIVERIES__LONGEST_PAUSE_SECONDS": 0.5,
    "DELIVERIES__LEASE_SECONDS": 10,
}


@pytest.fixture
def nodes(
    postgresql: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[MinistryNight, Night]]:
    url = postgresql.database()
    monkeypatch.setenv("PASSERELLE_STORAGE__DATABASE", url)
    first = MinistryNight(tmp_path / "first", **SETTINGS)
    other = second(first, tmp_path / "second")
    try:
        first.start()
        other.start()
        yield first, other
    finally:
        for node in (first, other):
            node.close()
        postgresql.give_back(url)


def test_one_of_two_nodes_is_killed_among_its_deliveries(nodes: tuple[MinistryNight, Night]) -> None:
    first, other = nodes
    children = first.children()[:CHILDREN]
    sent = {authority: first.notified(children, to=authority) for authority in WORDS}
    assert first.held("ministry") == first.held("benefits") == []
    first.start_ministry()
    first.start_benefits()
    assert until(lambda: all(first.held(authority) for authority in WORDS), 20)
    first.kill_group()
    assert until(lambda: all(len(first.held(authority)) == len(sent[authority]) for authority in WORDS), 60)
    for authority, words in WORDS.items():
        assert {number: event for number, _, event in first.held(authority)} == {
            number: words[event] for number, event in sent[authority].items()
        }
        told: dict[str, list[str]] = defaultdict(list)
        for _, child, event in first.held(authority):
            told[child].append(event)
        assert list(told.values()) == [list(words.values())] * CHILDREN
    # each is recorded as delivered too, by whichever of the two has it acknowledged last
    assert until(lambda: delivered(first) == {number for numbers in sent.values() for number in numbers}, 60)
    assert other.stop() == 0
    first.audited()


def delivered(node: MinistryNight) -> set[str]:
    """The deliveries whose acknowledgement is in the published log."""
    found: Counter[str] = Counter()
    for authority in WORDS:
        for number, rounds in node.rounds(authority).items():
            found[number] += sum(one["outcome"] == "delivered" for one in rounds)
    return {number for number, count in found.items() if count}
