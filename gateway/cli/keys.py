"""`passerelle keys list|csr|rotate|activate|withdraw`: the gateway's own keys, and how they are renewed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cryptography import x509

from certs.files import write_public
from certs.profiles import Profile, dns_names
from gateway.cli.common import compose, settings_of
from gateway.cli.output import Exit
from gateway.delivery.sealing import OUTBOX_KEY
from gateway.errors import ConfigurationError, KeystoreError
from gateway.guard.budgets import STEPS
from gateway.guard.claims import CLAIMS_KEY, OVERLAP
from gateway.keys.generations import KINDS
from gateway.keys.inventory import CERTIFIED, PUBLISHED, inventory
from gateway.keys.names import generation_key
from gateway.keys.request import certificate_request
from gateway.ledger.note import LOG_KEY
from gateway.nirec.subjects import FAMILY_KEY, HANDLES_KEY, LEDGER_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.cli.output import Output
    from gateway.composition import Composition
    from gateway.keys.inventory import KeyFacts
    from gateway.policy.bundle import Bundle

PROFILES = {"tls-server": Profile.TLS_SERVER, "tls-client": Profile.TLS_CLIENT, "signing": Profile.SIGNING}
_LOCAL = ZoneInfo("America/Toronto")
#: Within this every process has read the table of generations: what comes into use all at once is said beforehand.
_HEARD = timedelta(seconds=5)


def show(output: Output, config: Path | None) -> int:
    """Every key; exit 1 where one is absent."""
    path, settings = settings_of(config)
    base = compose(settings)
    now = base.clock.now()
    plain = (LOG_KEY, LEDGER_KEY, HANDLES_KEY, FAMILY_KEY, OUTBOX_KEY)
    try:
        found = inventory(base.keys, base.generations, settings.folders.keys, base.bundle.parties, plain, now)
    finally:
        base.keys.close()
    missing = [one.name for one in found if one.where == "absent"]
    output.result({"holds": not missing, "config": path, "keys": [asdict(one) for one in found]})
    output.say("keys.of", path=path)
    for one in found:
        output.say("keys.row", name=one.name, purpose=output.t(f"keys.kind.{one.kind}"), about=_about(output, one))
    for name in missing:
        output.fail("keys.absent", name=name)
    return Exit.REFUSED if missing else Exit.HOLDS


def request(
    output: Output, config: Path | None, name: str, subject: str | None, names: list[str], to: Path | None
) -> None:
    """A certificate request for a key, on standard output or in a file.

    Without a subject or names, they are those of the certificate that the key, or the one in use, has now.
    Raises ConfigurationError, KeystoreError.
    """
    _, settings = settings_of(config)
    base = compose(settings)
    kind = certified_kind(base, name)
    held = _certificate_in_use(settings.folders.keys, name, base.generations.name(kind))
    if held is None and not (subject and names):
        raise ConfigurationError("csr_needs_names", name=name)
    if held is not None:
        subject, names = subject or held.subject.rfc4514_string(), names or list(dns_names(held))
    store = base.keys.open_one(name)
    try:
        pem = certificate_request(
            store, name, store.public_key(name), profile=PROFILES[kind], subject=subject or "", names=names
        )
    finally:
        store.close()
    if to is not None:
        try:
            write_public(to, pem)
        except FileExistsError:
            raise ConfigurationError("exists_already", path=to) from None
    output.result({"name": name, "request": pem.decode(), "file": to})
    output.say("keys.request" if to is None else "keys.request_in", pem=pem.decode().strip(), path=to)


def rotate(output: Output, config: Path | None, kind: str) -> int:
    """The next key of a kind, made and published ahead; raises ConfigurationError for those that never change."""
    _, settings = settings_of(config)
    if kind == "nirec":
        from gateway.cli.rotation import rotate_nirec  # noqa: PLC0415  the rewriting's imports, for it alone

        return rotate_nirec(output, compose(settings))
    if kind not in KINDS:
        raise ConfigurationError(_why_never(kind), name=kind)
    base = compose(settings)
    waiting = [one.name for one in base.generations.all(kind) if one.since is None]
    if waiting:
        raise ConfigurationError("generation_waits", name=waiting[0])
    name = generation_key(kind, base.generations.next(kind))
    maker = base.keys.maker(kind)
    try:
        if kind == CLAIMS_KEY:
            maker.make_mac(name)
        else:
            maker.make_p256(name)
    finally:
        maker.close()
    made = base.generations.add(kind)
    if kind == CLAIMS_KEY:
        # nobody outside knows of it: it is in use as soon as every process has heard
        base.generations.activate(kind, made.number, base.clock.now() + _HEARD)
    published = kind in PUBLISHED and kind not in CERTIFIED
    output.result({"name": name, "kind": kind, "generation": made.number, "published": published})
    output.say(f"keys.rotated.{kind}", name=name, hours=int(_needed(base.bundle).total_seconds() // 3600))
    return Exit.HOLDS


def _needed(bundle: Bundle) -> timedelta:
    """How long what was kept under the former key counts: claims a day, and a budget's window with its last step."""
    windows = [one.budget.window_hours for one in bundle.agreements.values() if one.budget is not None]
    return max(OVERLAP, *(timedelta(hours=hours + hours / STEPS) for hours in windows), timedelta())


def activate(output: Output, config: Path | None, name: str, at: str | None) -> None:
    """From that moment (RFC 3339), or from now, the generation is in use; raises ConfigurationError, KeystoreError."""
    _, settings = settings_of(config)
    base = compose(settings)
    kind, number = generation_of(name)
    moment = base.clock.now() if at is None else _moment(at)
    if kind in CERTIFIED:
        certificate = read_certificate(settings.folders.keys / f"{name}.pem")
        if not certificate.not_valid_before_utc <= moment < certificate.not_valid_after_utc:
            raise ConfigurationError("certificate_not_then", name=name, at=_local(moment))
    try:
        if base.keys.where(name) == "absent":
            raise KeystoreError("generation_unknown", name=name)
    finally:
        base.keys.close()
    base.generations.activate(kind, number, moment)
    output.result({"name": name, "since": moment.isoformat()})
    output.say("keys.activated_tls" if kind.startswith("tls-") else "keys.activated", name=name, at=_local(moment))


def withdraw(output: Output, config: Path | None, name: str) -> None:
    """The generation is neither used nor published any more; its key stays where it is. Raises KeystoreError."""
    _, settings = settings_of(config)
    kind, number = generation_of(name)
    compose(settings).generations.withdraw(kind, number)
    output.result({"name": name, "withdrawn": True})
    output.say("keys.withdrawn", name=name)


def generation_of(name: str) -> tuple[str, int]:
    """The kind and number in a key's name; raises ConfigurationError where it can have none."""
    for kind in KINDS:
        rest = name.removeprefix(kind)
        if rest == "":
            return kind, 0
        if rest != name and rest[0] == "-" and rest[1:].isascii() and rest[1:].isdigit():
            return kind, int(rest[1:])
    raise ConfigurationError("key_without_generations", name=name, known=", ".join(KINDS))


def certified_kind(base: Composition, name: str) -> str:
    """The kind of a key that has a certificate; raises ConfigurationError for others, or if it is not there."""
    kind, number = generation_of(name)
    if kind not in CERTIFIED:
        raise ConfigurationError("key_without_certificate", name=name, known=", ".join(CERTIFIED))
    if number not in {one.number for one in base.generations.all(kind)}:
        raise KeystoreError("generation_unknown", name=name)
    return kind


def read_certificate(path: Path) -> x509.Certificate:
    """The first certificate in a file; raises ConfigurationError."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        raise KeystoreError("certificate_missing", path=path) from None


def _certificate_in_use(folder: Path, *names: str) -> x509.Certificate | None:
    for name in names:
        if (path := folder / f"{name}.pem").exists():
            return read_certificate(path)
    return None


def _why_never(kind: str) -> str:
    if kind == LOG_KEY:
        return "rotate_log"
    if kind in (LEDGER_KEY, HANDLES_KEY, FAMILY_KEY) or kind.startswith("handle-"):
        return "rotate_stable"
    if kind == OUTBOX_KEY:
        return "rotate_outbox"
    return "rotate_unknown"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError("time_invalid", text=text) from None
    if moment.tzinfo is None:
        raise ConfigurationError("time_invalid", text=text)
    return moment.astimezone(UTC)


def _local(moment: datetime) -> str:
    return moment.astimezone(_LOCAL).isoformat(timespec="seconds")


def _about(output: Output, one: KeyFacts) -> str:
    parts = [output.t(f"keys.where.{one.where}")]
    if one.generation is not None:
        parts.append(output.t("keys.generation", number=one.generation))
    if one.kind in KINDS:
        since = None if one.since is None else _local(one.since)
        key = f"keys.state.{one.state}" if since is None else f"keys.state.{one.state}_since"
        parts.append(output.t(key, since=since))
    if one.published:
        parts.append(output.t("keys.published"))
    if one.days is not None:
        parts.append(output.t("keys.certificate", subject=one.subject, days=one.days))
    elif one.kind in CERTIFIED:
        parts.append(output.t("keys.no_certificate"))
    return " · ".join(parts)
