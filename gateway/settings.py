"""passerelle.toml, with PASSERELLE_* over it; an unknown key is an error, a secret is masked.

A variable is PASSERELLE_SECTION__KEY; of a system that is asked, PASSERELLE_UPSTREAMS__PARTY__KEY, where a single
underscore in the party's part is its name's hyphen: no name of a party has an underscore, and no variable a hyphen.
Paths are relative to the folder of the file. Every setting has a description, used by `config show` and the docs.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "PASSERELLE_"
_UPSTREAMS = "upstreams"
_PASSWORD = re.compile(r"((?:postgres(?:ql)?://[^/@\s]*?:|[?&]password=))[^&@\s]+(@|)")
_Port = Annotated[int, Field(ge=1, le=65535)]
_Https = Annotated[str, StringConstraints(pattern=r"^https://[a-z0-9.-]+(:[0-9]+)?$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Listen(_Strict):
    """Where the gateway listens."""

    origin: _Https = Field(description="https origin by which callers address us; part of every signature")
    host: str = Field("127.0.0.1", description="address of the TLS listener")
    port: _Port = Field(8443, description="port of the TLS listener")
    health_port: _Port = Field(8081, description="port of the health listener, on loopback only")
    workers: int = Field(2, ge=1, le=64, description="worker processes")
    threads: int = Field(4, ge=1, le=256, description="threads of each worker for the database; the loop has its own")
    graceful_seconds: int = Field(20, ge=1, description="how long in-flight exchanges may take at shutdown")
    keepalive_seconds: int = Field(30, ge=1, description="how long an idle connection is kept")


class Folders(_Strict):
    """Where things lie, relative to the file."""

    log: Path = Field(Path("gateway/log"), description="the published ledger")
    db: Path = Field(Path("gateway/db"), description="the database")
    keys: Path = Field(Path("gateway/keys"), description="the keystore's files, 0600")
    logs: Path = Field(Path("gateway/logs"), description="JSON logs")
    policy: Path = Field(Path("gateway/policy.yaml"), description="the policy bundle")
    revocation: Path = Field(Path("gateway/keys/revocation"), description="revocation data, PARTY.*.crl, *.ocsp")
    signers: Path = Field(Path("gateway/keys/signers"), description="the parties' signing certificates, PARTY.*.pem")


class StorageSettings(_Strict):
    """Which database; docs/guides/postgresql.*.md for what a server must be."""

    database: str | None = Field(
        None,
        description="postgresql:// address of a server that several machines share; none: a SQLite file in folders.db",
    )
    synchronous_standbys: bool = Field(
        default=True, description="start only where the server waits for a synchronous standby (PostgreSQL)"
    )


class KeystoreSettings(_Strict):
    """Where the keys are (S7); TLS keys and certificates are files in any case."""

    kind: Literal["files", "pkcs11"] = Field("files", description="where the keys are: files, or a PKCS #11 token")
    module: Path | None = Field(None, description="the token's PKCS #11 module, a shared library")
    token: str | None = Field(None, description="the token's label")
    pin_file: Path | None = Field(None, description="file with the token's PIN, 0600")
    slow: bool = Field(default=False, description="the token is on a network: each use waits in a thread")
    process: bool = Field(default=False, description="one process has the keys, and the others ask it (S7)")


class LedgerSettings(_Strict):
    """The ledger's pace."""

    promise_seconds: int = Field(10, ge=1, description="Ledger-By: sequenced within this many seconds")
    poll_milliseconds: int = Field(100, ge=10, description="how often the sequencer looks for new records")
    anchor_seconds: int = Field(60, ge=1, description="how often the log is timestamped and anchored")
    outside_ca: Path | None = Field(
        None, description="authorities, PEM, of the witnesses' and timestamp servers' TLS; without it the system's"
    )
    purge_after_hours: int = Field(
        24, ge=0, description="hours after which a published, sealed record leaves the database; 0: never"
    )


class RevocationSettings(_Strict):
    """How revocation data is fetched from the addresses that certificates name."""

    refresh_seconds: int = Field(3600, ge=1, description="how often it is fetched at most; sooner where it ends sooner")
    timeout_seconds: float = Field(10.0, gt=0, description="for the whole of one fetch")


class NirecSettings(_Strict):
    """What a NIREC looks like; the generations of its pseudonyms' key stand in the database."""

    pattern: str = Field(r"\d{13}", description="NIREC pattern; thirteen digits is our working assumption")


class CivilRegistry(_Strict):
    """The civil registry's endpoint."""

    url: str = Field(description="https address of the SOAP service")
    party: str = Field("civil-registry", description="its name in the policy")
    deadline_seconds: float = Field(5.0, gt=0, description="for all attempts of one exchange together")
    attempt_seconds: float = Field(2.0, gt=0, description="for one attempt")
    attempts: int = Field(3, ge=1, le=10, description="attempts inside the deadline")
    concurrency: int = Field(16, ge=1, description="calls at once from one worker; above it, 503 at once")
    batch_per_second: int = Field(
        50, ge=1, description="records of batches a second, over all workers; a batch has half of the calls at once"
    )


class UpstreamSettings(_Strict):
    """An outside system besides the civil registry; its party's name in the policy is the section's."""

    url: Annotated[str, StringConstraints(pattern=r"^https://[^\s?#]+$")] = Field(
        description="https address of its service; for REST what stands before the paths"
    )
    folder: Path | None = Field(
        None, description="its contract.yaml, mapping.yaml and document; without it, it speaks our own REST profile"
    )
    deadline_seconds: float = Field(5.0, gt=0, description="for all attempts of one exchange together")
    attempt_seconds: float = Field(2.0, gt=0, description="for one attempt")
    attempts: int = Field(3, ge=1, le=10, description="attempts inside the deadline")
    concurrency: int = Field(16, ge=1, description="calls at once from one worker; above it, 503 at once")


class Deliveries(_Strict):
    """How notices wait and go out; started only where a party takes notices."""

    expire_hours: int = Field(168, ge=1, description="hours after its acceptance past which a notice is a dead letter")
    concurrency: int = Field(4, ge=1, le=64, description="deliveries at once to one party, from one machine")
    first_wait_seconds: float = Field(1.0, gt=0, description="first wait after a failure; each is twice the one before")
    longest_wait_seconds: float = Field(900.0, gt=0, description="longest wait of one notice")
    longest_pause_seconds: float = Field(60.0, gt=0, description="longest time that a failing party is left alone")
    lease_seconds: int = Field(60, ge=10, description="how long a claimed notice is nobody else's; above any deadline")


class SandboxMinistry(_Strict):
    """The sandbox of the ministry's notice service (development only)."""

    host: str = Field("127.0.0.1", description="address of the sandbox's listeners")
    port: _Port = Field(description="port of its REST service")
    control_port: _Port = Field(description="port of its switches and counter, loopback, plain HTTP")
    folder: Path = Field(Path("sandbox/ministry-notices"), description="its keys and database")


class SandboxBenefits(_Strict):
    """The sandbox of the benefits administration's notice service (development only)."""

    host: str = Field("127.0.0.1", description="address of the sandbox's listeners")
    port: _Port = Field(description="port of its SOAP service")
    control_port: _Port = Field(description="port of its switches and counter, loopback, plain HTTP")
    folder: Path = Field(Path("sandbox/benefits-notices"), description="its keys and database")


class SandboxCooperative(_Strict):
    """The sandbox of the cooperative's registry (development only)."""

    host: str = Field("127.0.0.1", description="address of the sandbox's listeners")
    port: _Port = Field(description="port of its REST service")
    control_port: _Port = Field(description="port of its switches and counter, loopback, plain HTTP")
    folder: Path = Field(Path("sandbox/cooperative"), description="its keys and database")
    database: str | None = Field(
        None, description="postgresql:// address of its registrations; none: a SQLite file in its folder"
    )


class SandboxRegistry(_Strict):
    """The sandbox civil registry (development only)."""

    host: str = Field("127.0.0.1", description="address of the sandbox's listeners")
    port: _Port = Field(description="port of its SOAP service")
    control_port: _Port = Field(description="port of its switches and counter, loopback, plain HTTP")
    folder: Path = Field(Path("sandbox/civil-registry"), description="its keys and database")


SandboxName = Literal["civil-registry", "cooperative", "ministry", "benefits"]
Sandbox = SandboxRegistry | SandboxCooperative | SandboxMinistry | SandboxBenefits


class Settings(_Strict):
    """The whole of passerelle.toml."""

    listen: Listen
    folders: Folders = Field(default_factory=Folders)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    keystore: KeystoreSettings = Field(default_factory=KeystoreSettings)
    ledger: LedgerSettings = Field(default_factory=LedgerSettings)
    revocation: RevocationSettings = Field(default_factory=RevocationSettings)
    nirec: NirecSettings = Field(default_factory=NirecSettings)
    civil_registry: CivilRegistry
    upstreams: dict[str, UpstreamSettings] = Field(default_factory=dict)
    deliveries: Deliveries = Field(default_factory=Deliveries)
    sandbox_civil_registry: SandboxRegistry | None = None
    sandbox_cooperative: SandboxCooperative | None = None
    sandbox_ministry: SandboxMinistry | None = None
    sandbox_benefits: SandboxBenefits | None = None
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="least level logged")

    def sandbox(self, name: SandboxName) -> Sandbox:
        """The section of one sandbox; raises ConfigurationError (no_sandbox) where there is none."""
        section = f"sandbox_{name.replace('-', '_')}"
        found: Sandbox | None = getattr(self, section)
        if found is None:
            raise ConfigurationError("no_sandbox", section=section)
        return found


def load_settings(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings with absolute paths; raises ConfigurationError naming the key and what is wrong."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError("not_toml", path=path, detail=error) from None
    if masked(written := str(raw.get("storage", {}).get("database", ""))) != written:
        raise ConfigurationError("password_in_file", path=path)
    for key, value in sorted((os.environ if environ is None else environ).items()):
        if key.startswith(PREFIX) and key != f"{PREFIX}CONFIG":
            _overlay(raw, key, value)
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        key = {"extra_forbidden": "setting_unknown", "missing": "setting_missing"}.get(first["type"], "setting_invalid")
        raise ConfigurationError(key, path=path, name=where, detail=first["msg"]) from None
    return _absolute(settings, path.resolve().parent)


def of_storage(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that say which database: where a log is begun, they count, and no others do."""
    given = os.environ if environ is None else environ
    return {name: value for name, value in given.items() if name.upper().startswith(f"{PREFIX}STORAGE__")}


def masked(value: str) -> str:
    """The text without the password that a database's address in it may hold."""
    return _PASSWORD.sub(r"\1•••\2", value)


def _overlay(raw: dict[str, Any], key: str, value: str) -> None:
    # PASSERELLE_LISTEN__PORT=9443 sets listen.port; pydantic makes a number of the text.
    section, _, name = key.removeprefix(PREFIX).lower().partition("__")
    if section == _UPSTREAMS:
        _overlay_upstream(raw, key, name, value)
        return
    if not name:
        raw[section] = value
        return
    table = raw.setdefault(section, {})
    if not isinstance(table, dict):
        raise ConfigurationError("setting_unknown", path=key, name=section, detail="")
    table[name] = value


def _overlay_upstream(raw: dict[str, Any], key: str, rest: str, value: str) -> None:
    # A variable changes a section that the file has and makes none: a slip in a name would be another system to ask.
    written, _, name = rest.rpartition("__")
    sections = raw.get(_UPSTREAMS, {})
    known = (
        {party: one for party, one in sections.items() if isinstance(one, dict)} if isinstance(sections, dict) else {}
    )
    table = known.get(written.replace("_", "-"))
    if table is None:
        raise ConfigurationError("variable_unknown", name=key, known=", ".join(sorted(known)) or "—")
    table[name] = value


def _absolute(settings: Settings, base: Path) -> Settings:
    folders = {name: base / value for name, value in settings.folders}
    keystore = {
        name: base / value for name in ("module", "pin_file") if (value := getattr(settings.keystore, name)) is not None
    }
    outside_ca = settings.ledger.outside_ca
    update: dict[str, Any] = {
        "ledger": settings.ledger.model_copy(update={"outside_ca": None if outside_ca is None else base / outside_ca}),
        "folders": Folders(**folders),
        "keystore": settings.keystore.model_copy(update=keystore),
    }
    update["upstreams"] = {
        name: one if one.folder is None else one.model_copy(update={"folder": base / one.folder})
        for name, one in settings.upstreams.items()
    }
    for name in ("sandbox_civil_registry", "sandbox_cooperative", "sandbox_ministry", "sandbox_benefits"):
        if (sandbox := getattr(settings, name)) is not None:
            update[name] = sandbox.model_copy(update={"folder": base / sandbox.folder})
    return settings.model_copy(update=update)
