"""Cosignatures under a checkpoint, against the witnesses that the auditor brings (L10, L11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.audit.audit import audit
from gateway.audit.cosignatures import load_witnesses
from gateway.audit.verdict import Fault, Unproven
from gateway.errors import ConfigurationError
from gateway.ledger.cosignature import WitnessKey, cosign
from gateway.ledger.note import parse_note

if TYPE_CHECKING:
    from pathlib import Path

AT = 1_790_000_000


class Cosigner:
    """A witness's key, which cosigns what it is shown."""

    def __init__(self, name: str) -> None:
        self.private = Ed25519PrivateKey.generate()
        self.key = WitnessKey(name, self.private.public_key().public_bytes_raw())

    def line(self, note: bytes, at: int = AT) -> bytes:
        return cosign(parse_note(note).checkpoint, self.key, at, self.private.sign)


ONE, TWO, THREE = (Cosigner(f"{name}.test/w") for name in ("one", "two", "three"))


def trusted(trust: Path, quorum: int, *witnesses: Cosigner) -> None:
    (trust / "witnesses.vkey").write_text("".join(f"{witness.key.vkey}\n" for witness in witnesses))
    (trust / "witnesses.k").write_text(f"{quorum}\n")


def cosigned(log: Path, *lines: bytes) -> None:
    path = log / "checkpoint"
    path.write_bytes(path.read_bytes() + b"".join(lines))


def lines_of(log: Path, *witnesses: Cosigner) -> list[bytes]:
    return [witness.line((log / "checkpoint").read_bytes()) for witness in witnesses]


def faults(log: Path, trust: Path) -> set[Fault]:
    return {finding.code for finding in audit(log, trust).findings}


def test_a_quorum_holds_and_is_no_longer_unproven(log: Path, trust: Path) -> None:
    trusted(trust, 2, ONE, TWO, THREE)
    cosigned(log, *lines_of(log, ONE, THREE))
    verdict = audit(log, trust)
    assert verdict.holds
    assert Unproven.NO_WITNESSES not in verdict.unproven


def test_without_witnesses_to_trust_it_says_so(log: Path, trust: Path) -> None:
    assert Unproven.NO_WITNESSES in audit(log, trust).unproven


@pytest.mark.parametrize("there", [(), (ONE,)], ids=["none", "one"])
def test_missing_or_too_few_cosignatures(there: tuple[Cosigner, ...], log: Path, trust: Path) -> None:
    trusted(trust, 2, ONE, TWO, THREE)
    cosigned(log, *lines_of(log, *there))
    verdict = audit(log, trust)
    assert [(one.code, one.file) for one in verdict.findings] == [(Fault.COSIGNATURES_MISSING, "checkpoint")]
    assert verdict.facts.exchanges  # the rest was audited all the same


def test_a_witness_counts_once(log: Path, trust: Path) -> None:
    trusted(trust, 2, ONE, TWO)
    cosigned(log, *lines_of(log, ONE), ONE.line((log / "checkpoint").read_bytes(), AT + 1))
    assert faults(log, trust) == {Fault.COSIGNATURE_INVALID}


def test_a_cosignature_of_another_checkpoint(log: Path, trust: Path) -> None:
    trusted(trust, 1, ONE)
    note = (log / "checkpoint").read_bytes()
    origin, size, rest = note.split(b"\n", 2)
    other = b"\n".join([origin, str(int(size) + 1).encode(), rest])
    cosigned(log, ONE.line(other))
    assert faults(log, trust) == {Fault.COSIGNATURE_INVALID}


def test_a_cosignature_whose_time_was_changed(log: Path, trust: Path) -> None:
    trusted(trust, 1, ONE)
    (line,) = lines_of(log, ONE)
    cosigned(log, line.replace(b"AAAAAG", b"AAAAAH", 1) if b"AAAAAG" in line else line[:-5] + b"AAA=\n")
    assert faults(log, trust) & {Fault.COSIGNATURE_INVALID, Fault.CHECKPOINT_INVALID}


@pytest.mark.parametrize("given", [True, False])
def test_a_line_by_a_key_that_is_not_trusted(log: Path, trust: Path, given: bool) -> None:  # noqa: FBT001  a case
    if given:
        trusted(trust, 1, ONE)
        cosigned(log, *lines_of(log, ONE))
    cosigned(log, *lines_of(log, TWO))
    assert faults(log, trust) == {Fault.CHECKPOINT_INVALID}


def test_the_log_s_own_key_is_no_witness(log: Path, trust: Path) -> None:
    """With every key of the gateway a host cannot make a quorum."""
    trusted(trust, 1, ONE)
    note = (log / "checkpoint").read_bytes()
    stranger = Cosigner(ONE.key.name)
    line = stranger.line(note)
    cosigned(log, line)
    assert faults(log, trust) == {Fault.CHECKPOINT_INVALID}


@pytest.mark.parametrize(
    ("vkeys", "quorum"),
    [
        ("junk\n", "1\n"),
        (f"{ONE.key.vkey}\n", "2\n"),
        (f"{ONE.key.vkey}\n", "0\n"),
        (f"{ONE.key.vkey}\n", "one\n"),
        (f"{ONE.key.vkey}\n{ONE.key.vkey}\n", "2\n"),
        (f"{ONE.key.vkey}\n{WitnessKey('other.test/w', ONE.key.public).vkey}\n", "2\n"),
        (f"{ONE.key.vkey}\n", None),
        (None, "1\n"),
    ],
    ids=["junk", "above", "zero", "a word", "twice", "one key", "no quorum", "no keys"],
)
def test_anchors_that_cannot_be_used(vkeys: str | None, quorum: str | None, tmp_path: Path) -> None:
    for name, text in (("witnesses.vkey", vkeys), ("witnesses.k", quorum)):
        if text is not None:
            (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError):
        load_witnesses(tmp_path)
