"""The bundle, read strictly; and step 5, which denies by default (P1, P3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from gateway.development import Development, Ports
from gateway.errors import Code, ConfigurationError, Refusal
from gateway.model import Claim
from gateway.policy.authorise import Authoriser
from gateway.policy.bundle import MOST_MARKS, read_bundle
from gateway.system import SystemClock, SystemRandomness
from tests.adapters.fakes import ShiftedClock
from tests.guard.test_claims import message
from tests.policy import made

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.model import Grant, Message

Policy = dict[str, Any]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder: Path = tmp_path_factory.mktemp("policy")
    Development(folder, Ports(), SystemClock(), SystemRandomness()).create(births=300)
    return (folder / "gateway" / "policy.yaml").read_bytes()


def test_a_bundle_is_named_by_its_hash(text: bytes) -> None:
    bundle, digest = read_bundle(text)
    assert digest == sha256(text).hexdigest()
    assert bundle.gateway == "passerelle"
    assert bundle.agreements["ENT-2026-02"].tells_not_found


def _set(*path: str, value: object) -> Callable[[Policy], None]:
    def change(policy: Policy) -> None:
        at = policy
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return change


_BROKEN: dict[str, Callable[[Policy], None]] = {
    "agreement_without_purposes": _set("agreements", "ENT-2026-01", "purposes", value=[]),
    "agreement_without_fields": _set("agreements", "ENT-2026-01", "fields", value=[]),
    "agreement_of_nobody": _set("agreements", "ENT-2026-01", "party", value="stranger"),
    "agreement_without_end": _set("agreements", "ENT-2026-01", "validity", value={"since": "2026-01-01T00:00:00Z"}),
    "agreement_in_local_time": _set(
        "agreements", "ENT-2026-01", "validity", value={"since": "2026-01-01T00:00:00", "until": "2027-01-01T00:00:00"}
    ),
    "budget_of_nothing": _set("agreements", "ENT-2026-01", "budget", value={"subjects": 0, "window_hours": 1}),
    "legal_basis_in_one_language": _set("agreements", "ENT-2026-01", "legal_basis", value={"fr": "x"}),
    "party_without_names": _set("parties", "ministry", "names", value=[]),
    "party_of_no_authority": _set("parties", "ministry", "authority", value="other"),
    "party_of_no_role": _set("parties", "ministry", "role", value="king"),
    "party_with_a_dot_in_its_name": lambda policy: policy["parties"].update(
        {"ministry.a": policy["parties"]["ministry"] | {"names": ["a.ministry.test"]}}
    ),
    "no_parties": _set("parties", value={}),
    "gateway_that_is_no_party": _set("gateway", value="other"),
    "more_officers_needed_than_there_are": _set("officers", "threshold", value=4),
    "no_officer_needed": _set("officers", "threshold", value=0),
    "no_limit_on_refusals": _set("guard", "refusals_per_minute", value=0),
    "unknown_key": _set("surprise", value=1),
    "previous_that_is_no_hash": _set("previous", value="abc"),
    "version_0": _set("version", value=0),
    "authority_without_roots": _set("authorities", "ministry", "roots", value=[]),
}


@pytest.mark.parametrize("case", _BROKEN)
def test_a_policy_that_cannot_be_used_is_refused(text: bytes, case: str) -> None:
    policy = yaml.safe_load(text)
    read_bundle(yaml.safe_dump(policy).encode())
    _BROKEN[case](policy)
    with pytest.raises(ConfigurationError):
        read_bundle(yaml.safe_dump(policy).encode())


@pytest.mark.parametrize("content", [b"", b"[", b"version: 1\nversion: 2\n", b"- a", b"\xff"])
def test_what_is_no_policy(content: bytes) -> None:
    with pytest.raises(ConfigurationError):
        read_bundle(content)


@pytest.mark.parametrize(
    ("content", "where", "said"),
    [
        (b"version: 1\norigin: a\nversion: 2\n", "L3", "a key is repeated"),
        (b"a: &x 1\n\nb: *x\n", "L3", "an alias"),
        (b"a: 1\nb: [\n", "L3", "expected"),
    ],
)
def test_what_is_no_yaml_says_where_and_why(content: bytes, where: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        read_bundle(content)
    assert error.value.values["where"] == where
    assert said in str(error.value.values["detail"])


def asked(**changes: Any) -> Message:
    """The ministry's request for a verification, as claimed."""
    made = message(ShiftedClock(), "n")
    received = replace(made.request.received, at=changes.pop("at", made.request.received.at))
    party = replace(made.request.party, name=changes.pop("party", "ministry"))
    given: dict[str, Any] = {
        "request": replace(made.request, received=received, party=party),
        "operation": replace(made.operation, name=changes.pop("operation", "nirec.verify")),
        "agreement": "ENT-2026-02",
        "purpose": "admissibilite",
        "disclosable": frozenset({"outcome", "handle", "more"}),
    }
    return replace(made, **(given | changes))


def test_a_grant_lets_out_what_both_contract_and_agreement_name(text: bytes) -> None:
    bundle, digest = read_bundle(text)
    grant: Grant = Authoriser(bundle, digest).authorise(Claim(asked()))
    assert grant.fields == {"outcome", "handle"}
    assert (grant.agreement, grant.purpose, grant.policy_sha256) == ("ENT-2026-02", "admissibilite", digest)
    assert grant.tells_not_found
    narrow = Authoriser(bundle, digest).authorise(Claim(asked(disclosable=frozenset({"outcome"}))))
    assert narrow.fields == {"outcome"}


_YEARS = timedelta(days=800)


@pytest.mark.parametrize(
    ("changes", "code", "component"),
    [
        ({"agreement": "NONE"}, Code.NOT_AGREED, "exchange-agreement"),
        ({"agreement": "ENT-2026-01", "purpose": "inscription"}, Code.NOT_AGREED, "exchange-agreement"),
        ({"party": "cooperative"}, Code.NOT_AGREED, "exchange-agreement"),
        ({"operation": "echo"}, Code.NOT_AGREED, "exchange-agreement"),
        ({"purpose": "autre"}, Code.PURPOSE_NOT_AGREED, "exchange-purpose"),
        ({"at": ShiftedClock(_YEARS).now()}, Code.AGREEMENT_NOT_IN_FORCE, "exchange-agreement"),
        ({"at": ShiftedClock(-_YEARS).now()}, Code.AGREEMENT_NOT_IN_FORCE, "exchange-agreement"),
    ],
    ids=[
        "unknown", "agreement_of_another", "party_of_another", "another_operation", "another_purpose", "over",
        "not_begun",
    ],
)  # fmt: skip
def test_deny_by_default(text: bytes, changes: dict[str, Any], code: Code, component: str) -> None:
    bundle, digest = read_bundle(text)
    with pytest.raises(Refusal) as refused:
        Authoriser(bundle, digest).authorise(Claim(asked(**changes)))
    assert (refused.value.code, refused.value.component) == (code, component)


def test_a_policy_that_would_keep_a_worker_busy_is_not_read() -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_bundle(b"a: [" + b"1," * (MOST_MARKS + 1) + b"]")
    assert refused.value.values == {"where": "/", "detail": "too many marks"}
    # and of the largest policy that has a use not a tenth of them is needed
    small = made.content(made.policy())
    assert sum(small.count(mark) for mark in b",:-[{\n") * 200 / 3 < MOST_MARKS
