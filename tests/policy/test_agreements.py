"""An agreement fits the contracts, and each version of the operation that it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.loader import Contract, load_contract
from gateway.errors import ConfigurationError
from gateway.policy.agreements import check_agreements, check_budgets
from tests.policy.made import bundle, put

NIREC = Path(__file__).parents[2] / "contracts" / "nirec" / "v1" / "contract.yaml"


def _nirec(version: str = "1", **response: object) -> Contract:
    declared: dict[str, Any] = yaml.safe_load(NIREC.read_text(encoding="utf-8"))
    declared["version"] = version
    operation = declared["operations"]["nirec.verify"]
    operation["rest"]["path"] = f"/v{version}/nirec/verifications"
    for name in response:
        field = {"type": "string", "sensitivity": "public", "description": {"fr": name, "en": name}}
        operation["response"]["properties"][name] = field
        operation["response"]["required"].append(name)
    return load_contract(yaml.safe_dump(declared).encode())


def _fields(*names: str) -> Any:
    return put("agreements", "ENT-2", "fields", value=list(names))


def test_an_agreement_that_fits() -> None:
    check_agreements(bundle(), [_nirec()])
    check_agreements(bundle(), [_nirec(), _nirec("2")])


def test_of_two_versions_each_must_be_answerable() -> None:
    both = [_nirec(), _nirec("2", note="said by v2 alone")]
    named = [_fields("outcome", "note"), put("agreements", "ENT-1", "fields", value=["outcome", "note"])]
    check_agreements(bundle(*named), both)
    for contracts in (both, both[::-1]):
        with pytest.raises(ConfigurationError) as raised:
            check_agreements(bundle(named[1]), contracts)
        assert raised.value.values == {"where": "agreements.ENT-2.fields", "detail": "note"}


@pytest.mark.parametrize(
    ("edit", "where", "detail"),
    [
        (put("agreements", "ENT-1", "operation", value="nirec.list"), "agreements.ENT-1.operation", "nirec.list"),
        (_fields("outcome", "address"), "agreements.ENT-2.fields", "address"),
        (_fields("handle"), "agreements.ENT-2.fields", "outcome"),
        (_fields("outcome", "salt"), "agreements.ENT-2.fields", "salt"),
    ],
)
def test_an_agreement_that_could_never_be_answered_is_refused(edit: Any, where: str, detail: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        check_agreements(bundle(edit), [_nirec()])
    assert raised.value.values == {"where": where, "detail": detail}


def test_a_budget_that_nobody_would_count_is_refused() -> None:
    budget = {"subjects": 3, "window_hours": 24}
    contracts = [_nirec(), load_contract((NIREC.parents[2] / "echo" / "v1" / "contract.yaml").read_bytes())]
    counted = put("agreements", "ENT-2", "budget", value=budget)
    check_budgets(bundle(counted), contracts)
    with pytest.raises(ConfigurationError) as raised:
        check_budgets(bundle(counted, put("agreements", "ENT-2", "operation", value="echo")), contracts)
    assert raised.value.values["where"] == "agreements.ENT-2.budget"
