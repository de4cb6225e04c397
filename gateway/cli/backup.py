"""`passerelle backup` and `passerelle restore`: what a gateway has, as one file, taken while it runs."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from gateway.cli.archive import ArchiveWriter, extract, read_archive
from gateway.cli.common import compose, settings_of
from gateway.cli.output import Exit
from gateway.cli.policy_words import local
from gateway.errors import ConfigurationError, RecoveryError
from gateway.guard.storage import DatabaseClaims
from gateway.ledger.backup import copy_of
from gateway.ledger.note import verify_note
from gateway.ledger.publish import CHECKPOINT
from gateway.ledger.storage import Log
from gateway.places import DATABASE
from gateway.settings import load_settings
from gateway.storage import is_postgresql, migrate, open_database
from gateway.storage.copy import copy_database

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.cli.output import Output
    from gateway.composition import Composition
    from gateway.settings import Settings

_TOML, _POLICY, _LOG = "passerelle.toml", "policy.yaml", "log"
_DATABASE = f"db/{DATABASE}"
_PRIVATE_SUFFIXES = frozenset({".key", ".mac"})
_PRIVATE = b"PRIVATE KEY"


def backup(output: Output, config: Path | None, target: Path, *, with_keys: bool) -> Exit:
    """Writes a backup: the log at its checkpoint first, then the database, so that this is never behind it.

    Raises ConfigurationError where the file is there already, RecoveryError where no log is published.
    """
    path, settings = settings_of(config)
    base = compose(settings)
    with_database = not is_postgresql(base.url)
    left_out: list[str] = []
    with ArchiveWriter(target) as archive:
        log = copy_of(settings.folders.log, base.log_key())
        for name, data in log.held.items():
            archive.add(f"{_LOG}/{name}", data)
        for name in log.lasting:
            archive.add_file(f"{_LOG}/{name}", settings.folders.log / name)
        if with_database:
            _add_database(archive, settings.folders.db / DATABASE, target)
        archive.add_file(_TOML, path)
        archive.add_file(_POLICY, settings.folders.policy)
        for name, file in _key_files(settings):
            if _is_private(settings, file) and not with_keys:
                left_out.append(file.name)
            else:
                archive.add_file(name, file)
        facts = {
            "made_at": base.clock.now().isoformat(timespec="seconds"),
            "origin": log.checkpoint.origin,
            "size": log.checkpoint.size,
            "database": with_database,
            "keys": with_keys,
        }
        made = archive.finish(facts)
    output.result({"holds": True, "path": target, "sha256": made.sha256, **facts, "files": len(made.files)})
    output.say("backup.made", path=target, size=log.checkpoint.size, files=len(made.files), sha256=made.sha256)
    if not with_database:
        output.say("backup.postgresql")
    if not with_keys:
        output.say("backup.without_keys", count=len(left_out), folder=settings.folders.keys)
    elif settings.keystore.kind == "pkcs11":
        output.say("backup.token")
    else:
        output.say("backup.with_keys")
    return Exit.HOLDS


def restore(output: Output, source: Path, folder: Path) -> Exit:
    """Puts a backup where its settings say, below another folder; a log that is there already stays, all else is new.

    Raises RecoveryError where the backup is not whole, ConfigurationError rather than overwrite anything.
    """
    manifest = read_archive(source)
    settings = _settings_in(source, folder)
    places = _places(settings)
    log_is_there = (settings.folders.log / CHECKPOINT).exists()

    def place(name: str) -> Path | None:
        if name == _TOML:
            return folder / _TOML
        first, _, rest = name.partition("/")
        if first not in places:
            raise RecoveryError("backup_broken", path=source, file=name)
        if first == _LOG and log_is_there:
            return None
        return places[first] / rest if rest else places[first]

    targets = [target for name in manifest.files if (target := place(name)) is not None]
    taken = [target for target in (*targets, settings.folders.db / DATABASE) if target.exists()]
    if taken:
        raise ConfigurationError("exists_already", path=min(taken))
    extract(source, place)
    base = compose(settings)
    published = verify_note((settings.folders.log / CHECKPOINT).read_bytes(), base.log_key()).size
    held = _settled(base) if manifest.facts.get("database") else None
    needed = held is None or held < published
    facts = {"database": held, "published": published, "recover": needed, "keys": bool(manifest.facts.get("keys"))}
    output.result({"holds": True, "folder": folder, "log_kept": log_is_there, "sha256": manifest.sha256, **facts})
    made_at = _local(manifest.facts.get("made_at"))
    output.say("restore.done", folder=folder, made_at=made_at, files=len(targets), sha256=manifest.sha256)
    if log_is_there:
        output.say("restore.log_kept", log=settings.folders.log, size=published)
    if not facts["keys"]:
        output.say("restore.keys", folder=settings.folders.keys)
    if held is None:
        output.say("restore.postgresql")
    output.say("restore.recover" if needed else "restore.serve", config=folder / _TOML)
    return Exit.HOLDS


def _local(moment: object) -> str:
    """A manifest's time as it was in Québec; what is none as it stands there."""
    try:
        return local(datetime.fromisoformat(str(moment)))
    except ValueError:
        return str(moment)


def _add_database(archive: ArchiveWriter, database: Path, target: Path) -> None:
    copy = target.with_name(f".{target.name}.database")
    copy.unlink(missing_ok=True)
    try:
        copy_database(database, copy)
        archive.add_file(_DATABASE, copy)
    finally:
        copy.unlink(missing_ok=True)


def _places(settings: Settings) -> dict[str, Path]:
    """Where each part of a backup lies, by the first part of its names."""
    folders = settings.folders
    return {
        _LOG: folders.log,
        "db": folders.db,
        "keys": folders.keys,
        "revocation": folders.revocation,
        "signers": folders.signers,
        _POLICY: folders.policy,
    }  # passerelle.toml lies in the folder itself: see ``restore``


def _key_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Every file among the keys, once, by its name in a backup."""
    places: Mapping[str, Path] = _places(settings)
    apart = (places["revocation"], places["signers"])
    for kind in ("keys", "revocation", "signers"):
        for path in sorted(places[kind].rglob("*")):
            if not path.is_file() or (kind == "keys" and any(path.is_relative_to(folder) for folder in apart)):
                continue
            yield f"{kind}/{path.relative_to(places[kind])}", path


def _is_private(settings: Settings, path: Path) -> bool:
    """By its name, and by what is in it: nothing else of a key may leave with a backup that was to have none."""
    if path.suffix in _PRIVATE_SUFFIXES or path == settings.keystore.pin_file:
        return True
    with suppress(FileNotFoundError):
        return _PRIVATE in path.read_bytes()
    return True


def _settings_in(source: Path, folder: Path) -> Settings:
    """The settings that a backup holds, as they are to be below this folder."""
    with TemporaryDirectory() as made:
        apart = Path(made).resolve()
        extract(source, lambda name: apart / name if name == _TOML else None)
        settings = load_settings(apart / _TOML)
    home = folder.resolve()
    moved = {name: _moved(path, apart, home) for name, path in settings.folders}
    keystore = {
        name: _moved(path, apart, home)
        for name in ("module", "pin_file")
        if (path := getattr(settings.keystore, name)) is not None
    }
    return settings.model_copy(
        update={
            "folders": settings.folders.model_copy(update=moved),
            "keystore": settings.keystore.model_copy(update=keystore),
        }
    )


def _moved(path: Path, apart: Path, home: Path) -> Path:
    return home / path.relative_to(apart) if path.is_relative_to(apart) else path


def _settled(base: Composition) -> int:
    """The restored database's size; what was claimed since the backup is forgotten, and nobody may use that (L4)."""
    migrate(base.url)
    database = open_database(base.url, durable=True)
    try:
        DatabaseClaims(database, base.clock).refuse_earlier()
        return Log(database).state().size
    finally:
        database.dispose()
