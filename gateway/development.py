"""`passerelle init`: a gateway's own keys and policy; with --dev also every party, the sandbox and their PKI.

What lives here: the one place that makes keys and certificates. What may not: anything that a running gateway needs.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from certs.authority import DevAuthority
from certs.files import write_private, write_public
from certs.profiles import Profile
from gateway.composition import begin
from gateway.delivery.sealing import OUTBOX_KEY
from gateway.development_policy import (
    ADDRESSEES,
    AGREEMENTS,
    BENEFITS,
    CALLERS,
    COOPERATIVE,
    GATEWAY,
    MINISTRY,
    REGISTRY,
    TITLES,
    UNSIGNED,
    agreement,
)  # fmt: skip
from gateway.errors import ConfigurationError
from gateway.guard.claims import CLAIMS_KEY
from gateway.keys.make import FileKeyMaker, handle_key, nirec_key
from gateway.keys.request import BehindThePort
from gateway.keys.stores import Keys
from gateway.known_contracts import known_contracts
from gateway.ledger.note import LOG_KEY, LogKey
from gateway.ledger.sealing import new_period_key
from gateway.nirec.subjects import FAMILY_KEY, HANDLES_KEY, LEDGER_KEY
from gateway.places import contracts_folder, notices_folder
from gateway.sandboxes import create_births, fill_registrations
from gateway.settings import KeystoreSettings, load_settings, of_storage
from gateway.signing.answer import SIGNING_KEY
from gateway.signing.receipt import RECEIPT_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from certs.authority import Issued
    from gateway.keys.make import KeyMaker
    from gateway.ports import Clock, Randomness

ORIGIN = "passerelle.development"
OFFICERS = ("officer-1", "officer-2", "officer-3")
_THRESHOLD = 2
#: What `passerelle demo` leaves in a folder that it may wipe.
MARKER = ".passerelle-demo"
_PERIODS = 13
_ED25519_BYTES = 32
_EXAMPLES: Mapping[str, Mapping[str, str]] = {
    "echo": {"message": "Bonjour, est-ce que la passerelle m'entend?"},
    "waitlist": {"as_of": "2026-10-31"},
    "waitlist_region": {"as_of": "2026-10-31", "region": "13"},
    "counts": {"as_of": "2026-10-31"},
}
_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that a development set-up listens on."""

    gateway: int = 8443
    health: int = 8081
    registry: int = 8543
    control: int = 8082
    cooperative: int = 8544
    cooperative_control: int = 8083
    ministry: int = 8545
    ministry_control: int = 8084
    benefits: int = 8546
    benefits_control: int = 8085


class Development:
    """Makes a development set-up in an empty folder."""

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        clock: Clock,
        randomness: Randomness,
        keystore: KeystoreSettings | None = None,
    ) -> None:
        """``keystore`` says where the gateway's keys are made: files, or inside a token (S7)."""
        self._folder = folder
        self._ports = ports
        self._keystore = keystore or KeystoreSettings()
        self._clock = clock
        self._randomness = randomness
        self._now = clock.now().replace(microsecond=0)
        self._origin = f"https://localhost:{ports.gateway}"

    def create(self, *, births: int = 10_000, registrations: int = 60) -> None:
        """Writes everything; raises ConfigurationError rather than overwrite anything.

        ``registrations`` is how many the cooperative's registry holds; its sandbox can be given more.
        """
        here = [path for path in self._folder.iterdir() if path.name != MARKER] if self._folder.exists() else []
        if here:
            raise ConfigurationError("exists_already", path=min(here))
        authorities = {name: DevAuthority(name, self._now) for name in TITLES}
        self._gateway_keys(authorities)
        for name in CALLERS:
            self._caller(name, authorities)
        self._registry(authorities[REGISTRY], authorities[GATEWAY], births)
        self._service(COOPERATIVE, COOPERATIVE, "registry", authorities)
        self._service("ministry-notices", MINISTRY, "notices", authorities)
        self._service("benefits-notices", BENEFITS, None, authorities)
        self._settings()
        self._trust(authorities)
        self._policy(authorities)
        self._begin(registrations)

    def _gateway_keys(self, authorities: Mapping[str, DevAuthority]) -> None:
        keys = self._folder / "gateway" / "keys"
        own = authorities[GATEWAY]
        names = ["gateway.passerelle.test", "localhost"]
        _write(keys / "tls-server", own.issue(Profile.TLS_SERVER, names), own)
        _write(keys / "tls-client", own.issue(Profile.TLS_CLIENT, names[:1]), own)
        where = Keys(keys, self._keystore, self._clock, self._randomness)
        maker = where.maker()
        behind = BehindThePort(where.open(later=[SIGNING_KEY]), SIGNING_KEY, maker.make_p256(SIGNING_KEY))
        write_public(keys / f"{SIGNING_KEY}.pem", own.issue(Profile.SIGNING, names[:1], key=behind).pem)
        maker.make_p256(RECEIPT_KEY)
        vkey = LogKey(ORIGIN, self._log_key(maker)).vkey
        write_public(keys / "log.vkey", f"{vkey}\n".encode())
        write_public(self._folder / "trust" / "log.vkey", f"{vkey}\n".encode())
        handles = [handle_key(party) for party in TITLES]
        for name in (CLAIMS_KEY, LEDGER_KEY, HANDLES_KEY, FAMILY_KEY, OUTBOX_KEY, nirec_key(0), *handles):
            maker.make_mac(name)
        maker.close()
        for name, authority in authorities.items():
            write_public(keys / "authorities" / f"{name}.pem", authority.root.pem)
            for kind, crl in zip(("root", "issuing"), authority.revocation_lists(), strict=True):
                write_public(keys / "revocation" / f"{name}.{kind}.crl", crl)

    def _log_key(self, maker: KeyMaker) -> bytes:
        """The public key, 32 bytes; a file where the token has no Ed25519."""
        if not maker.knows_ed25519():
            maker = FileKeyMaker(self._folder / "gateway" / "keys", self._randomness)
        return maker.make_ed25519(LOG_KEY)[-_ED25519_BYTES:]

    def _caller(self, name: str, authorities: Mapping[str, DevAuthority]) -> None:
        folder = self._folder / "sandbox" / "parties" / name
        authority = authorities[name]
        host = f"{name}.passerelle.test"
        signing = authority.issue(Profile.SIGNING, [host])
        _write(folder / "tls", authority.issue(Profile.TLS_CLIENT, [host]), authority)
        _write(folder / "signing", signing)
        keys = self._folder / "gateway" / "keys"
        write_public(keys / "signers" / f"{name}.pem", signing.pem)
        write_public(folder / "gateway.pem", (keys / "signing.pem").read_bytes())
        write_public(folder / "log.vkey", (keys / "log.vkey").read_bytes())
        write_public(folder / "gateway-root.pem", authorities[GATEWAY].root.pem)
        write_public(folder / "party.toml", self._party_toml(name).encode())

    def _party_toml(self, name: str) -> str:
        contracts = known_contracts(contracts_folder(), [])
        called = {name: one.rest for contract in contracts for name, one in contract.operations.items()}
        lines = [f'name = "{name}"', f'origin = "{self._origin}"', 'authority = "gateway-root.pem"', ""]
        for word, (party, operation, purpose, *_rest) in AGREEMENTS.items():
            # those of a contract that somebody adds by a folder, he calls by its own names
            if party == name and operation in called:
                lines += [
                    f'[operations."{operation}"]',
                    f'method = "{called[operation].method}"',
                    f'path = "{called[operation].path}"',
                    f'agreement = "{word}"',
                    f'purpose = "{purpose}"',
                    "",
                ]
        return "\n".join(lines)

    def _registry(self, authority: DevAuthority, gateway: DevAuthority, births: int) -> None:
        folder = self._folder / "sandbox" / REGISTRY
        host = "civil-registry.passerelle.test"
        _write(folder / "tls", authority.issue(Profile.TLS_SERVER, [host, "localhost"]), authority)
        _write(folder / "signing", authority.issue(Profile.SIGNING, [host]))
        self._callers_of(folder, gateway)
        requests = create_births(folder / "births.sqlite", births)
        named = ("family_name", "given_names", "birth_date")
        requests["search"] = {name: requests["confirmed"][name] for name in named}
        for name in CALLERS:
            # Input files hold NIRECs, so they stand in the party's own folder, for its eyes only.
            for title, fields in {**requests, **_EXAMPLES}.items():
                text = json.dumps(fields, ensure_ascii=False, indent=1)
                write_private(self._folder / "sandbox" / "parties" / name / "requests" / f"{title}.json", text.encode())

    def _service(
        self, folder_name: str, party: str, signer: str | None, authorities: Mapping[str, DevAuthority]
    ) -> None:
        """A party's own system, which we call; where it signs, its key is one of the party's, under ``signer``."""
        folder, keys = self._folder / "sandbox" / folder_name, self._folder / "gateway" / "keys"
        authority, host = authorities[party], f"{party}.passerelle.test"
        _write(folder / "tls", authority.issue(Profile.TLS_SERVER, [host, "localhost"]), authority)
        self._callers_of(folder, authorities[GATEWAY])
        if signer is not None:
            signing = authority.issue(Profile.SIGNING, [host])
            _write(folder / "signing", signing)
            write_public(keys / "signers" / f"{party}.{signer}.pem", signing.pem)
            write_public(folder / "callers.pem", (keys / f"{SIGNING_KEY}.pem").read_bytes())

    def _callers_of(self, folder: Path, gateway: DevAuthority) -> None:
        """Whom a sandbox believes to be the gateway."""
        write_public(folder / "caller-root.pem", gateway.root.pem)
        write_public(folder / "caller-issuing.pem", gateway.issuing.pem)
        for kind, crl in zip(("root", "issuing"), gateway.revocation_lists(), strict=True):
            write_public(folder / f"caller.{kind}.crl", crl)

    def _settings(self) -> None:
        ports = self._ports
        text = f"""# Passerelle, development. `passerelle config show` gives every setting with its meaning.
[listen]
origin = "{self._origin}"
port = {ports.gateway}
health_port = {ports.health}

[civil_registry]
url = "https://localhost:{ports.registry}/civil-registry/v1"

[upstreams.{COOPERATIVE}]
url = "https://localhost:{ports.cooperative}"

[upstreams.{MINISTRY}]
url = "https://localhost:{ports.ministry}"
folder = {json.dumps(str(notices_folder(MINISTRY)))}

[upstreams.{BENEFITS}]
url = "https://localhost:{ports.benefits}/services/ReceptionAvis"
folder = {json.dumps(str(notices_folder(BENEFITS)))}

[sandbox_civil_registry]
port = {ports.registry}
control_port = {ports.control}

[sandbox_cooperative]
port = {ports.cooperative}
control_port = {ports.cooperative_control}

[sandbox_ministry]
port = {ports.ministry}
control_port = {ports.ministry_control}

[sandbox_benefits]
port = {ports.benefits}
control_port = {ports.benefits_control}
"""
        if (kept := self._keystore).kind == "pkcs11":
            named = {"module": kept.module, "token": kept.token, "pin_file": kept.pin_file}
            text += '\n[keystore]\nkind = "pkcs11"\n' + "".join(
                f"{name} = {json.dumps(str(value))}\n" for name, value in named.items()
            )
        write_public(self._folder / "passerelle.toml", text.encode())

    def _trust(self, authorities: Mapping[str, DevAuthority]) -> None:
        trust, keys = self._folder / "trust", self._folder / "gateway" / "keys"
        for name, authority in authorities.items():
            write_public(trust / "roots" / f"{name}.pem", authority.root.pem)
            for kind in ("root", "issuing"):
                source = keys / "revocation" / f"{name}.{kind}.crl"
                write_public(trust / "crls" / source.name, source.read_bytes())
        for contract in known_contracts(contracts_folder(), map(notices_folder, ADDRESSEES)):
            write_public(trust / "contracts" / f"{contract.service}-v{contract.version}.yaml", contract.source)
        for period in self._period_names():
            private, public = new_period_key()
            write_private(trust / "periods" / f"{period}.key", _base64(private))
            write_public(keys / "periods" / f"{period}.pub", public)

    def _period_names(self) -> list[str]:
        first = self._now.year * 12 + self._now.month - 1
        return [f"{month // 12}{month % 12 + 1:02}" for month in range(first, first + _PERIODS)]

    def _policy(self, authorities: Mapping[str, DevAuthority]) -> None:
        keys = self._folder / "gateway" / "keys"
        periods = {
            name: sha256((keys / "periods" / f"{name}.pub").read_bytes()).hexdigest() for name in self._period_names()
        }
        validity = {"since": _day(self._now - timedelta(days=1)), "until": _day(self._now + _YEAR)}
        bundle: dict[str, Any] = {
            "origin": ORIGIN,
            "version": 1,
            "previous": None,
            "validity": validity,
            "gateway": GATEWAY,
            "officers": {"threshold": _THRESHOLD, "keys": self._officers(), "widening_delay_hours": 0},
            "authorities": {
                name: {"roots": [item.root.pem.decode()], "intermediates": [item.issuing.pem.decode()]}
                for name, item in authorities.items()
            },
            "parties": {
                name: {
                    "title": {"fr": french, "en": english},
                    "role": role,
                    "authority": name,
                    "names": ["gateway.passerelle.test" if name == GATEWAY else f"{name}.passerelle.test"],
                }
                | ({"unsigned": True} if name in UNSIGNED else {})
                for name, (role, french, english) in TITLES.items()
            },
            "agreements": {word: agreement(row, validity) for word, row in AGREEMENTS.items()},
            "guard": {"refusals_per_minute": 600, "canaries": []},
            "periods": periods,
        }
        text = yaml.safe_dump(bundle, allow_unicode=True, sort_keys=False, width=110)
        heading = "# The policy: who may do what. Its officers' keys lie on one disk: never so outside development.\n"
        write_public(self._folder / "gateway" / "policy.yaml", (heading + text).encode())

    def _officers(self) -> dict[str, str]:
        """Their public keys by name; the private ones lie apart from all that the gateway has."""
        keys: dict[str, str] = {}
        for name in OFFICERS:
            officer = ed25519.Ed25519PrivateKey.generate()
            write_private(self._folder / "sandbox" / "officers" / f"{name}.key", _pkcs8(officer))
            keys[name] = _base64(officer.public_key().public_bytes_raw()).decode().strip()
            write_public(self._folder / "trust" / "officers" / f"{name}.pub", f"{keys[name]}\n".encode())
        return keys

    def _begin(self, registrations: int) -> None:
        settings = load_settings(self._folder / "passerelle.toml", of_storage())
        genesis = begin(settings, self._clock, self._randomness)
        write_public(self._folder / "trust" / "genesis", f"{genesis}\n".encode())
        fill_registrations(settings, registrations, self._clock, self._randomness)


def _write(stem: Path, issued: Issued, authority: DevAuthority | None = None) -> None:
    write_private(stem.with_name(f"{stem.name}.key"), issued.key_pem)
    chain = issued.pem + (authority.issuing.pem if authority else b"")
    write_public(stem.with_name(f"{stem.name}.pem"), chain)


def _pkcs8(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _base64(raw: bytes) -> bytes:
    return b64encode(raw) + b"\n"


def _day(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT00:00:00Z")
