"""What `passerelle audit translate` holds translations against: the mappings of the systems, without their networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from lxml import etree

from adapters.encryption import ENCRYPTED_DATA, conceal
from adapters.mapping.declaration import FILE, load_mapping
from adapters.mapping.rest_form import rest_service
from adapters.mapping.soap_form import soap_service
from adapters.mapping.values import ValueUnfitError
from adapters.profile import profile_operations
from contracts.loader import ContractError, load_contract, load_contracts
from gateway.audit.places import RestAsked
from gateway.audit.translate import Retold
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from adapters.mapping.rest_call import RestOperation
    from adapters.mapping.soap_form import SoapOperation
    from contracts.loader import Contract
    from gateway.audit.retelling import System


@dataclass(frozen=True, slots=True)
class SoapSystem:
    """A SOAP service by its mapping (gateway.audit.retelling.System)."""

    operations: Mapping[str, SoapOperation] = field(repr=False)

    def sent(self, operation: str, fields: Mapping[str, object], salt: bytes) -> etree._Element:
        """The one element of the Body that it is sent, what is encrypted in it left empty (C5); raises Refusal."""
        known = self.operations[operation]
        payload = known.payload(fields, salt)
        conceal(payload, known.encrypted, lambda _: etree.Element(ENCRYPTED_DATA))
        return payload

    def answered(self, operation: str, content: etree._Element | bytes, _status: int) -> Mapping[str, object]:
        """The canonical fields of its answer; raises ValueError."""
        if isinstance(content, bytes):
            raise ValueUnfitError  # an answer by REST, of a SOAP service
        return self.operations[operation].read(content).fields


@dataclass(frozen=True, slots=True)
class RestSystem:
    """A REST service, by its mapping or of our own profile (the same)."""

    operations: Mapping[str, RestOperation] = field(repr=False)

    def sent(self, operation: str, fields: Mapping[str, object], salt: bytes) -> RestAsked:
        """The request that it is sent; raises Refusal."""
        call = self.operations[operation].request(fields, salt)
        return RestAsked(call.method, call.target, call.body)

    def answered(self, operation: str, content: etree._Element | bytes, status: int) -> Mapping[str, object]:
        """The canonical fields of its answer; raises ValueError."""
        if not isinstance(content, bytes):
            raise ValueUnfitError  # an answer by SOAP, of a REST service
        return self.operations[operation].read(status, content).fields


def retold(callers: Sequence[Path], others: Sequence[Path], mappings: Sequence[Path]) -> Retold:
    """The folders, and the systems whose mapping comes with this program or stands in ``mappings``.

    A folder of ``mappings`` holds the contract too where that does not come with this program. Raises
    ConfigurationError for a mapping that is not there or cannot be used.
    """
    packaged = Path(str(files("contracts")))
    contracts = load_contracts(packaged) + tuple(_own_contracts(mappings))
    known = sorted(path.parent for path in packaged.glob(f"*/v*/{FILE}"))
    systems = dict(_mapped(folder, contracts) for folder in (*known, *mappings))
    for upstream in sorted({one.upstream for contract in contracts for one in contract.operations.values()}):
        systems.setdefault(upstream, RestSystem(profile_operations(upstream, contracts)))
    return Retold(tuple(callers), tuple(others), systems)


def _own_contracts(folders: Iterable[Path]) -> Iterable[Contract]:
    for folder in folders:
        path = folder / "contract.yaml"
        if path.is_file():
            try:
                yield load_contract(path.read_bytes())
            except ContractError as error:
                raise ConfigurationError("contract_invalid", detail=f"{path}: {error}") from None


def _mapped(folder: Path, contracts: tuple[Contract, ...]) -> tuple[str, System]:
    mapping = load_mapping(folder)
    if mapping.document.endswith(".wsdl"):
        return mapping.upstream, SoapSystem(soap_service(folder, contracts).operations)
    return mapping.upstream, RestSystem(rest_service(folder, contracts).operations)
