"""A client that OpenAPI Generator made from the document that we serve: what an integrator gets without reading us."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

from tests.foreign.conftest import CALLED, HERE, JAVA, TERMS, make_folder, run, tool
from tests.foreign.test_clients import BODY, ITSELF, REQUEST

if TYPE_CHECKING:
    from pathlib import Path

    from tests.exchange.live import LiveGateway

#: Only what runs: neither pages about the generated code, nor empty tests of it.
WITHOUT = "apiDocs=false,modelDocs=false,apiTests=false,modelTests=false"


@pytest.fixture
def generated(live: LiveGateway, tmp_path: Path) -> Path:
    """The Python package that OpenAPI Generator makes of the served document."""
    document = tmp_path / "openapi.json"
    document.write_bytes(live.get("/openapi.json").body)
    jar = str(files("openapi_generator_cli").joinpath("openapi-generator.jar"))
    folder = tmp_path / "generated"
    command = [tool("java", "default-jdk-headless"), *JAVA, "-jar", jar, "generate", "-g", "python"]
    command += ["-i", str(document), "-o", str(folder), "--global-property", WITHOUT]
    run([*command, "-p", "packageName=passerelle_client"], tmp_path)
    return folder


def test_a_generated_client_calls_every_operation(
    live: LiveGateway, python_client: list[str], generated: Path, tmp_path: Path, statistics: dict[str, Any]
) -> None:
    folder = make_folder(live, tmp_path / "party", "ecdsa-p256-sha256", TERMS)
    before, counted = live.counter(), live.counter("cooperative")
    python, _ = python_client
    client = str(HERE / "python" / "openapi_client.py")
    report: dict[str, Any] = json.loads(run([python, client, str(folder), str(generated)], folder))
    assert set(CALLED.values()) <= report.keys()
    # it signed each operation, and verified each answer: four of them reached the registry
    assert report["echo"]["fields"] == {"message": "d'ailleurs: été"}
    known = report["verification"]["fields"]
    assert (known["outcome"], len(bytes.fromhex(known["handle"]))) == ("confirmed", 32)
    assert report["acknowledgement"]["fields"] == {"acknowledged": report["verification"]["Exchange-Id"]}
    assert len(bytes.fromhex(report["expected"]["fields"]["handle"])) == 32
    # two files of one child, then one; and the generated code knows the problems
    assert report["known_already"]["code"] == "merge_needed"
    assert report["merged"]["fields"]["handle"] in {known["handle"], report["expected"]["fields"]["handle"]}
    assert report["born"]["fields"] == {"outcome": "confirmed"} | report["merged"]["fields"]
    assert report["refused"]["code"] == "purpose_not_agreed"
    assert report["notified"]["code"] == "not_agreed"
    assert live.counter() == before + 4
    assert known["handle"] in [hit["handle"] for hit in report["searched"]["fields"]["hits"]]
    # asked for by the former handle, and told by the one that is left
    progress = report.pop("progress")
    assert (progress["fields"]["answered"], progress["fields"]["complete"]) == (1, True)
    looked_up, left = report.pop("registered"), report["merged"]["fields"]["handle"]
    assert (looked_up["fields"]["outcome"], looked_up["fields"]["handle"]) == ("found", left)
    # and six the cooperative, five of them by a GET: what null is and what is absent came through the generated models
    said = report.pop("counted")
    assert (said["fields"]["least"], said["fields"]["by_region"][0]["categories"]) == (5, ["06", "13", "03"])
    asked = report.pop("statistics")
    assert {name: part["fields"] for name, part in asked.items()} == statistics
    states = [report[name]["fields"] for name in ("created", "changed", "withdrawn")]
    assert [one["outcome"] for one in states] == ["registered", "changed", "withdrawn"]
    assert [one["state_after"] for one in states[:2]] == [one["state_before"] for one in states[1:]]
    assert live.counter("cooperative") == counted + 9
    for name, part in report.items():
        assert set(part["covered"]) == ITSELF | REQUEST | BODY, name
    for name, part in {**asked, "registered": looked_up, "progress": progress, "counted": said}.items():
        assert set(part["covered"]) == ITSELF | REQUEST, name
