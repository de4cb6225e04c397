"""Any byte changed anywhere in any file: the log does not hold (DESIGN section 10)."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from gateway.audit.audit import audit

if TYPE_CHECKING:
    from pathlib import Path

#: 200 in each file is what the rule asks for; TAMPER_BYTES=200 does that, over a minute or two.
PER_FILE = int(os.environ.get("TAMPER_BYTES", "5"))


def test_a_byte_changed_in_any_file(log: Path, trust: Path) -> None:
    for path in sorted(path for path in log.rglob("*") if path.is_file()):
        good = path.read_bytes()
        for number in range(PER_FILE):
            # drawn from the file and the number: another run of the same log tries the same bytes
            drawn = hashlib.sha256(good + number.to_bytes(4)).digest()
            at = int.from_bytes(drawn[:8]) % len(good)
            bad = good[:at] + bytes([good[at] ^ (drawn[8] or 1)]) + good[at + 1 :]
            path.write_bytes(bad)
            assert not audit(log, trust).holds, f"{path.relative_to(log)} at {at}"
        path.write_bytes(good)
    assert audit(log, trust).holds


@pytest.mark.parametrize("spoil", ["empty", "shorter", "longer", "gone"])
def test_a_file_emptied_cut_lengthened_or_removed(log: Path, trust: Path, spoil: str) -> None:
    for path in sorted(path for path in log.rglob("*") if path.is_file()):
        good = path.read_bytes()
        if spoil == "gone":
            path.unlink()
        else:
            path.write_bytes({"empty": b"", "shorter": good[:-1], "longer": good + b"\x00"}[spoil])
        verdict = audit(log, trust)
        named = {finding.file for finding in verdict.findings}
        # an object that no evidence names can be removed unseen: nothing rests on it
        if spoil != "gone" or path.parent.name != "objects":
            assert str(path.relative_to(log)) in named, path
        path.write_bytes(good)
