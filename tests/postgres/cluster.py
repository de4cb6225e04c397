"""A PostgreSQL cluster of the tests' own: on a unix socket, in a folder that goes with it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from gateway.storage import migrate
from tests.adapters.fakes import until

if TYPE_CHECKING:
    from collections.abc import Iterator

_USER = "passerelle"
_TEMPLATE = "migrated"
#: Small, quick to start, and never asked for more than a few tests do.
_SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "120",
    "shared_buffers": "'16MB'",
    "dynamic_shared_memory_type": "mmap",
    "wal_level": "replica",
    "max_wal_senders": "4",
    "autovacuum": "off",
}
_EMPTY = """
TRUNCATE budget_subjects, budget_counts, effect_keys, intents, batches, batch_lines, batch_pace, family_notes, outbox,
writers, records, log_state, objects, claims, first_refusals, subjects, pseudonyms, handles, merged_subjects,
nirec_generations, runs RESTART IDENTITY;
INSERT INTO nirec_generations (generation, state) VALUES (0, 'complete');
"""


def binaries() -> Path | None:
    """Where the server's programs are; None where there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    which = shutil.which("initdb")
    return found[-1].parent if found else Path(which).parent if which else None


@dataclass
class Cluster:
    """One server; ``close`` ends it and removes its folder."""

    programs: Path
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="pg-")))
    safe: bool = False
    names: Iterator[int] = field(default_factory=count)
    free: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.data, self.socket = self.folder / "data", self.folder / "s"
        self.folder.chmod(0o755)
        self.socket.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
            shutil.chown(self.socket, "postgres")

    def run(self, program: str, *arguments: object) -> None:
        """One of the server's programs, by its own user where we are root: the server refuses root."""
        drop = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*drop, str(self.programs / program), *map(str, arguments)]
        # not through a pipe: the server would keep it open
        with (self.folder / "programs.log").open("ab") as log:
            done = subprocess.run(command, cwd=self.folder, stdout=log, stderr=log, check=False, timeout=60)
        if done.returncode:
            raise RuntimeError((self.folder / "programs.log").read_text()[-4000:])

    def make(self, **settings: str) -> Cluster:
        """Makes the cluster and starts it."""
        self.run("initdb", "-D", self.data, "-U", _USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        self.configure(**_SETTINGS, **settings)
        return self.start()

    def configure(self, **settings: str) -> None:
        """Adds to the settings; a server that runs takes some of them at ``reload`` only."""
        lines = {"unix_socket_directories": f"'{self.socket}'", "fsync": "on" if self.safe else "off"} | settings
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in lines.items())

    def start(self) -> Cluster:
        """Starts it, and returns when it answers."""
        self.run("pg_ctl", "-D", self.data, "-w", "-l", self.folder / "server.log", "start")
        return self

    def reload(self) -> None:
        """Takes the settings as they stand now."""
        self.run("pg_ctl", "-D", self.data, "reload")

    def promote(self) -> None:
        """Makes a standby the primary."""
        self.run("pg_ctl", "-D", self.data, "-w", "promote")

    def kill(self) -> None:
        """Kill -9 to the server and all of its processes at once, as a machine dies."""
        main = int((self.data / "postmaster.pid").read_text().split()[0])
        children = [int(pid) for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split()]
        for pid in (main, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert until(lambda: not any(_lives(pid) for pid in (main, *children)), 20)
        # where nobody buries the dead, the server would take itself for one that runs
        for name in (self.data / "postmaster.pid", self.socket / ".s.PGSQL.5432.lock"):
            name.unlink(missing_ok=True)

    def standby(self, name: str) -> Cluster:
        """Another cluster that follows this one, as the standby of this name; once promoted it waits for no other."""
        made = Cluster(self.programs, safe=self.safe)
        source = f"host={self.socket} user={_USER} application_name={name}"
        made.run("pg_basebackup", "-D", made.data, "-d", source, "-R", "-X", "stream", "-c", "fast", "--no-sync")
        made.configure(synchronous_standby_names="''")
        return made.start()

    def url(self, database: str, *others: Cluster) -> str:
        """How a database here is named, and on its standbys too."""
        hosts = ",".join(str(cluster.socket).replace("/", "%2F") for cluster in (self, *others))
        return f"postgresql://{_USER}@{hosts}/{database}"

    def empty(self) -> str:
        """The URL of a new database without a table."""
        name = f"test{next(self.names)}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def database(self) -> str:
        """The URL of a database at the newest schema, with what every new one holds."""
        if self.free:
            return self.free.pop()
        if not self.sql("SELECT 1 FROM pg_database WHERE datname = %s", _TEMPLATE):
            self.sql(f"CREATE DATABASE {_TEMPLATE}")
            migrate(self.url(_TEMPLATE))
        name = f"test{next(self.names)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self.url(name)

    def give_back(self, url: str) -> None:
        """A database that a test is done with: emptied for the next one, unless its tables are others now."""
        name = url.rpartition("/")[2]
        self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", name)
        with suppress(psycopg.errors.UndefinedTable):
            self.sql(_EMPTY, database=name)
            self.free.append(url)

    def sql(self, statement: str, *values: object, database: str = "postgres") -> list[tuple[Any, ...]]:
        """One statement by the server's owner; its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """Ends it at once."""
        if (self.data / "postmaster.pid").exists():
            with suppress(RuntimeError):
                self.run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
