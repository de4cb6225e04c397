"""Two versions of one contract at one system of somebody else's: each asked in its own words (C2)."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, cast

import pytest

from adapters.mapping.rest_form import rest_service
from adapters.profile import profile_operations
from adapters.system import Answered, OutsideSystem, Question
from contracts.loader import load_contract
from gateway.errors import ConfigurationError
from gateway.model import TlsPart
from tests.adapters.fakes import ShiftedClock, prove
from tests.adapters.others import grant_of
from tests.adapters.test_mapping import FOLDERS

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.mapping.rest_form import RestService
    from adapters.system import Asking
    from gateway.model import RestPart

ONE = (FOLDERS["capacity"] / "contract.yaml").read_text(encoding="utf-8")
#: The newer version calls the territory something else.
TWO = (
    ONE.replace('version: "1"', 'version: "2"').replace("/v1/capacity/{territory}", "/v2/capacity/{area}")
    .replace("required: [territory, year]", "required: [area, year]").replace("        territory:", "        area:")
)  # fmt: skip
ALIKE = ONE.replace('version: "1"', 'version: "2"').replace("/v1/", "/v2/")


def serve(folder: Path, mapping: str, *contracts: str) -> RestService:
    made = shutil.copytree(FOLDERS["capacity"], folder / "capacity")
    (made / "mapping.yaml").write_text(mapping, encoding="utf-8")
    return rest_service(made, [load_contract(one.encode()) for one in contracts])


def mapping_of(*serves: str) -> str:
    """The mapping with an entry for each; the last asks by the newer version's word."""
    head, _, rest = (FOLDERS["capacity"] / "mapping.yaml").read_text(encoding="utf-8").partition("obtenirCapacites:\n")
    entries = [
        rest.replace("[capacity.territory]", f"[{one}]").replace("    serves", "    - serves", 1) for one in serves
    ]
    entries = [entry.replace("\n    ", "\n      ") for entry in entries]
    entries[-1] = entries[-1].replace("path/codeTerritoire: territory", "path/codeTerritoire: area")
    return head + "obtenirCapacites:\n" + "".join(entries)


def test_each_version_is_asked_in_its_own_words(tmp_path: Path) -> None:
    service = serve(tmp_path, mapping_of("capacity.territory/v1", "capacity.territory/v2"), ONE, TWO)
    asked = {
        name: one.request({word: "061", "year": 2026}, b"").target
        for (name, one), word in zip(sorted(service.operations.items()), ("territory", "area"), strict=True)
    }
    assert set(asked) == {"capacity.territory/v1", "capacity.territory/v2"}
    assert set(asked.values()) == {"/territoires/061/capacites?annee=2026"}


def test_versions_of_the_same_words_need_one_entry(tmp_path: Path) -> None:
    mapping = (FOLDERS["capacity"] / "mapping.yaml").read_text(encoding="utf-8")
    assert set(serve(tmp_path, mapping, ONE, ALIKE).operations) == {"capacity.territory/v1", "capacity.territory/v2"}


@pytest.mark.parametrize(
    ("serves", "words"),
    [
        (("capacity.territory", "capacity.territory/v2"), "no field territory"),
        (("capacity.territory/v1", "capacity.territory/v3"), "no contract has the operation capacity.territory/v3"),
        (("capacity.territory/v2", "capacity.territory/v2"), "no field territory"),
    ],
    ids=["one_entry_for_two_words", "unknown_version", "words_of_the_other"],
)
def test_what_cannot_be_is_refused(tmp_path: Path, serves: tuple[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        serve(tmp_path, mapping_of(*serves), ONE, TWO)


def test_an_operation_is_served_once_and_the_second_entry_is_named(tmp_path: Path) -> None:
    mapping = mapping_of("capacity.territory/v1", "capacity.territory/v1").replace(
        "codeTerritoire: area", "codeTerritoire: territory"
    )
    line = [number for number, text in enumerate(mapping.splitlines(), 1) if "serves" in text][1]
    with pytest.raises(ConfigurationError, match=rf"mapping\.yaml:{line}: capacity\.territory/v1 is served by another"):
        serve(tmp_path, mapping, ONE)


@pytest.mark.parametrize("several", [True, False])
def test_what_is_missing_is_told_at_its_entry_s_line(tmp_path: Path, *, several: bool) -> None:
    alone = (FOLDERS["capacity"] / "mapping.yaml").read_text(encoding="utf-8")
    mapping = mapping_of("capacity.territory/v1", "capacity.territory/v2") if several else alone
    at = mapping.rindex("serves:")
    mapping = mapping[:at] + mapping[at:].replace("      fields:", "      felds:", 1)
    line = next(number for number, text in enumerate(mapping.splitlines(), 1) if "felds:" in text)
    with pytest.raises(ConfigurationError, match=rf"mapping\.yaml:{line}: .*\.{'1.' * several}answer\."):
        serve(tmp_path, mapping, ONE, TWO)


def test_a_system_of_our_profile_answers_every_version() -> None:
    known = profile_operations("open-data", [load_contract(one.encode()) for one in (ONE, TWO)])
    assert known["capacity.territory/v1"].request({"territory": "061", "year": 2026}, b"").target.startswith("/v1/")
    assert known["capacity.territory/v2"].request({"area": "061", "year": 2026}, b"").target.startswith("/v2/")


class Says:
    """A dialogue that answers with its own name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def question(self, grant: Asking) -> Question:  # noqa: ARG002  the protocol's signature
        part = TlsPart(None, prove(b"them"))
        return Question(cast("RestPart", part), lambda _timeout: Answered({"name": self._name}, part))


def test_the_version_that_was_granted_is_asked() -> None:
    dialogues = {name: Says(name) for name in ("capacity.territory/v2", "capacity.territory/v1")}
    system = OutsideSystem("them", dialogues, ShiftedClock())
    assert system.call(grant_of("capacity.territory", {})).fields == {"name": "capacity.territory/v1"}
