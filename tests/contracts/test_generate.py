"""What is committed is what the contracts make of it; drift is named, and so is what cannot be used."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from contracts.generate.__main__ import main

ROOT = Path(__file__).parents[2]
ERRORS = "gateway/messages/errors.toml"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the command reads and writes of the repository, with one service."""
    shutil.copytree(ROOT / "contracts" / "echo", tmp_path / "contracts" / "echo")
    (tmp_path / ERRORS).parent.mkdir(parents=True)
    shutil.copy(ROOT / ERRORS, tmp_path / ERRORS)
    assert main([str(tmp_path)]) == 0
    return tmp_path


def test_nothing_in_the_repository_has_drifted(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--check", str(ROOT)])
    assert (code, capsys.readouterr().err) == (0, "")


def test_a_drifted_a_missing_and_a_stale_file_are_named_and_mended(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["--check", str(checkout)]) == 0
    echo = checkout / "contracts" / "echo" / "v1"
    (echo / "echo.wsdl").write_bytes((echo / "echo.wsdl").read_bytes() + b" ")
    (echo / "reference.fr.md").unlink()
    (echo / "examples" / "old.request.json").write_text("{}")
    assert main(["--check", str(checkout)]) == 1
    names = [
        "contracts/echo/v1/echo.wsdl",
        "contracts/echo/v1/examples/old.request.json",
        "contracts/echo/v1/reference.fr.md",
    ]
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in said] == names
    assert all("run `make contracts`" in line for line in said)
    assert main([str(checkout)]) == 0
    assert capsys.readouterr().out.splitlines() == names
    assert not (echo / "examples" / "old.request.json").exists()
    assert main(["--check", str(checkout)]) == 0


def test_a_change_of_contract_is_drift(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = checkout / "contracts" / "echo" / "v1" / "contract.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("maxLength: 1000", "maxLength: 999"), encoding="utf-8")
    assert main(["--check", str(checkout)]) == 1
    drifted = {line.split(":")[0].rpartition("/")[2] for line in capsys.readouterr().err.splitlines()}
    assert drifted == {"echo.wsdl", "echo.xsd", "openapi.json", "reference.fr.md", "reference.en.md"}


def test_an_error_that_there_is_not_has_its_line(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = checkout / "contracts" / "echo" / "v1" / "contract.yaml"
    text = path.read_text(encoding="utf-8").replace("body_malformed", "body_mal_formed")
    path.write_text(text, encoding="utf-8")
    assert main(["--check", str(checkout)]) == 1
    line = next(number for number, row in enumerate(text.splitlines(), 1) if "body_mal_formed" in row)
    said = f"echo/v1/contract.yaml:{line}: echo: there is no error body_mal_formed; correct it\n"
    assert capsys.readouterr().err == said


def test_what_cannot_be_used_is_said(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = checkout / ERRORS
    whole = table.read_text(encoding="utf-8")
    table.write_text(whole.replace("[internal]", "[of_tomorrow]"), encoding="utf-8")
    assert main([str(checkout)]) == 1
    assert "'of_tomorrow' has no meaning yet; write it" in capsys.readouterr().err
    table.unlink()
    assert main([str(checkout)]) == 1
    assert "errors.toml" in capsys.readouterr().err
    other = checkout / "errors.toml"
    other.write_text(whole, encoding="utf-8")
    assert main(["--errors", str(other), "--check", str(checkout)]) == 0
    (checkout / "contracts" / "echo" / "v1" / "contract.yaml").write_text("service: echo\n", encoding="utf-8")
    assert main(["--errors", str(other), str(checkout)]) == 1
    assert "echo/v1/contract.yaml:1: version: is missing; add it" in capsys.readouterr().err


def test_wrong_usage_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["--surprise"])
    assert raised.value.code == 2
    assert "--surprise" in capsys.readouterr().err
