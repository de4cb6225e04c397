"""The anchors that an auditor brings from elsewhere, never from the audited host (DESIGN L10)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from contracts.loader import ContractError, load_contract
from gateway.audit.cosignatures import load_witnesses
from gateway.audit.timestamps import load_authorities
from gateway.errors import ConfigurationError
from gateway.ledger.encoding import FormatError, decode64
from gateway.ledger.note import LogKey, verify_note
from gateway.ledger.sealing import period_public_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gateway.ledger.cosignature import WitnessKey
    from gateway.ledger.note import Checkpoint

REMEMBERED = "remembered-checkpoint"
_GENESIS = re.compile(r"[0-9a-f]{64}")
_PERIOD = re.compile(r"[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Trust:
    """An auditor's anchors.

    Attributes:
        roots: each party's root certificates, DER, by its name in the policy.
        log_key: the log's public key and origin.
        genesis: hex SHA-256 of the first policy.
        periods: raw private period keys by YYYYMM; a missing one leaves that period's evidence sealed.
        remembered: the checkpoint that an earlier audit saw; None for a first audit.
        crls: each party's revocation lists, DER, for certificates that no evidence names.
        witnesses, quorum: whose cosignatures count, and how many of them a checkpoint must have.
        authorities: each timestamp authority's roots, DER, by its name in the log's policy.
        contracts: hex SHA-256 of the contracts that parties agreed on; None where the auditor brings none.
        apart: officers' raw private keys by the hex SHA-256 of their public side; without them it stays sealed (C5).
    """

    roots: Mapping[str, tuple[bytes, ...]] = field(repr=False)
    log_key: LogKey
    genesis: str
    periods: Mapping[int, bytes] = field(repr=False)
    remembered: Checkpoint | None
    crls: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict, repr=False)
    witnesses: tuple[WitnessKey, ...] = ()
    quorum: int = 0
    authorities: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict, repr=False)
    contracts: frozenset[str] | None = None
    apart: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def load_trust(folder: Path) -> Trust:
    """The anchors in a ``trust/`` folder; raises ConfigurationError naming the file that cannot be used."""
    if not folder.is_dir():
        raise ConfigurationError("folder_missing", path=folder)
    log_key = _log_key(folder / "log.vkey")
    witnesses, quorum = load_witnesses(folder)
    return Trust(
        roots=_roots(folder / "roots"),
        log_key=log_key,
        genesis=_genesis(folder / "genesis"),
        periods=dict(_period(path) for path in sorted((folder / "periods").glob("*.key"))),
        remembered=_remembered(folder / REMEMBERED, log_key),
        crls=_crls(folder / "crls"),
        witnesses=witnesses,
        quorum=quorum,
        authorities=load_authorities(folder),
        contracts=_contracts(folder / "contracts"),
        apart=dict(_apart(path) for path in sorted((folder / "apart").glob("*.key"))),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None


def _text(path: Path) -> str:
    try:
        return _read(path).decode("ascii").strip()
    except UnicodeDecodeError:
        raise ConfigurationError("trust_malformed", path=path, detail="ASCII") from None


def _log_key(path: Path) -> LogKey:
    try:
        return LogKey.parse(_text(path))
    except FormatError as error:
        raise ConfigurationError("trust_malformed", path=path, detail=error) from None


def _genesis(path: Path) -> str:
    text = _text(path)
    if not _GENESIS.fullmatch(text):
        raise ConfigurationError("trust_malformed", path=path, detail="SHA-256")
    return text


def _roots(folder: Path) -> dict[str, tuple[bytes, ...]]:
    roots: dict[str, tuple[bytes, ...]] = {}
    for path in sorted(folder.glob("*.pem")):
        try:
            certificates = x509.load_pem_x509_certificates(_read(path))
        except ValueError:
            raise ConfigurationError("trust_malformed", path=path, detail="PEM") from None
        roots[path.name.removesuffix(".pem")] = tuple(item.public_bytes(Encoding.DER) for item in certificates)
    if not roots:
        raise ConfigurationError("trust_malformed", path=folder, detail="PARTY.pem")
    return roots


def _crls(folder: Path) -> dict[str, tuple[bytes, ...]]:
    lists: dict[str, tuple[bytes, ...]] = {}
    for path in sorted(folder.glob("*.*.crl")):
        party = path.name.removesuffix(".crl").rpartition(".")[0]
        lists[party] = (*lists.get(party, ()), _read(path))
    return lists


def _contracts(folder: Path) -> frozenset[str] | None:
    """Of each contract in the folder; None where there is no such folder."""
    if not folder.is_dir():
        return None
    found = set()
    for path in sorted(folder.glob("*.yaml")):
        content = _read(path)
        try:
            load_contract(content, path.name)
        except ContractError as error:
            raise ConfigurationError("trust_malformed", path=path, detail=error) from None
        found.add(sha256(content).hexdigest())
    return frozenset(found)


def _period(path: Path) -> tuple[int, bytes]:
    name = path.name.removesuffix(".key")
    if not _PERIOD.fullmatch(name):
        raise ConfigurationError("trust_malformed", path=path, detail="YYYYMM.key")
    # its public side is derived so that a key that is none is told before the audit begins
    return int(name), _private(path)[0]


def _apart(path: Path) -> tuple[str, bytes]:
    private, public = _private(path)
    return sha256(public).hexdigest(), private


def _private(path: Path) -> tuple[bytes, bytes]:
    """A raw private key that something was sealed to, and its public side."""
    try:
        private = decode64(_text(path))
        return private, period_public_key(private)
    except (FormatError, ValueError):
        raise ConfigurationError("trust_malformed", path=path, detail="base64") from None


def _remembered(path: Path, key: LogKey) -> Checkpoint | None:
    return load_checkpoint(path, key) if path.exists() else None


def load_checkpoint(path: Path, key: LogKey) -> Checkpoint:
    """A checkpoint in a file, signed by the log's key; raises ConfigurationError where it is none."""
    try:
        return verify_note(_read(path), key)
    except FormatError as error:
        raise ConfigurationError("trust_malformed", path=path, detail=error) from None
