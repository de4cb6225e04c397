"""Reads mapping.yaml: which element carries which canonical field, and which outcome a result means (C2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import yaml

from contracts.strict_yaml import load_yaml
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RegistryMapping:
    """The civil registry's names beside ours; elements without their namespace.

    Attributes:
        upstream: its party's name.
        fields: request elements by canonical field.
        answer_element: Clark name of the answer's root.
        outcomes: canonical outcomes by its results.
    """

    upstream: str
    operation: str
    request_action: str
    answer_action: str
    request_salt: str
    fields: Mapping[str, str]
    answer_element: str
    answer_salt: str
    answer_outcome: str
    outcomes: Mapping[str, str]


def load_mapping(path: Path) -> RegistryMapping:
    """The mapping; raises ConfigurationError naming the file and what it lacks."""
    try:
        document = cast("Any", load_yaml(path.read_bytes()))
        namespace = document["namespace"]
        request, answer = document["request"], document["answer"]
        return RegistryMapping(
            upstream=document["upstream"],
            operation=document["operation"],
            request_action=document["actions"]["request"],
            answer_action=document["actions"]["answer"],
            request_salt=request["salt"],
            fields=dict(request["fields"]),
            answer_element=f"{{{namespace}}}{answer['element']}",
            answer_salt=f"{{{namespace}}}{answer['salt']}",
            answer_outcome=f"{{{namespace}}}{answer['outcome']}",
            outcomes=dict(document["outcomes"]),
        )
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError("contract_invalid", detail=f"{path}: {type(error).__name__}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError("contract_invalid", detail=f"{path}: {error}") from None
