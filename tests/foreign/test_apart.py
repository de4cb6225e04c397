"""What evidence holds sealed to officers (C5), judged by the verifier that others wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.audit.conftest import bench, forger, gateway, trust
from tests.audit.test_apart import allow, sealed
from tests.audit.test_rest_upstream_attacks import Conversation
from tests.foreign.test_verify import second, verdicts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.audit.bench import Bench

__all__ = ["bench", "forger", "gateway", "second", "trust", "verdicts"]  # fixtures of other tests


@pytest.mark.parametrize("allowed", [True, False])
def test_both_hold_what_is_sealed_apart_only_where_the_policy_says_so(
    bench: Bench, trust: Path, verdicts: Callable[[Path, Path], tuple[bool, bool]], tmp_path: Path, *, allowed: bool
) -> None:
    talk = Conversation(bench, bench.one("nirec.verify"))
    if allowed:
        allow(bench)
    asked = talk.asked()
    parts = {"request": sealed(talk, asked), "answer": sealed(talk, talk.said(asked))}
    bench.forger.change(talk.item, lambda evidence: evidence["upstream"][0].update(parts))
    log = bench.forger.write(bench.items, tmp_path / "log", bench._objects)
    assert verdicts(log, trust) == (allowed, allowed)
