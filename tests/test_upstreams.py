"""The systems that settings name: their contracts are known, and what they cannot answer is told at the start."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway.addressees import check_leases
from gateway.errors import ConfigurationError
from gateway.known_contracts import known_contracts
from gateway.places import contracts_folder, notices_folder
from gateway.settings import load_settings
from gateway.upstreams import Ours, outside_systems
from tests.adapters.fakes import ShiftedClock, SystemRandomness

if TYPE_CHECKING:
    from gateway.settings import Settings

PERMITS = Path(__file__).parents[1] / "contracts" / "foreign" / "childcare_permits"


@dataclass
class Nothing:
    """A port that these tests never reach."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def settings(folder: Path, upstreams: str) -> Settings:
    path = folder / "passerelle.toml"
    path.write_text(
        f'[listen]\norigin = "https://a.test"\n[civil_registry]\nurl = "https://b.test/v1"\n{upstreams}',
        encoding="utf-8",
    )
    return load_settings(path, {})


def systems(folder: Path, upstreams: str) -> set[str]:
    made = settings(folder, upstreams)
    folders = [one.folder for one in made.upstreams.values() if one.folder is not None]
    nothing: Any = Nothing()
    ours = Ours(
        settings=made,
        contracts=known_contracts(contracts_folder(), folders),
        keystore=nothing,
        tls=folder / "tls-client",
        signing_key=nothing,
        prove=nothing,
        parties=nothing,
        guard=nothing,
        bundle=nothing,
        clock=ShiftedClock(),
        randomness=SystemRandomness(),
    )
    return set(outside_systems(ours))


def upstream(name: str, folder: Path) -> str:
    return f'[upstreams.{name}]\nurl = "https://c.test/x"\nfolder = "{folder}"\n'


def test_each_section_is_a_system(tmp_path: Path) -> None:
    profile = '[upstreams.cooperative]\nurl = "https://d.test"\n'
    assert systems(tmp_path, upstream("accreditation", PERMITS) + profile) == {
        "civil-registry",
        "accreditation",
        "cooperative",
    }


def test_a_folder_of_another_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="upstream: accreditation, not permits"):
        systems(tmp_path, upstream("permits", PERMITS))


def test_an_operation_that_nothing_of_theirs_serves_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(PERMITS, tmp_path / "theirs")
    contract = (folder / "contract.yaml").read_text(encoding="utf-8")
    one = contract.split("operations:\n")[1]
    other = one.replace("permit.lookup:", "permit.history:").replace("/v1/permits/", "/v1/permit-histories/")
    (folder / "contract.yaml").write_text(contract + other, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"serves permit\.history/v1; add it"):
        systems(tmp_path, upstream("accreditation", folder))


def test_an_effect_that_a_mapping_cannot_have_happen_once_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(PERMITS, tmp_path / "theirs")
    contract = folder / "contract.yaml"
    contract.write_text(contract.read_text(encoding="utf-8").replace("idempotent: true", "idempotent: false"), "utf-8")
    with pytest.raises(ConfigurationError, match="no key under which it happens once"):
        systems(tmp_path, upstream("accreditation", folder))


def test_two_contracts_of_one_name_are_refused(tmp_path: Path) -> None:
    nirec = contracts_folder() / "nirec" / "v1"
    with pytest.raises(ConfigurationError, match="nirec v1: two contracts"):
        systems(tmp_path, upstream("accreditation", nirec))


def test_a_contract_that_does_not_load_says_its_line(tmp_path: Path) -> None:
    folder = shutil.copytree(PERMITS, tmp_path / "theirs")
    (folder / "contract.yaml").write_text("service: 5\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"contract\.yaml:1: "):
        systems(tmp_path, upstream("accreditation", folder))


@pytest.mark.parametrize("url", ["http://c.test", "https://c.test/x?y=1", "https://c.test/#a"])
def test_an_address_that_cannot_be_signed_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, f'[upstreams.c]\nurl = "{url}"\n')
    assert caught.value.key == "setting_invalid"


def test_a_contract_that_refuses_by_a_code_that_there_is_not(tmp_path: Path) -> None:
    text = (contracts_folder() / "registrations" / "v1" / "contract.yaml").read_text(encoding="utf-8")
    assert "search_too_wide" in text
    theirs = tmp_path / "wide" / "contract.yaml"
    theirs.parent.mkdir()
    theirs.write_text(
        text.replace("search_too_wide", "too_wide").replace("service: registrations", "service: wide"), encoding="utf-8"
    )
    with pytest.raises(ConfigurationError, match="no refusal has the code too_wide"):
        known_contracts(contracts_folder(), [theirs.parent])


def test_an_addressee_may_not_take_longer_than_its_notices_are_claimed_for(tmp_path: Path) -> None:
    folder = notices_folder("benefits")
    upstream = f'[upstreams.benefits]\nurl = "https://c.test"\nfolder = "{folder}"\ndeadline_seconds = 30.1\n'
    contracts = known_contracts(contracts_folder(), [folder])
    check_leases(contracts, settings(tmp_path, f"{upstream}[deliveries]\nlease_seconds = 61\n"))
    with pytest.raises(ConfigurationError, match="lease_too_short") as refused:
        check_leases(contracts, settings(tmp_path, upstream))
    assert refused.value.values == {"party": "benefits", "lease": 60, "least": 61}
