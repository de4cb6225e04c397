"""``python -m contracts.generate [--check] [ROOT]``: writes what is made from the contracts, or says what has drifted.

Exit codes: 0 written, or nothing has drifted; 1 a file has drifted, or a contract cannot be used; 2 wrong usage.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.errors import ContractError
from contracts.generate.error_table import read_errors
from contracts.generate.files import generated
from contracts.loader import load_contracts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ERRORS = Path("gateway/messages/errors.toml")
#: Folders below a contract's own in which nothing stands but what is generated.
_OURS = ("examples",)


def main(arguments: Sequence[str]) -> int:
    """Runs the command on a checkout; returns its exit code."""
    parser = ArgumentParser(prog="python -m contracts.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; name each file that has drifted")
    parser.add_argument("--errors", type=Path, help=f"the table of errors (ROOT/{_ERRORS})")
    parser.add_argument("root", nargs="?", type=Path, default=Path(), help="the checkout")
    given = parser.parse_args(arguments)
    root: Path = given.root
    try:
        files = generated(
            load_contracts(root / "contracts"), read_errors((given.errors or root / _ERRORS).read_bytes())
        )
    except (ContractError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyError as error:
        sys.stderr.write(f"contracts/generate/meanings.toml: {error} has no meaning yet; write it\n")
        return 1
    changed = _drift(root, files)
    if given.check:
        for path in changed:
            sys.stderr.write(f"{path}: not what its contract makes of it; run `make contracts` and commit\n")
        return 1 if changed else 0
    for path in changed:
        _write(root / path, files.get(path))
        sys.stdout.write(f"{path}\n")
    return 0


def _drift(root: Path, files: Mapping[str, bytes]) -> list[str]:
    """The files that differ, are missing, or should not be there any more."""
    differing = [path for path, content in files.items() if _content(root / path) != content]
    folders = {(root / path).parent for path in files if (root / path).parent.name in _OURS}
    there = {path.relative_to(root).as_posix() for folder in folders if folder.is_dir() for path in folder.iterdir()}
    return sorted([*differing, *(there - files.keys())])


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _write(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
