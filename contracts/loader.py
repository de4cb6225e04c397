"""contract.yaml: an operation is declared once, read at start (C1); what breaks a privacy rule does not load."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from contracts.strict_yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Schema = dict[str, Any]
SALT = "salt"
_SENSITIVITIES = ("identifier", "personal", "public", SALT)
_SECRET = ("identifier", "personal")
#: What is done on a NIREC that the registry confirms, and how many handles of the caller's an act needs.
_BY_NIREC = ("disclose", "attach")
_HANDLES_OF = {"attach": 1, "merge": 2}
_PATH_FIELD = re.compile(r"\{([a-z_]+)\}")


class ContractError(Exception):
    """A contract that cannot be used; the text names the folder, the operation and the field."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bilingual(_Strict):
    """A text in both languages."""

    fr: str = Field(min_length=1)
    en: str = Field(min_length=1)


class RestBinding(_Strict):
    """How the operation is called over REST."""

    method: Literal["GET", "POST"]
    path: Annotated[str, StringConstraints(pattern=r"^/[a-z0-9/_{}.-]+$")]
    query: tuple[str, ...] = ()


class SoapBinding(_Strict):
    """How the operation is called over SOAP."""

    action: str
    request: str
    response: str


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


class ReductionRule(_Strict):
    """How the answer is reduced: when a subject is disclosed, under which handle, and what becomes of it.

    ``act`` disclose and attach need an identifier and the value of the answer that confirms it; attach and merge name
    the request fields that hold handles of the caller's, and merge the one that says why.
    """

    act: Literal["disclose", "expect", "attach", "merge"] = "disclose"
    identifier: str | None = None
    handle: str
    field: str | None = None
    confirmed: str | None = None
    given: tuple[str, ...] = ()
    reason: str | None = None
    conceal: tuple[Concealment, ...] = ()


class Operation(_Strict):
    """One operation, as declared."""

    title: Bilingual
    description: Bilingual
    rest: RestBinding
    soap: SoapBinding | None = None
    upstream: str
    idempotent: bool
    limits: Limits
    request: Schema
    response: Schema
    reduction: ReductionRule | None = None
    acknowledges: bool = False
    errors: tuple[str, ...]

    def sensitivity(self, part: Literal["request", "response"]) -> Mapping[str, str]:
        """Each field's sensitivity, by name."""
        schema = self.request if part == "request" else self.response
        return {name: field["sensitivity"] for name, field in schema["properties"].items()}


class Contract(_Strict):
    """A service's contract; ``sha256`` is the hex digest of the file, by which evidence names it."""

    service: str
    version: str
    title: Bilingual
    operations: dict[str, Operation] = Field(min_length=1)
    sha256: str = ""
    source: bytes = Field(default=b"", repr=False)


def load_contract(content: bytes) -> Contract:
    """One contract from its bytes; raises ContractError."""
    try:
        contract = Contract.model_validate(load_yaml(content))
    except yaml.YAMLError:
        raise ContractError("the contract is not YAML, or repeats a key") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ContractError(f"{where}: {first['msg']}") from None
    for name, operation in contract.operations.items():
        for part in ("request", "response"):
            _check_schema(f"{name}.{part}", operation.request if part == "request" else operation.response)
        _check_binding(name, operation)
    return contract.model_copy(update={"sha256": sha256(content).hexdigest(), "source": content})


def _check_schema(where: str, schema: Schema) -> None:
    if schema.get("type") != "object" or schema.get("additionalProperties") is not False:
        raise ContractError(f"{where}: must be an object with additionalProperties: false (C7)")
    fields = schema.get("properties", {})
    for name, field in fields.items():
        if field.get("sensitivity") not in _SENSITIVITIES:
            raise ContractError(f"{where}.{name}: sensitivity is one of {', '.join(_SENSITIVITIES)} (C1)")
        try:
            Bilingual.model_validate(field.get("description"))
        except ValidationError:
            raise ContractError(f"{where}.{name}: description needs fr and en (C1)") from None
    secret = any(field["sensitivity"] in _SECRET for field in fields.values())
    salted = fields.get(SALT, {}).get("sensitivity") == SALT and SALT in schema.get("required", ())
    if secret and not salted:
        raise ContractError(f"{where}: identifier or personal fields ask for a required salt (C4)")


def _check_binding(name: str, operation: Operation) -> None:
    sensitivity = operation.sensitivity("request")
    for field in (*_PATH_FIELD.findall(operation.rest.path), *operation.rest.query):
        if sensitivity.get(field) != "public":
            raise ContractError(f"{name}: {field} may not stand in a path or a query (C4)")
    rule = operation.reduction
    answer = operation.sensitivity("response")
    if rule is None:
        return
    if answer.get(rule.handle) != "public" or (
        rule.act in _BY_NIREC and sensitivity.get(rule.identifier or "") != "identifier"
    ):
        raise ContractError(f"{name}.reduction: needs an identifier in the request and a handle in the answer")
    if (rule.act in _BY_NIREC and (rule.field not in answer or rule.confirmed is None)) or any(
        item.field not in answer for item in rule.conceal
    ):
        raise ContractError(f"{name}.reduction: names a field that the answer does not have")
    _check_given(name, operation, rule)


def _check_given(name: str, operation: Operation, rule: ReductionRule) -> None:
    """The handles that a request holds are required and public: a handle is no identifier (C4)."""
    required, sensitivity = operation.request.get("required", ()), operation.sensitivity("request")
    unfit = [field for field in rule.given if sensitivity.get(field) != "public" or field not in required]
    needed = _HANDLES_OF.get(rule.act, 0)
    if unfit or len(rule.given) != needed:
        raise ContractError(f"{name}.reduction: {rule.act} needs {needed} required public handles")
    if (rule.act == "merge") != (rule.reason is not None and rule.reason in required):
        raise ContractError(f"{name}.reduction: a merge, and nothing else, has a required reason")


def load_contracts(folder: Path) -> tuple[Contract, ...]:
    """Every ``SERVICE/vN/contract.yaml`` below a folder; raises ContractError naming the file."""
    contracts: list[Contract] = []
    for path in sorted(folder.glob("*/v*/contract.yaml")):
        try:
            contracts.append(load_contract(path.read_bytes()))
        except ContractError as error:
            raise ContractError(f"{path.relative_to(folder)}: {error}") from None
    names = [name for contract in contracts for name in contract.operations]
    if not names or len(set(names)) != len(names):
        raise ContractError("there is no operation, or two have the same name")
    return tuple(contracts)
