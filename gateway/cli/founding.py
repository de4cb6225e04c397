"""`passerelle init --policy`: a gateway of one's own, from a first policy that names its officers (DESIGN P1).

What lives here: the gateway's keys, its settings and its empty log. What may not: anybody else's private key;
certificates come from outside (`passerelle keys csr`, `keys import`), and the months' private keys stay with auditors.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

from certs.files import write_public
from gateway.composition import begin
from gateway.delivery.sealing import OUTBOX_KEY
from gateway.errors import ConfigurationError
from gateway.guard.claims import CLAIMS_KEY
from gateway.keys.make import FileKeyMaker
from gateway.keys.names import handle_key, nirec_key
from gateway.keys.stores import TLS, Keys
from gateway.ledger.encoding import period_of
from gateway.ledger.note import LOG_KEY, LogKey
from gateway.ledger.sealing import PUBLIC_SIZE
from gateway.nirec.subjects import FAMILY_KEY, HANDLES_KEY, LEDGER_KEY
from gateway.policy.judge import read_proposal
from gateway.settings import load_settings, of_storage
from gateway.signing.answer import SIGNING_KEY
from gateway.signing.receipt import RECEIPT_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.keys.make import KeyMaker
    from gateway.policy.bundle import Bundle
    from gateway.ports import Clock, Randomness
    from gateway.settings import KeystoreSettings

_RAW = 32
_REGISTRY = "civil-registry"
_KEYS_APART = """
[keystore]
kind = "files"
# One process alone opens the keys, and the others ask it (S7); docs/decisions/0015 says what that costs.
process = true
"""


class Founding:
    """Makes a gateway in an empty folder, from its first policy."""

    def __init__(
        self, folder: Path, policy: bytes, clock: Clock, randomness: Randomness, keystore: KeystoreSettings
    ) -> None:
        """Raises PolicyRefused for a policy that is none, and ConfigurationError for one that is not a first one."""
        self._folder = folder
        self._policy = policy
        self._clock = clock
        self._randomness = randomness
        self._keystore = keystore
        self._now = clock.now()
        self.bundle, self.sha256 = read_proposal(policy)
        _check_first(self.bundle)
        if not self.bundle.validity.covers(self._now):
            raise ConfigurationError("first_policy_not_in_force")

    def create(self, periods: Path) -> str:
        """Writes everything, and nothing over anything; gives the genesis hash, an auditor's anchor.

        ``periods`` has the public keys of the months, YYYYMM.pub, as the policy names them by their hash.
        Raises ConfigurationError, KeystoreError.
        """
        if self._folder.exists() and (here := sorted(self._folder.iterdir())):
            raise ConfigurationError("exists_already", path=here[0])
        months = self._months(periods)
        keys = self._folder / "gateway" / "keys"
        for month, public in months.items():
            write_public(keys / "periods" / f"{month}.pub", public)
        self._own_keys(keys)
        for name, party in self.bundle.parties.items():
            roots = "\n".join(self.bundle.authorities[party.authority].roots).encode()
            write_public(keys / "authorities" / f"{name}.pem", roots)
            write_public(self._folder / "trust" / "roots" / f"{name}.pem", roots)
        for name in ("revocation", "signers"):
            (keys / name).mkdir()
        for name, public_key in self.bundle.officers.keys.items():
            write_public(self._folder / "trust" / "officers" / f"{name}.pub", f"{public_key}\n".encode())
        write_public(self._folder / "gateway" / "policy.yaml", self._policy)
        write_public(self._folder / "passerelle.toml", self._settings().encode())
        settings = load_settings(self._folder / "passerelle.toml", of_storage())
        genesis = begin(settings, self._clock, self._randomness)
        write_public(self._folder / "trust" / "genesis", f"{genesis}\n".encode())
        return genesis

    def _months(self, periods: Path) -> dict[str, bytes]:
        if str(period_of(self._now)) not in self.bundle.periods:
            raise ConfigurationError("first_policy_without_month", period=period_of(self._now))
        found: dict[str, bytes] = {}
        for month, expected in sorted(self.bundle.periods.items()):
            path = periods / f"{month}.pub"
            try:
                public = path.read_bytes()
            except OSError as error:
                raise ConfigurationError("file_unreadable", path=path, detail=error.strerror) from None
            if len(public) != PUBLIC_SIZE or sha256(public).hexdigest() != expected:
                raise ConfigurationError("period_key_differs", path=path)
            found[month] = public
        return found

    def _own_keys(self, folder: Path) -> None:
        maker = Keys(folder, self._keystore, self._clock, self._randomness).maker()
        files = FileKeyMaker(folder, self._randomness)
        try:
            for name in TLS:
                files.make_p256(name)
            for name in (SIGNING_KEY, RECEIPT_KEY):
                maker.make_p256(name)
            parties = (handle_key(party) for party in self.bundle.parties)
            for name in (CLAIMS_KEY, LEDGER_KEY, HANDLES_KEY, FAMILY_KEY, OUTBOX_KEY, nirec_key(0), *parties):
                maker.make_mac(name)
            log: KeyMaker = maker if maker.knows_ed25519() else files
            key = LogKey(self.bundle.origin, log.make_ed25519(LOG_KEY)[-_RAW:])
        finally:
            maker.close()
        for path in (folder / "log.vkey", self._folder / "trust" / "log.vkey"):
            write_public(path, f"{key.vkey}\n".encode())

    def _settings(self) -> str:
        parties = self.bundle.parties
        own = parties[self.bundle.gateway].names[0]
        registry = next((name for name, party in parties.items() if party.role == _REGISTRY), _REGISTRY)
        host = parties[registry].names[0] if registry in parties else f"{registry}.example"
        text = f"""# Passerelle. `passerelle config show` gives every setting with its meaning.
[listen]
# The address by which callers reach us: it is part of every signature, so correct it before anybody calls.
origin = "https://{own}"
host = "127.0.0.1"
port = 8443
health_port = 8081

[civil_registry]
# Where the registry's SOAP service answers; its party in the policy.
url = "https://{host}/civil-registry/v1"
party = "{registry}"
"""
        if self._keystore.kind == "files":
            return text + _KEYS_APART
        named = {
            "module": self._keystore.module,
            "token": self._keystore.token,
            "pin_file": self._keystore.pin_file,
        }
        lines = "".join(f"{name} = {json.dumps(str(value))}\n" for name, value in named.items())
        return f'{text}\n[keystore]\nkind = "pkcs11"\n{lines}'


def _check_first(bundle: Bundle) -> None:
    if bundle.previous is not None:
        raise ConfigurationError("first_policy_has_previous")
