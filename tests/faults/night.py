"""A gateway for a bad night: its own process group, its processes by role, callers without end, and the reckoning."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from gateway.audit.audit import audit
from gateway.client.client import UnreachableError
from gateway.errors import LedgerError
from gateway.ledger.leaf import unpack_leaf
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.reader import LogReader
from gateway.ledger.tiles import WIDTH, entries_path, unpack_entries
from tests.adapters.fakes import until
from tests.exchange.live import ROOT, LiveGateway, children_of, workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.audit.verdict import Verdict
    from gateway.client.client import PartyClient
    from gateway.client.signer import SignedRequest
    from gateway.client.verifier import VerifiedAnswer
    from gateway.ledger.leaf import Leaf

#: How often a random fault is repeated; the short form, in `make test`, has each once.
ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
FULL = ROUNDS > 1
_NIREC = re.compile(r"(?<!\d)\d{13}(?!\d)")


class Night(LiveGateway):
    """A LiveGateway that can be killed as a whole, with settings and variables of a test's own."""

    def __init__(self, folder: Path, **settings: object) -> None:
        super().__init__(folder)
        self.environ = {f"PASSERELLE_{name}": str(value) for name, value in settings.items()}

    def spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        config = str(self.folder / "passerelle.toml")
        command = [sys.executable, "-m", "gateway.cli.main", *arguments, "--config", config]
        with (self.folder / "stderr.txt").open("ab") as file:
            return subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                env=os.environ | self.environ, start_new_session=True,
            )  # fmt: skip

    @property
    def log(self) -> Path:
        return self.folder / "gateway" / "log"

    @property
    def database(self) -> Path:
        return self.folder / "gateway" / "db" / "passerelle.sqlite"

    @property
    def supervisor(self) -> int:
        return self.processes["gateway"].pid

    def role(self, name: str) -> int:
        """The process of a role (``sequencer``, ``workers``: gunicorn's arbiter); fails where there is none."""
        found: list[int] = []

        def there() -> bool:
            found[:] = [pid for pid in children_of(self.supervisor) if f"--role\0{name}\0" in _command(pid)]
            return bool(found)

        assert until(there, 15), f"no {name}"
        return found[0]

    def workers(self) -> list[int]:
        return workers(self.supervisor)

    def kill_group(self) -> None:
        """Everything at once, as when the power goes, but for what the kernel has already taken."""
        process = self.processes.pop("gateway")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(40)

    def recovered(self, seconds: float = 40) -> None:
        """Returns when it says that it is ready and answers again; what has ended is not waited for."""
        ended = self.processes["gateway"].poll
        assert until(lambda: ended() is not None or (self.ready() and self.tries()), seconds), "it did not recover"
        assert ended() is None, f"the gateway has ended with {ended()}"

    def tries(self) -> bool:
        """Whether an exchange succeeds now."""
        try:
            return self.exchange(self.draft().signed()).status == 200
        except (OSError, AssertionError):
            return False

    def lines(self) -> list[dict[str, Any]]:
        """Every log line of every role."""
        texts = [path.read_text(encoding="utf-8") for path in (self.folder / "gateway" / "logs").glob("*.jsonl")]
        return [json.loads(line) for text in texts for line in text.splitlines() if line.startswith("{")]

    def nothing_told(self) -> None:
        """No number, no traceback and no library's text in what the processes wrote."""
        logs = [path.read_text(encoding="utf-8", errors="replace") for path in self._said()]
        assert not [found for text in logs for found in _NIREC.findall(text)]
        assert not [text for text in logs if "Traceback" in text or "--- Logging error" in text]

    def _said(self) -> list[Path]:
        return [self.folder / "stderr.txt", *(self.folder / "gateway" / "logs").glob("*.jsonl")]

    def settled(self) -> None:
        """Returns when everything before this is in the published log."""
        last = self.exchange(self.draft().signed()).headers["exchange-id"]

        def there() -> bool:
            try:
                return last in {str(leaf.exchange_id) for leaf, _ in self.leaves()}
            except (OSError, LedgerError):
                return False  # it grew while it was read

        assert until(there, 15)

    # the reckoning -------------------------------------------------------------------------------------------------

    def leaves(self) -> list[tuple[Leaf, str]]:
        """Every published leaf, with its Ledger-Leaf."""
        size = LogReader(self.log, self.log_key()).checkpoint()[1].size
        found: list[tuple[Leaf, str]] = []
        for index in range(-(-size // WIDTH)):
            width = min(WIDTH, size - WIDTH * index)
            entries = unpack_entries((self.log / entries_path(index, width)).read_bytes())
            found += [(unpack_leaf(entry), b64encode(leaf_hash(entry)).decode()) for entry in entries]
        return found

    def log_key(self) -> Any:
        from gateway.ledger.note import LogKey  # noqa: PLC0415  beside its one use

        return LogKey.parse((self.folder / "trust" / "log.vkey").read_text())

    def audited(self) -> Verdict:
        """The verdict on the log as it is now; fails unless it holds."""
        verdict = audit(self.log, self.folder / "trust")
        assert verdict.holds, verdict.findings[:5]
        return verdict

    def reckon(self, sent: list[Sent]) -> Counts:
        """L4, for everything that was sent: answered is recorded, once; not recorded is not; the audit holds."""
        answered = [one for one in sent if one.answer is not None]
        recorded = {one.answer.exchange_id: one.answer for one in answered if one.answer and one.answer.ledger_leaf}
        unrecorded = {one.answer.exchange_id for one in answered if one.answer and not one.answer.ledger_leaf}
        found: dict[str, str] = {}
        exchanges: Counter[str] = Counter()

        def all_there() -> bool:
            try:
                leaves = self.leaves()
            except (OSError, LedgerError):
                return False  # it grew while it was read
            of_callers = [(str(leaf.exchange_id), digest) for leaf, digest in leaves if leaf.kind in _ANSWERED]
            found.clear()
            found.update(of_callers)
            exchanges.clear()
            exchanges.update(name for name, _ in of_callers)
            return recorded.keys() <= found.keys()

        assert until(all_there, 120), f"answered and not in the log: {sorted(recorded.keys() - found.keys())[:5]}"
        assert not [name for name, count in exchanges.items() if count > 1]
        assert {name: found[name] for name in recorded} == {n: a.ledger_leaf for n, a in recorded.items()}
        assert not unrecorded & found.keys(), "told not_recorded, and recorded"
        self.audited()
        return Counts(len(sent), len(answered), len(recorded), len(unrecorded), len(found), len(sent) - len(answered))


_ANSWERED = ("exchange", "refusal")


@dataclass(frozen=True)
class Counts:
    """What came of what was sent; ``leaves`` are those of all exchanges in the log."""

    sent: int
    answered: int
    recorded: int
    not_recorded: int
    leaves: int
    lost: int


@dataclass(frozen=True)
class Sent:
    """One request, and what came back; None where nothing did."""

    request: SignedRequest
    answer: VerifiedAnswer | None


@dataclass
class Callers:
    """Several connections that ask, one request after another, until they are told to stop; ``pause`` in seconds."""

    night: Night
    count: int = 6
    pause: float = 0.0
    sent: list[Sent] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(self.count)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    @property
    def answers(self) -> list[VerifiedAnswer]:
        return [one.answer for one in list(self.sent) if one.answer is not None]

    def more(self, count: int, seconds: float = 30, status: int = 200) -> bool:
        """Whether so many more answers of this status come in time."""
        before = sum(answer.status == status for answer in self.answers)
        return until(lambda: sum(answer.status == status for answer in self.answers) >= before + count, seconds)

    def _ask(self, number: int) -> None:
        client = self.night.client("ministry" if number % 2 else "cooperative")
        for turn in self._turns():
            request = client.prepare("echo", {"message": f"{number}-{turn}"}, salted=False)
            self.sent.append(Sent(request, self._answer(client, request)))
            if self.pause:
                self._stop.wait(self.pause)

    def _turns(self) -> Iterator[int]:
        turn = 0
        while not self._stop.is_set():
            yield turn
            turn += 1

    def _answer(self, client: PartyClient, request: SignedRequest) -> VerifiedAnswer | None:
        try:
            return client.send(request)
        except UnreachableError:
            self._stop.wait(0.05)
            return None


def sent_again(night: Night, lost: list[Sent]) -> Counter[str]:
    """What is said to requests that got no answer, sent once more as they were: told as new, or replayed."""
    said: Counter[str] = Counter()
    for one in lost:
        party = "ministry" if "ESSAI-MIN" in one.request.headers["exchange-agreement"] else "cooperative"
        shown = night.exchange(one.request, night.tls(party))
        said["answered" if shown.status == 200 else shown.json()["code"]] += 1
    return said


def descriptors(pid: int, soft: int) -> None:
    """Another limit for a process that runs."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


def open_files(pid: int) -> int:
    """How many file descriptors a process has."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
