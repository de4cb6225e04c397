"""Two gateways on one PostgreSQL: exchanges through both, one of them killed, the other goes on (DESIGN L4, L5)."""

from __future__ import annotations

import copy
import shutil
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.adapters.fakes import free_port, until
from tests.faults.night import Night

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres.cluster import Cluster


def second(first: Night, folder: Path) -> Night:
    """Another machine's gateway: the same keys, policy and database, its own folders but for the published log."""
    shutil.copytree(first.folder, folder, ignore=shutil.ignore_patterns("log", "log.tmp", "logs", "db"))
    (folder / "gateway" / "db").mkdir(mode=0o700)
    node = copy.copy(first)
    node.folder, node.processes = folder, {}
    node.ports = replace(first.ports, gateway=free_port(), health=free_port())
    own = {"LISTEN__PORT": node.ports.gateway, "LISTEN__HEALTH_PORT": node.ports.health, "FOLDERS__LOG": first.log}
    node.environ = first.environ | {f"PASSERELLE_{name}": str(value) for name, value in own.items()}
    return node


@pytest.fixture
def nodes(postgresql: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Night, Night]]:
    url = postgresql.database()
    monkeypatch.setenv("PASSERELLE_STORAGE__DATABASE", url)
    first = Night(tmp_path / "first")
    other = second(first, tmp_path / "second")
    try:
        first.start()
        other.start()
        yield first, other
    finally:
        for node in (first, other):
            node.close()
        postgresql.give_back(url)


def asked(node: Night, count: int) -> list[str]:
    """The ids of so many exchanges that this node has answered."""
    ids: list[str] = []
    for _ in range(count):
        shown = node.exchange(node.draft().signed())
        assert shown.status == 200, shown.body
        ids.append(shown.headers["exchange-id"])
    return ids


def there(node: Night, ids: list[str]) -> bool:
    try:
        return set(ids) <= {str(leaf.exchange_id) for leaf, _ in node.leaves()}
    except OSError:
        return False  # it grew while it was read


def closed(node: Night) -> int:
    """How many writers the log says are closed."""
    try:
        return Counter(leaf.kind for leaf, _ in node.leaves())["closing"]
    except OSError:
        return 0  # it grew while it was read


def test_one_of_two_nodes_is_killed_and_the_other_closes_its_writers(nodes: tuple[Night, Night]) -> None:
    first, other = nodes
    ids = asked(first, 5) + asked(other, 5)
    # replayed, on whichever node it comes again
    request = first.draft().signed()
    assert [node.exchange(request).status for node in (first, other)] == [200, 409]
    assert until(lambda: there(first, ids), 30)
    writers = {leaf.writer for leaf, _ in first.leaves() if leaf.kind == "opening"}
    assert len(writers) == 4  # two workers of each node, in one log
    first.kill_group()
    ids += asked(other, 5)
    assert until(lambda: there(first, ids), 60)  # the other one leads now, and publishes
    assert until(lambda: closed(first) >= 2, 60)
    first.audited()
    assert other.stop() == 0
    first.audited()
