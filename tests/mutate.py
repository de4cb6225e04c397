"""`make mutate`: takes away each check that tests/mutations.toml names, in a copy of the tree; its tests must turn red.

Exit 0 only if every test that an entry names fails once the entry's check is gone, and holds while it is there.
"""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "tests" / "mutations.toml"
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "var", "dist", "__pycache__", ".*_cache", ".hypothesis", ".coverage*", "*.pyc"
)
_LONGEST = 240


@dataclass(frozen=True)
class Edit:
    """The exact text of a check, and what stands in its place once it is removed."""

    file: str
    text: str
    by: str


@dataclass(frozen=True)
class Check:
    """An answer to attacks: a name, the edits that take it away, and the tests that must then turn red."""

    name: str
    edits: tuple[Edit, ...]
    red: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What came of a run: ``red``, ``green`` or ``broken``; and which tests were not what they should be."""

    word: str
    odd: tuple[str, ...] = ()


class TableError(Exception):
    """The table does not fit the tree."""


def load(path: Path = TABLE) -> list[Check]:
    """The entries of the table; raises TableError for one that says nothing."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    checks = []
    for row in raw["check"]:
        edits = tuple(Edit(**edit) for edit in row["edits"])
        if not edits or not row["red"]:
            raise TableError(f"{row['name']}: an entry without edits or without tests")
        checks.append(Check(row["name"], edits, tuple(node_ids(row["red"]))))
    return checks


def node_ids(tests: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Pytest's node ids: a test without cases is itself one."""
    for test, cases in tests.items():
        yield from (f"{test}[{case}]" for case in cases) if cases else (test,)


def changed(root: Path, check: Check) -> dict[Path, str]:
    """Every file of the check with the check removed; raises TableError unless each text is there exactly once."""
    files: dict[Path, str] = {}
    for edit in check.edits:
        path = root / edit.file
        content = files.get(path) or path.read_text(encoding="utf-8")
        if content.count(edit.text) != 1:
            raise TableError(f"{check.name}: {edit.file} has this {content.count(edit.text)} times:\n{edit.text}")
        files[path] = content.replace(edit.text, edit.by)
    return files


def run_tests(tree: Path, tests: Sequence[str]) -> dict[str, str]:
    """``passed``, ``failed`` or ``error`` by node id, for the tests that ran in this tree."""
    report = tree / f"report-{threading.get_ident()}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", "-q", "--tb=no"]
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    # In a group of its own: when it takes too long, its gateways end with it.
    process = subprocess.Popen(
        [*command, f"--junitxml={report}", *tests], cwd=tree, env=environment, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        process.wait(_LONGEST)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return {}
    return read_report(report.read_bytes()) if report.exists() else {}


def read_report(report: bytes) -> dict[str, str]:
    """The outcomes in pytest's JUnit report, by node id."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    root = etree.fromstring(report, parser)  # noqa: TID251  pytest's own report, not a message
    outcomes: dict[str, str] = {}
    for case in root.iter("testcase"):
        name = f"{str(case.get('classname')).replace('.', '/')}.py::{case.get('name')}"
        found = {child.tag for child in case}
        word = "error" if "error" in found else "failed" if "failure" in found else "passed"
        outcomes[name] = "error" if outcomes.get(name) == "error" else word
    return outcomes


def judge(check: Check, outcomes: Mapping[str, str]) -> Verdict:
    """Red when each named test failed, in itself: one that could not even begin shows nothing."""
    broken = tuple(test for test in check.red if outcomes.get(test, "error") == "error")
    if broken:
        return Verdict("broken", broken)
    green = tuple(test for test in check.red if outcomes[test] == "passed")
    return Verdict("green", green) if green else Verdict("red")


class Bench:
    """A copy of the tree for one thread at a time; each check is put back after its run."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder
        shutil.copytree(ROOT, folder, ignore=_LEFT_OUT)
        probe = [sys.executable, "-c", "import gateway; print(gateway.__file__)"]
        environment = os.environ | {"PYTHONPATH": str(folder)}
        used = subprocess.run(probe, cwd=folder, env=environment, capture_output=True, check=True, text=True).stdout
        if not Path(used.strip()).is_relative_to(folder):
            raise TableError(f"the copy's code is not what runs: {used.strip()}")

    def without(self, check: Check) -> Verdict:
        """The verdict on one check."""
        files = changed(self.tree, check)
        kept = {path: path.read_text(encoding="utf-8") for path in files}
        try:
            for path, content in files.items():
                path.write_text(content, encoding="utf-8")
            return judge(check, run_tests(self.tree, check.red))
        finally:
            for path, content in kept.items():
                path.write_text(content, encoding="utf-8")

    def holds(self, tests: Sequence[str]) -> list[str]:
        """The tests that do not pass while every check is there."""
        outcomes = run_tests(self.tree, tests)
        return [test for test in tests if outcomes.get(test) != "passed"]


class Report:
    """Lines on standard output as they come, from every thread."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.odd = 0
        self._lock = threading.Lock()

    def line(self, check: Check, verdict: Verdict, seconds: float) -> None:
        """One check's row: what was removed, where, what came of it, how long it took."""
        with self._lock:
            self.done += 1
            self.odd += verdict.word != "red"
            where = check.edits[0].file + (f" (+{len(check.edits) - 1})" if len(check.edits) > 1 else "")
            say(
                f"{self.done:>3}/{self.total} {verdict.word:<6} {check.name:<42} {where:<48} "
                f"{len(check.red):>3} tests {seconds:6.1f} s"
            )
            for test in verdict.odd:
                say(f"            not red: {test}")


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def work(bench: Bench, waiting: queue.SimpleQueue[Check], report: Report) -> None:
    """Takes checks until there are none."""
    while True:
        try:
            check = waiting.get_nowait()
        except queue.Empty:
            return
        began = time.monotonic()
        report.line(check, bench.without(check), time.monotonic() - began)


def baseline(bench: Bench, checks: Sequence[Check]) -> bool:
    """Whether every named test passes while its check is there, file by file."""
    files: dict[str, list[str]] = {}
    for test in dict.fromkeys(test for check in checks for test in check.red):
        files.setdefault(test.partition("::")[0], []).append(test)
    whole = True
    for file, tests in files.items():
        began = time.monotonic()
        failed = bench.holds(tests)
        say(f"with every check: {len(tests) - len(failed):>3} of {len(tests):>3} hold  {file}  "
            f"{time.monotonic() - began:.1f} s")  # fmt: skip
        for test in failed:
            say(f"            does not hold: {test}")
        whole = whole and not failed
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the table; 0 only if all are red."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--only", metavar="PATTERN", default="", help="checks or tests whose name has this in it")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    parser.add_argument("--no-baseline", action="store_true", help="skip the run with every check in place")
    given = parser.parse_args(arguments)
    began = time.monotonic()
    checks = [check for check in load() if any(given.only in text for text in (check.name, *check.red))]
    for check in checks:
        changed(ROOT, check)
    waiting: queue.SimpleQueue[Check] = queue.SimpleQueue()
    for check in checks:
        waiting.put(check)
    with tempfile.TemporaryDirectory(prefix="passerelle-mutate-") as folder:
        benches = [Bench(Path(folder) / str(number)) for number in range(min(given.jobs, max(1, len(checks))))]
        if not given.no_baseline and not baseline(benches[0], checks):
            say("nothing can be shown while tests fail that have nothing to do with it")
            return 1
        report = Report(len(checks))
        threads = [threading.Thread(target=work, args=(bench, waiting, report)) for bench in benches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    tests = len({test for check in checks for test in check.red})
    say(f"{report.done - report.odd} of {report.total} checks red, {tests} tests, {time.monotonic() - began:.0f} s")
    return 0 if checks and not report.odd else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TableError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
