"""A backup as one file: a tar whose last member, the manifest, gives the SHA-256 of every other."""

from __future__ import annotations

import io
import json
import os
import tarfile
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Self

from gateway.errors import ConfigurationError, RecoveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

MANIFEST = "manifest.json"
_VERSION = 1
_BLOCK = 1 << 20
#: Nobody else may read these; the published log anybody may.
_PRIVATE = ("db/", "keys/")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says that it holds; ``files`` are hex SHA-256 by name, ``sha256`` is the manifest's own."""

    facts: Mapping[str, Any]
    files: Mapping[str, str] = field(repr=False)
    sha256: str


class ArchiveWriter:
    """Writes a backup, 0600, which has its name only once it is whole and on the disk; use it in a ``with``."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigurationError rather than overwrite a file; OSError."""
        if path.exists():
            raise ConfigurationError("exists_already", path=path)
        self._path = path
        self._partial = path.with_name(f".{path.name}.partial")
        self._partial.unlink(missing_ok=True)
        file = os.open(self._partial, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(file, "w+b")
        self._tar = tarfile.TarFile(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)
        self._files: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _e: BaseException | None, _at: TracebackType | None) -> None:
        self._file.close()
        self._partial.unlink(missing_ok=True)

    def add(self, name: str, data: bytes) -> None:
        """A file of these bytes."""
        self._add(name, len(data), io.BytesIO(data))

    def add_file(self, name: str, path: Path) -> None:
        """A file as it is now."""
        with path.open("rb") as file:
            self._add(name, os.fstat(file.fileno()).st_size, file)

    def _add(self, name: str, size: int, file: IO[bytes]) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        hashing = _Hashing(file)
        self._tar.addfile(info, hashing)
        self._files[name] = hashing.hexdigest()

    def finish(self, facts: Mapping[str, object]) -> Manifest:
        """The manifest, then everything to the disk, then the name."""
        said = {"v": _VERSION, **facts, "files": self._files}
        content = json.dumps(said, indent=1, sort_keys=True, ensure_ascii=False).encode()
        files = dict(self._files)
        self.add(MANIFEST, content)
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        os.link(self._partial, self._path)  # never over another one
        return Manifest(facts, files, sha256(content).hexdigest())


class _Hashing:
    """A file that is hashed as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def read_archive(path: Path) -> Manifest:
    """The manifest of a backup that was read whole, each file held against it; raises RecoveryError (backup_broken)."""
    found: dict[str, str] = {}
    content = b""
    try:
        for name, file in _members(path):
            if name == MANIFEST:
                content = file.read()
            else:
                hashing = _Hashing(file)
                while hashing.read(_BLOCK):
                    pass
                found[name] = hashing.hexdigest()
    except tarfile.TarError:
        raise RecoveryError("backup_broken", path=path, file=path.name) from None
    manifest = _manifest(path, content)
    for name in sorted(found.keys() | manifest.files.keys()):
        if found.get(name) != manifest.files.get(name):
            raise RecoveryError("backup_broken", path=path, file=name)
    return manifest


def extract(path: Path, place: Callable[[str], Path | None]) -> None:
    """Writes each file to where ``place`` says, as a new one; None leaves it out. For a backup that was read whole."""
    for name, file in _members(path):
        target = None if name == MANIFEST else place(name)
        if target is None:
            continue
        private = name.startswith(_PRIVATE)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o755)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        handle = os.open(target, flags, 0o600 if private else 0o644)
        with os.fdopen(handle, "wb") as written:
            while block := file.read(_BLOCK):
                written.write(block)
            written.flush()
            os.fsync(written.fileno())


def _members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Each member once, a plain file under a name that stays inside; raises RecoveryError (backup_broken)."""
    seen: set[str] = set()
    try:
        with tarfile.open(path, "r:") as tar:
            for info in tar:
                parts = PurePosixPath(info.name).parts
                file = tar.extractfile(info) if info.isreg() else None
                if file is None or info.name in seen or info.name.startswith("/") or ".." in parts:
                    raise RecoveryError("backup_broken", path=path, file=info.name)
                seen.add(info.name)
                yield info.name, file
    except FileNotFoundError:
        raise ConfigurationError("file_unreadable", path=path, detail=os.strerror(2)) from None


def _manifest(path: Path, content: bytes) -> Manifest:
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        said = json.loads(content)
        files = {str(name): str(digest) for name, digest in said.pop("files").items()}
        if said.pop("v") == _VERSION:
            return Manifest(said, files, sha256(content).hexdigest())
    raise RecoveryError("backup_broken", path=path, file=MANIFEST)
