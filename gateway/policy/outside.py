"""Who outside confirms the log, as the policy names them: witnesses and timestamp authorities (DESIGN L7, L8, L10)."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Annotated, Literal

from cryptography import x509
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
_HOST = r"[a-zA-Z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$"
#: A witness's answer says how far it is, and nothing signs that: so TLS, but on this very machine.
WitnessUrl = Annotated[
    str, StringConstraints(pattern=rf"^(https://{_HOST}|http://127\.0\.0\.1(:[0-9]{{1,5}})?(/.*)?$)")
]
#: A token is signed, and most authorities answer over plain HTTP.
TokenUrl = Annotated[str, StringConstraints(pattern=rf"^https?://{_HOST}")]
Oid = Annotated[str, StringConstraints(pattern=r"^[0-2](\.(0|[1-9][0-9]{0,30})){1,30}$")]
#: Of C2SP vkeys those of cosignatures; the same as gateway.ledger.cosignature reads, which no room may import.
_COSIGNATURE = b"\x04"
_VKEY_BYTES = 33


def _vkey(text: str) -> str:
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        raw = b64decode(encoded, validate=True)
    except binascii.Error:
        raise ValueError("a vkey that is not base64") from None
    known = sha256(name.encode() + b"\n" + raw).hexdigest()[:8]
    if len(raw) != _VKEY_BYTES or raw[:1] != _COSIGNATURE or b64encode(raw).decode() != encoded or key_id != known:
        raise ValueError("not a witness's vkey")
    if not name or any(char.isspace() or not char.isprintable() for char in name):
        raise ValueError("a vkey without a name")
    return text


def _certificate(pem: str) -> str:
    if pem.count("-----BEGIN ") != 1:
        raise ValueError("not one certificate in PEM")
    x509.load_pem_x509_certificate(pem.encode())
    return pem


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Witness(_Strict):
    """One witness: its key as vkey, where it is asked, and whose it is. Each belongs to another organisation (L10)."""

    vkey: Annotated[str, AfterValidator(_vkey)]
    url: WitnessUrl
    organisation: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Witnessing(_Strict):
    """How many of which witnesses must have cosigned a checkpoint, and what is done when fewer have.

    ``open``: it is published all the same, and an alarm tells; ``closed``: it waits for them.
    """

    quorum: int = Field(ge=1)
    when_missing: Literal["open", "closed"]
    witnesses: dict[Name, Witness] = Field(min_length=1, max_length=32)

    @model_validator(mode="after")
    def _can_be_reached(self) -> Witnessing:
        if self.quorum > len(self.witnesses):
            raise ValueError("the quorum is above the number of witnesses")
        # a witness that counts twice would be a quorum of its own
        for what in ("vkey", "organisation"):
            if len({getattr(item, what) for item in self.witnesses.values()}) != len(self.witnesses):
                raise ValueError(f"two witnesses have one {what}")
        if len({item.vkey.partition("+")[0] for item in self.witnesses.values()}) != len(self.witnesses):
            raise ValueError("two witnesses have one name in their vkeys")
        return self


class TimestampAuthority(_Strict):
    """One RFC 3161 authority: where it is asked, the root that its certificates lead to, and its policy if pinned."""

    url: TokenUrl
    root: Annotated[str, AfterValidator(_certificate)]
    policy: Oid | None = None


class Timestamping(_Strict):
    """Whose tokens date the log: any of the authorities, asked in their order.

    ``halt_after_minutes``: once the oldest record without a token is that old, exchanges are refused.
    """

    authorities: dict[Name, TimestampAuthority] = Field(min_length=1, max_length=16)
    halt_after_minutes: int | None = Field(None, ge=5, le=1_000_000)
