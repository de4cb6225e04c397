"""Two verifiers, written apart, say the same of good logs and of changed ones (docs/formats.md is what they share)."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import os
import runpy
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from gateway.audit.audit import audit, remember
from gateway.audit.verdict import Fault
from gateway.ledger.tiles import entries_path, evidence_path, pack_entries, unpack_entries
from tests.adapters.fakes import until
from tests.audit.conftest import bench, forger, gateway, log, trust
from tests.audit.soap_forge import by_soap
from tests.audit.soap_forgeries import FORGERIES as SOAP_FORGERIES
from tests.audit.test_rest_upstream_attacks import Conversation
from tests.foreign.forgeries import FORGERIES
from tests.foreign.recoveries import GOOD as RECOVERIES
from tests.foreign.recoveries import WRONG as WRONG_RECOVERIES
from tests.foreign.recoveries import Recovery
from tests.scenarios.conftest import demo
from tests.scenarios.soap_party import draft, exchanged, send, verification

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.audit.bench import Bench
    from tests.audit.forge import Forger
    from tests.exchange.live import LiveGateway
    from tests.scenarios.conftest import Ran

    Part = dict[str, Any]

__all__ = ["bench", "demo", "forger", "gateway", "log", "trust"]  # fixtures of other tests

VERIFY = Path(__file__).with_name("verify.py")
#: How many bytes are changed in each file; each change is judged by both.
PER_FILE = int(os.environ.get("TAMPER_BYTES", "2"))
#: Two forms of request and answer, and what was asked upstream: each takes its lines, and is no shorter in two files.
LONGEST = 400


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[Path, Path], bool]:
    """The other verifier's verdict, in this process."""

    def holds(log: Path, trust: Path) -> bool:
        monkeypatch.setattr(sys, "argv", [str(VERIFY), str(log), str(trust)])
        with contextlib.suppress(Exception):  # whatever it trips over, it says no
            runpy.run_path(str(VERIFY), run_name="__main__")
        return capsys.readouterr().out == "holds\n"

    return holds


@pytest.fixture
def verdicts(second: Callable[[Path, Path], bool]) -> Callable[[Path, Path], tuple[bool, bool]]:
    """Ours and the other's."""
    return lambda log, trust: (audit(log, trust).holds, second(log, trust))


def files(log: Path) -> list[Path]:
    return sorted(path for path in log.rglob("*") if path.is_file())


def test_it_imports_nothing_of_ours_and_is_short() -> None:
    """Standard library and cryptography alone; one file, read from top to bottom."""
    text = VERIFY.read_text(encoding="utf-8")
    nodes = list(ast.walk(ast.parse(text)))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {module.partition(".")[0] for module in found} <= sys.stdlib_module_names | {"cryptography"}
    assert len(text.splitlines()) < LONGEST
    assert max(len(line) for line in text.splitlines()) <= 120


def test_it_is_a_program_of_its_own(log: Path, trust: Path, tmp_path: Path) -> None:
    """As a stranger runs it: isolated from us, exit 0 or 1."""
    command = [sys.executable, "-s", str(shutil.copy2(VERIFY, tmp_path / "verify.py")), str(log), str(trust)]
    good = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (good.returncode, good.stdout) == (0, "holds\n"), good.stderr
    (log / "checkpoint").write_bytes((log / "checkpoint").read_bytes().replace(b"\n", b"\r\n", 1))
    bad = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert "ValueError" in bad.stderr


def test_both_hold_a_good_log(
    log: Path, trust: Path, verdicts: Callable[[Path, Path], tuple[bool, bool]], tmp_path: Path, forger: Forger
) -> None:
    """After exchanges and refusals of every step; remembered or not; sealed where the period's key is missing."""
    assert verdicts(log, trust) == (True, True)
    remember(audit(forger.write(forger.copy()[:9], tmp_path / "short"), trust), trust)
    assert verdicts(log, trust) == (True, True)
    for key in (trust / "periods").iterdir():
        key.unlink()
    assert verdicts(log, trust) == (True, True)


def test_both_hold_a_log_of_several_bundles(
    trust: Path, verdicts: Callable[[Path, Path], tuple[bool, bool]], tmp_path: Path, forger: Forger
) -> None:
    items = forger.copy()
    while len(items) < 530:
        forger.void(items)
    long = forger.write(items, tmp_path / "long")
    assert verdicts(long, trust) == (True, True)
    for name in ("tile/0/000", "tile/0/002.p/18", "tile/1/000.p/2"):
        data = (long / name).read_bytes()
        (long / name).write_bytes(data[32:] + data[:32])
        assert verdicts(long, trust) == (False, False), name
        (long / name).write_bytes(data)
    assert verdicts(long, trust) == (True, True)


def test_both_hold_what_the_demo_left(demo: Ran, verdicts: Callable[[Path, Path], tuple[bool, bool]]) -> None:
    """Two parties, a real registry that was down for a while, acknowledgements, refusals, a remembered checkpoint."""
    assert demo.code == 0, demo.text
    assert verdicts(demo.folder / "gateway" / "log", demo.folder / "trust") == (True, True)


def test_both_hold_what_strangers_of_every_key_left_behind(
    live: LiveGateway,
    folders: dict[str, Path],
    python_client: list[str],
    verdicts: Callable[[Path, Path], tuple[bool, bool]],
    tmp_path: Path,
) -> None:
    """A real gateway's log: three kinds of keys, both versions of SOAP, a real registry's SOAP answers."""
    for folder in folders.values():
        subprocess.run([*python_client, str(folder)], check=True, capture_output=True, timeout=60)
    asked = (draft(live, form="soap12"), verification(live))
    ids = [UUID(exchanged(live, one).facts.own["Exchange-Id"]).bytes for one in asked]
    for refused in (draft(live, agreement="NONE"), draft(live, to="")):
        assert b"Fault" in send(live, refused.signed()).body
    copy = tmp_path / "log"

    def both_hold() -> bool:
        # the log may still grow with what other tests began: then the copy has files of two sizes, and is taken again
        shutil.rmtree(copy, ignore_errors=True)
        try:
            shutil.copytree(live.folder / "gateway" / "log", copy)
        except shutil.Error:  # a partial file of an older size went meanwhile
            return False
        entries = b"".join(path.read_bytes() for path in (copy / "tile" / "entries").rglob("*") if path.is_file())
        return all(one in entries for one in ids) and verdicts(copy, live.folder / "trust") == (True, True)

    assert until(both_hold, 20)


def test_both_see_a_byte_changed_in_any_file(
    log: Path, trust: Path, verdicts: Callable[[Path, Path], tuple[bool, bool]]
) -> None:
    tried = 0
    for path in files(log):
        good = path.read_bytes()
        for number in range(PER_FILE):
            drawn = hashlib.sha256(b"foreign" + good + number.to_bytes(4)).digest()
            at = int.from_bytes(drawn[:8]) % len(good)
            path.write_bytes(good[:at] + bytes([good[at] ^ (drawn[8] or 1)]) + good[at + 1 :])
            assert verdicts(log, trust) == (False, False), f"{path.relative_to(log)} at {at}"
            tried += 1
        path.write_bytes(good)
    assert tried > 40
    assert verdicts(log, trust) == (True, True)


@pytest.mark.parametrize("spoil", ["empty", "shorter", "longer", "gone", "link", "pipe"])
@pytest.mark.parametrize("kind", ["checkpoint", "tile/0", "tile/entries", "evidence", "objects"])
def test_both_see_a_file_that_is_another(
    log: Path, trust: Path, verdicts: Callable[[Path, Path], tuple[bool, bool]], forger: Forger, kind: str, spoil: str
) -> None:
    policy = forger.items[0].evidence["policy"]
    inside = [path for path in files(log) if path.relative_to(log).as_posix().startswith(kind)]
    path = next((path for path in inside if path.name == policy), inside[0])
    good = path.read_bytes()
    path.unlink()
    if spoil == "link":
        (log.parent / "elsewhere").write_bytes(good)
        path.symlink_to(log.parent / "elsewhere")
    elif spoil == "pipe":
        os.mkfifo(path)
    elif spoil != "gone":
        path.write_bytes({"empty": b"", "shorter": good[:-1], "longer": good + b"\x00"}[spoil])
    assert verdicts(log, trust) == (False, False)


@pytest.mark.parametrize(
    "name", ["junk", "objects/junk", f"objects/{'0' * 64}", "tile/9/000", "tile/x/y", "evidence/1"]
)
def test_both_see_a_file_that_has_no_place(
    log: Path, trust: Path, verdicts: Callable[[Path, Path], tuple[bool, bool]], name: str
) -> None:
    (log / name).parent.mkdir(parents=True, exist_ok=True)
    (log / name).write_bytes(b"junk")
    assert verdicts(log, trust) == (False, False)


@pytest.mark.parametrize("spoil", ["tail", "swap", "twice"])
def test_both_see_entries_and_evidence_that_are_others(
    log: Path, trust: Path, verdicts: Callable[[Path, Path], tuple[bool, bool]], forger: Forger, spoil: str
) -> None:
    size = len(forger.items)
    leaves = unpack_entries((log / entries_path(0, size)).read_bytes())
    spoilt = {
        "tail": leaves[:-1],
        "swap": [leaves[0], leaves[2], leaves[1], *leaves[3:]],
        "twice": [*leaves[:-1], leaves[0]],
    }[spoil]
    (log / entries_path(0, size)).write_bytes(pack_entries(spoilt))
    assert verdicts(log, trust) == (False, False)
    (log / entries_path(0, size)).write_bytes(pack_entries(leaves))
    evidence = (log / evidence_path(0, size)).read_bytes()
    (log / evidence_path(0, size)).write_bytes(evidence[4:] + evidence[:4])
    assert verdicts(log, trust) == (False, False)


@pytest.mark.parametrize("spoil", ["fork", "tail", "short"])
def test_both_see_a_tree_that_is_not_the_one_remembered(
    log: Path,
    trust: Path,
    verdicts: Callable[[Path, Path], tuple[bool, bool]],
    forger: Forger,
    tmp_path: Path,
    spoil: str,
) -> None:
    """The attacker holds the log's own key: every signature is right."""
    remember(audit(log, trust), trust)
    items = forger.copy()
    if spoil == "fork":
        items[3], items[4] = items[4], items[3]
    elif spoil == "tail":
        items[-1] = replace(items[-1], leaf=replace(items[-1].leaf, exchange_id=items[1].leaf.writer))
    else:
        items.pop()
    assert verdicts(forger.write(items, tmp_path / "forged"), trust) == (False, False)


@pytest.mark.parametrize("anchor", ["genesis", "roots/cooperative.pem", "roots/passerelle.pem", "period"])
def test_both_see_anchors_that_are_not_this_log_s(
    log: Path, trust: Path, verdicts: Callable[[Path, Path], tuple[bool, bool]], forger: Forger, anchor: str
) -> None:
    if anchor == "genesis":
        (trust / anchor).write_text("0" * 64)
    elif anchor == "period":
        mine = trust / "periods" / f"{forger.items[0].leaf.period}.key"
        other = next(path for path in (trust / "periods").iterdir() if path != mine)
        mine.write_bytes(other.read_bytes())
    else:
        (trust / anchor).write_bytes((trust / "roots" / "ministry.pem").read_bytes())
    assert verdicts(log, trust) == (False, False)


@pytest.mark.parametrize("name", FORGERIES)
def test_both_see_what_a_gateway_forges(
    bench: Bench, trust: Path, verdicts: Callable[[Path, Path], tuple[bool, bool]], tmp_path: Path, name: str
) -> None:
    FORGERIES[name](bench)
    assert verdicts(bench.forger.write(bench.items, tmp_path / "log"), trust) == (False, False)


@pytest.mark.parametrize("name", [*RECOVERIES, *WRONG_RECOVERIES])
def test_both_judge_a_recovery_and_what_officers_say_of_it(
    bench: Bench, trust: Path, verdicts: Callable[[Path, Path], tuple[bool, bool]], tmp_path: Path, name: str
) -> None:
    (RECOVERIES | WRONG_RECOVERIES)[name](Recovery(bench))
    holds = name in RECOVERIES
    assert verdicts(bench.forger.write(bench.items, tmp_path / "log"), trust) == (holds, holds)


@pytest.mark.parametrize("form", ["soap11", "soap12"])
def test_both_hold_exchanges_by_soap(
    bench: Bench, trust: Path, verdicts: Callable[[Path, Path], tuple[bool, bool]], tmp_path: Path, form: str
) -> None:
    by_soap(bench, form)
    assert verdicts(bench.forger.write(bench.items, tmp_path / "log"), trust) == (True, True)


@pytest.mark.parametrize(
    ("asked", "said", "holds"),
    [
        (lambda mine: mine, lambda talk, mine: talk.said(mine), True),
        (
            lambda mine: mine | {"base": mine["base"].replace("births", "deaths")},
            lambda talk, mine: talk.said(mine),
            False,
        ),
        (lambda mine: mine, lambda talk, _: talk.said(talk.asked()), False),
        (lambda mine: mine, lambda talk, mine: talk.said(mine, by="gateway/keys"), False),
        (lambda mine: mine, lambda talk, _: talk.attempt["answer"], False),
    ],
    ids=["as_it_was", "asked_something_else", "answered_another", "answered_by_us", "answered_by_soap"],
)
def test_both_judge_what_was_asked_of_an_upstream_by_rest(
    bench: Bench,
    trust: Path,
    verdicts: Callable[[Path, Path], tuple[bool, bool]],
    tmp_path: Path,
    asked: Callable[[Part], Part],
    said: Callable[[Conversation, Part], Part],
    holds: bool,  # noqa: FBT001  the table's last column
) -> None:
    talk = Conversation(bench, bench.one("nirec.verify"))
    mine = talk.asked()
    told = {"request": asked(mine), "answer": said(talk, mine)}
    bench.forger.change(talk.item, lambda evidence: evidence["upstream"][0].update(told))
    assert verdicts(bench.forger.write(bench.items, tmp_path / "log"), trust) == (holds, holds)


@pytest.mark.parametrize("name", SOAP_FORGERIES)
def test_both_see_what_a_gateway_forges_of_soap(
    bench: Bench, trust: Path, verdicts: Callable[[Path, Path], tuple[bool, bool]], tmp_path: Path, name: str
) -> None:
    SOAP_FORGERIES[name][1](bench)
    assert verdicts(bench.forger.write(bench.items, tmp_path / "log"), trust) == (False, False)


def test_a_log_written_again_unchanged_holds(
    bench: Bench, trust: Path, verdicts: Callable[[Path, Path], tuple[bool, bool]], tmp_path: Path
) -> None:
    """The forgeries above fail for what they change, not for being written again."""
    bench.forger.answer(bench.one())
    assert verdicts(bench.forger.write(bench.items, tmp_path / "log"), trust) == (True, True)


def test_what_only_policy_and_contract_say_is_left_to_the_audit(
    bench: Bench, trust: Path, second: Callable[[Path, Path], bool], tmp_path: Path
) -> None:
    """The limit of a verifier that reads no YAML, as its first lines say."""
    bench.forger.change(bench.one(), lambda evidence: evidence.update(fields=["handle", "message"]))
    log = bench.forger.write(bench.items, tmp_path / "log")
    assert {finding.code for finding in audit(log, trust).findings} == {Fault.FIELDS_NOT_AGREED}
    assert second(log, trust)
