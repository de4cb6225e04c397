"""What a family is told, held against what the log proves: the same exchanges, or one of the two is wrong."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from gateway.audit.verdict import Fault
from gateway.client.signer import RequestSigner
from tests.audit.asked import Asked
from tests.audit.bench import Bench
from tests.audit.forge import Forger
from tests.audit.gateway_run import Gateway, keystore
from tests.audit.test_subject_attacks import ask, birth
from tests.signing.drafts import fresh_salt

if TYPE_CHECKING:
    from pathlib import Path

NIREC = "1" * 13
PERSON = {"nirec": NIREC, "family_name": "Fictif", "given_names": "Camille", "birth_date": "2024-02-29"}


class House:
    """A child expected twice by the ministry, born, verified by both parties, merged, refused; seen twice."""

    def __init__(self, folder: Path) -> None:
        self.gateway = gateway = Gateway(folder)
        one, other = (ask(gateway, "expect", reference="2026-1") for _ in range(2))
        ask(gateway, "expect", reference="another child")
        birth(gateway, one, NIREC)
        self.ours = self.verified()["handle"]
        ask(gateway, "merge", handle=one, other_handle=other, reason="duplicate_file")
        gateway.verify("1")
        gateway.verify("9")  # the registry does not answer in time: nothing is disclosed
        assert birth(gateway, one, "1" + "2" * 12) == "merge_needed"
        self.first = self.view(self.ours)
        self.second = self.view(self.ours)
        self.refused = [self.view(handle)["code"] for handle in ("0" * 64, one)]
        self.stranger = self.view(self.ours, "ministry")["code"]
        self.wrong = self.view(self.ours, before="?before=2026-13-45T99:00:00Z")["code"]
        gateway.worker.close()
        gateway.sequence()
        gateway.sequence()

    def verified(self) -> dict[str, Any]:
        request = self.gateway.sign(
            "cooperative", "/v1/nirec/verifications", PERSON | {"salt": fresh_salt()}, agreement="ENT-2026-01",
            purpose="inscription",
        )  # fmt: skip
        found: dict[str, Any] = json.loads(self.gateway.send("cooperative", request).body)
        return found

    def view(self, handle: str, party: str = "cooperative", before: str = "") -> dict[str, Any]:
        gateway = self.gateway
        signer = RequestSigner(
            keystore(gateway.party(party)), gateway.clock, gateway.randomness, gateway.settings.listen.origin
        )
        target = f"/v1/registrations/{handle}/disclosures{before}"
        request = signer.sign("GET", target, b"", agreement="ENT-2026-17", purpose="acces_famille")
        found: dict[str, Any] = json.loads(gateway.send(party, request).body)
        return found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("house"))


def test_the_log_says_the_same(house: House, tmp_path: Path) -> None:
    shutil.copytree(house.gateway.folder / "trust", tmp_path / "trust")
    rows = Asked(house.gateway.settings.folders.log, tmp_path / "trust").find(subject=house.ours).rows
    proven = {str(row.exchange_id): (row.terms.party, row.terms.operation, row.terms.purpose, row.terms.fields)
              for row in rows}  # fmt: skip
    told = {one["exchange_id"]: (one["party"], one["operation"], one["purpose"], tuple(one["fields"]))
            for one in house.second["disclosures"]}  # fmt: skip
    last = [each for each in proven if each not in told]
    assert told == {each: what for each, what in proven.items() if each in told}
    # each view is in those after it, and so the last one in none
    assert [proven[each][1] for each in last] == ["family.view"]
    assert [one["operation"] for one in house.first["disclosures"]] == [
        "nirec.verify", "subject.merge", "nirec.verify", "subject.birth", *["subject.expect"] * 2,
    ]  # fmt: skip
    assert house.second["disclosures"][1:] == house.first["disclosures"]


def test_it_is_told_in_words(house: House) -> None:
    one = house.second["disclosures"][1]
    assert (one["party_fr"], one["operation_fr"], one["operation_en"]) == (
        "Ministère de la Famille", "Vérifier un NIREC auprès du Directeur de l'état civil",
        "Verify a NIREC with the civil registry",
    )  # fmt: skip
    # the NIREC went there; what was made one here went nowhere
    assert (one["sent_to"], one["sent_to_fr"]) == ("civil-registry", "Directeur de l'état civil")
    assert "sent_to" not in house.second["disclosures"][2]
    assert (one["agreement"], one["legal_basis_fr"]) == ("ENT-2026-02", "Entente fictive: admissibilité")
    assert (house.second["handle"], house.second["more"]) == (house.ours, False)


def test_who_asks_about_a_child_that_is_not_theirs_is_told_nothing(house: House) -> None:
    assert house.refused == ["handle_unknown", "handle_unknown"]
    assert house.stranger == "not_agreed"
    assert house.wrong == "field_invalid"


@pytest.fixture
def bench(house: House, tmp_path: Path) -> Bench:
    shutil.copytree(house.gateway.folder / "trust", tmp_path / "trust")
    return Bench(Forger(house.gateway), tmp_path / "forged", tmp_path / "trust")


def test_the_audit_holds(bench: Bench) -> None:
    assert bench.faults() == set()


def test_the_audit_catches_a_view_of_nobody(bench: Bench) -> None:
    bench.forger.change(bench.one("family.view"), lambda evidence: evidence["subjects"].clear())
    assert bench.faults() == {Fault.FIELDS_NOT_AGREED}
