"""The runbook's procedures as their pages write them: the commands in order, run as whoever follows the page would."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gateway.policy.bundle import read_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).parents[2]
PROCEDURES = ROOT / "docs" / "procedures"
PAGES = (
    "adding-a-party",
    "officer-leaves",
    "key-compromised",
    "ca-compromised",
    "hsm-lost",
    "destroy-a-period",
    "database-lost",
)
_BLOCK = re.compile(r"^( *)```(console|yaml)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r" +# exit (\d)$")
_HEADING = re.compile(r"^## .*$", re.MULTILINE)

Policy = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a page.

    Attributes:
        line: as it is typed.
        exit_code: 0, or what the page says behind ``# exit``.
        shown: the lines that it prints, as the page gives them; ``…`` stands for anything.
        section: which of the page's sections it is in, counted from 0.
    """

    line: str
    exit_code: int
    shown: tuple[str, ...]
    section: int


def blocks(page: Path, kind: str) -> Iterator[tuple[int, str]]:
    """The fenced blocks of a kind, each with its section, without the list's indentation."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        if found[2] == kind:
            lines = (line.removeprefix(found[1]) for line in found[3].splitlines())
            yield len(_HEADING.findall(text[: found.start()])), "\n".join(lines)


def commands(page: Path) -> list[Command]:
    """Every command of a page, in order."""
    found = []
    for section, block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, *shown = part.splitlines()
            said = _EXIT.search(line)
            code = 0 if said is None else int(said[1])
            found.append(Command(_EXIT.sub("", line), code, tuple(filter(None, shown)), section))
    return found


def pattern(shown: str) -> re.Pattern[str]:
    """A page's line of output, ``…`` for anything, as the beginning or the whole of a line that was printed."""
    return re.compile("^" + ".*".join(map(re.escape, shown.rstrip().split("…"))), re.MULTILINE)


@dataclass
class Reader:
    """Somebody who follows a page to the letter, in the folder of passerelle.toml.

    Attributes:
        folder: where the commands are typed.
        values: the page's variables.
        edits: for each file that the page has edited, what is changed in it.
        meanwhile: by the beginning of a command, what somebody else does before it (an authority, say).
        done: the commands already run, and what each printed.
    """

    folder: Path
    values: dict[str, str]
    edits: Mapping[str, Callable[[Policy], object]] = field(default_factory=dict)
    meanwhile: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    done: list[tuple[Command, str]] = field(default_factory=list)

    def follow(
        self, page: Path, after: Mapping[str, Callable[[], object]], *, last: int = 99, only: int | None = None
    ) -> None:
        """Runs the page's commands, up to a section or of one only.

        ``after`` holds what is checked when a command has run: it raises, or gives False, where the page's claim fails.
        """
        checks = dict(after)
        for command in commands(page):
            if command.section > last or only not in (None, command.section):
                continue
            for beginning in [each for each in self.meanwhile if command.line.startswith(each)]:
                self.meanwhile[beginning]()
            self._do(command)
            if command.line in checks:
                assert checks.pop(command.line)() is not False, command.line
        assert checks == {}, "the page has no such command any more"

    def learn(self, values: Mapping[str, object]) -> None:
        """Further variables of the page."""
        self.values |= {name: str(value) for name, value in values.items()}

    def run(self, line: str, *, exits: int = 0) -> str:
        """What a command printed, on both outputs; its exit code must be that one."""
        done = self._typed(line, exits)
        return done.stdout + done.stderr

    def told(self, line: str, *, exits: int = 0) -> dict[str, Any]:
        """What a command says to scripts."""
        return dict(json.loads(self._typed(f"{line} --json", exits).stdout))

    def _typed(self, line: str, exits: int) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PASSERELLE_"))}
        environ = kept | {"LANG": "C.UTF-8", "COLUMNS": "400", "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}"}
        done = subprocess.run(
            [shutil.which("bash") or "bash", "-euo", "pipefail", "-c", line],
            cwd=self.folder, env=environ | self.values, stdin=subprocess.DEVNULL, text=True,
            capture_output=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == exits, f"$ {line}\nexit {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def edit(self, name: str) -> None:
        """Changes a policy as ``edits`` says."""
        path = self.folder / name
        policy = yaml.safe_load(path.read_bytes())
        self.edits[name](policy)
        path.write_text(yaml.safe_dump(policy, allow_unicode=True, sort_keys=False), encoding="utf-8")
        read_bundle(path.read_bytes())

    def _do(self, command: Command) -> None:
        if command.line.startswith("$EDITOR "):
            self.edit(command.line.split()[1])
            printed = ""
        else:
            printed = self.run(command.line, exits=command.exit_code)
        self.done.append((command, printed))
        for line in (filled(each, self.values) for each in command.shown):
            assert pattern(line).search(printed), f"$ {command.line}\nthe page says: {line}\nit printed:\n{printed}"


def merge(into: Policy, more: Mapping[str, Any]) -> None:
    """Adds what a page's YAML holds under the headings that are there already."""
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            merge(into[name], value)
        else:
            into[name] = value


def page_policy(page: Path, values: Mapping[str, str]) -> Policy:
    """A page's YAML block, its variables filled in."""
    _, text = next(blocks(page, "yaml"))

    def through(value: Any) -> Any:
        if isinstance(value, dict):
            return {filled(name, values): through(each) for name, each in value.items()}
        if isinstance(value, list):
            return [through(each) for each in value]
        return filled(value, values) if isinstance(value, str) else value

    return dict(through(yaml.safe_load(text)))


def filled(text: str, values: Mapping[str, str]) -> str:
    """A text with its variables; the longer name first, as a shell reads it."""
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(f"${name}", values[name])
    return text
