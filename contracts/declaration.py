"""What contract.yaml declares, as frozen models (C1): a service's version, its operations, and how each is called."""

from __future__ import annotations

from datetime import date  # noqa: TC003  pydantic reads the annotation
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema = dict[str, Any]
Language = Literal["fr", "en"]
SALT = "salt"

_Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
_Number = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,3}$")]
_XmlName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,95}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bilingual(_Strict):
    """A text in both languages."""

    fr: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def __getitem__(self, language: Language) -> str:
        return self.fr if language == "fr" else self.en


class RestBinding(_Strict):
    """How the operation is called over REST."""

    method: Literal["GET", "POST"]
    path: Annotated[str, StringConstraints(pattern=r"^/[a-z0-9/_{}.-]+$")]
    query: tuple[str, ...] = ()


class SoapBinding(_Strict):
    """What the operation is called over SOAP, where it is not what contracts.names makes of its name."""

    action: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*:[!#-;=?-~]{1,200}$")]
    request: _XmlName
    response: _XmlName


class Limits(_Strict):
    """Sizes in bytes, the one deadline in seconds."""

    request_bytes: int = Field(gt=0, le=1_048_576)
    response_bytes: int = Field(gt=0, le=16_777_216)
    deadline_seconds: float = Field(gt=0, le=60)


class Concealment(_Strict):
    """A value that is said to be another where the agreement does not tell them apart (N4)."""

    field: str
    value: str
    said: str


class RefusedValue(_Strict):
    """A value of the upstream's answer that is a refusal to the caller, who then gets nothing of that answer."""

    field: str
    value: str
    code: _Word


class Criteria(_Strict):
    """Of which fields of a request so many must be there: what keeps a search from being a listing."""

    least: int = Field(ge=1)
    of: tuple[str, ...]


class ReductionRule(_Strict):
    """How the answer is reduced: when a subject is disclosed, under which handle, and what becomes of it.

    ``act`` disclose and attach need an identifier and the value of the answer that confirms it; attach, merge, read and
    register name the request fields that hold handles of the caller's, and merge the one that says why. At read the
    upstream is told its own handle in place of the caller's, and at register it is given one if it has none; at list
    the answer's field ``listed`` holds items, each with the upstream's own handle, in whose place the caller gets its
    own (N3). At view the gateway itself answers about the child whom the caller's handle names; at tell somebody else
    is to be told of that child, later.
    """

    act: Literal["disclose", "expect", "attach", "merge", "read", "register", "list", "view", "tell"] = "disclose"
    identifier: str | None = None
    handle: str
    field: str | None = None
    confirmed: str | None = None
    given: tuple[str, ...] = ()
    reason: str | None = None
    conceal: tuple[Concealment, ...] = ()
    listed: str | None = None
    refuse: tuple[RefusedValue, ...] = ()


class EffectRule(_Strict):
    """Which fields of the answer hold digests of a record's state before and after the effect (P5)."""

    before: str
    after: str


class Operation(_Strict):
    """One operation, as declared.

    ``outgoing``: nobody calls it here; we tell its upstream by it, of our own accord (deliveries).
    """

    title: Bilingual
    description: Bilingual
    rest: RestBinding
    soap: SoapBinding | None = None
    upstream: str
    idempotent: bool
    limits: Limits
    request: Schema
    response: Schema
    criteria: Criteria | None = None
    reduction: ReductionRule | None = None
    effect: EffectRule | None = None
    acknowledges: bool = False
    outgoing: bool = False
    errors: tuple[str, ...]

    def sensitivity(self, part: Literal["request", "response"]) -> Mapping[str, str]:
        """Each field's sensitivity, by name."""
        schema = self.request if part == "request" else self.response
        return {name: field["sensitivity"] for name, field in schema.get("properties", {}).items()}


class Deprecation(_Strict):
    """That a version is on its way out; days in UTC.

    Attributes:
        since: from this day on it should not be built on (RFC 9745).
        sunset: from this day on it may not answer (RFC 8594).
        successor: the version to go to, where there is one.
    """

    since: date
    sunset: date
    successor: _Number | None = None


class Contract(_Strict):
    """A service's contract; ``sha256`` is the hex digest of the file, by which evidence names it."""

    service: _Word
    version: _Number
    title: Bilingual
    deprecated: Deprecation | None = None
    operations: dict[str, Operation] = Field(min_length=1)
    sha256: str = ""
    source: bytes = Field(default=b"", repr=False)
