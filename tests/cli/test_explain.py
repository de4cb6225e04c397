"""`passerelle explain` as an integrator meets it: words in two languages, a base to compare, an exit code."""

from __future__ import annotations

import json
from io import BytesIO, TextIOWrapper
from typing import TYPE_CHECKING, Any

import pytest

from gateway.cli.main import run
from gateway.client.party import PartyFolder
from gateway.client.signer import RequestSigner
from gateway.development import Development, Ports
from gateway.errors import Code
from gateway.keys.files import FileKeystore
from gateway.messages.table import load_table
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.client.signer import SignedRequest

NIREC = "1234567890123"
BODY = json.dumps({"nirec": NIREC, "family_name": "Tremblay"}).encode()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("made")
    Development(folder, Ports(), SystemClock(), SystemRandomness()).create(births=300)
    return folder


@pytest.fixture(scope="module")
def request_signed(made: Path) -> SignedRequest:
    party = PartyFolder.load(made / "sandbox" / "parties" / "cooperative")
    keystore = FileKeystore(party.folder, signing=["signing"])
    signer = RequestSigner(keystore, SystemClock(), SystemRandomness(), party.origin)
    return signer.sign("POST", "/v1/echo", BODY, agreement="ESSAI-COOP", purpose="essai")


def saved(folder: Path, request: SignedRequest, body: bytes = BODY, **headers: str) -> Path:
    rows = [f"{request.method} {request.target} HTTP/1.1", "Host: localhost:8443"]
    rows += [f"{name}: {value}" for name, value in {**request.headers, **headers}.items()]
    path = folder / "request.http"
    path.write_bytes("\r\n".join([*rows, "", ""]).encode() + body)
    return path


def ask(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code = run(["explain", *(str(item) for item in arguments), "--json"])
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, shown


def test_a_right_request_holds_by_each_way_to_its_certificate(
    made: Path, request_signed: SignedRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = saved(tmp_path, request_signed)
    party = made / "sandbox" / "parties" / "cooperative"
    config = made / "passerelle.toml"
    for more in (
        ["--as", party],
        ["--as", "cooperative", "--config", config],
        ["--config", config],
        ["--certificate", party / "signing.pem"],  # the address is the Host header's
        ["--certificate", party / "signing.pem", "--origin", "https://localhost:8443/"],
    ):
        code, shown = ask(capsys, file, *more)
        assert (code, shown["holds"], shown["verified"]) == (0, True, True), more
        assert shown["base"] == request_signed.base.decode()
    assert shown["troubles"] == []


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_it_speaks_and_never_shows_the_body(
    lang: str, made: Path, request_signed: SignedRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = saved(tmp_path, request_signed, body=BODY.replace(b"Tremblay", b"Gagnon"))
    party = made / "sandbox" / "parties" / "cooperative"
    assert run(["--lang", lang, "explain", str(file), "--as", str(party)]) == 1
    shown = capsys.readouterr()
    assert '"@method": POST' in shown.out
    said = {"fr": "Content-Digest ne correspond pas au corps", "en": "Content-Digest does not match the body"}[lang]
    assert said in shown.out
    assert "cooperative" in shown.out
    for secret in (NIREC, "Tremblay", "Gagnon"):
        assert secret not in shown.out + shown.err


def test_the_component_that_was_signed_otherwise_is_named(
    made: Path, request_signed: SignedRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = saved(tmp_path, request_signed)
    party = made / "sandbox" / "parties" / "cooperative"
    code, shown = ask(capsys, file, "--as", party, "--origin", "https://gateway.example")
    assert code == 1
    assert shown["mistake"]["component"] == "@target-uri"
    assert shown["mistake"]["signed_instead"] == '"@target-uri": https://localhost:8443/v1/echo'
    assert run(["--lang", "en", "explain", str(file), "--as", str(party), "--origin", "https://gateway.example"]) == 1
    assert "another host" in capsys.readouterr().out


def test_the_client_s_own_base_is_compared(
    made: Path, request_signed: SignedRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = saved(tmp_path, request_signed)
    party = made / "sandbox" / "parties" / "cooperative"
    base = tmp_path / "base.txt"
    base.write_bytes(request_signed.base)
    assert ask(capsys, file, "--as", party, "--base", base)[0] == 0
    base.write_bytes(request_signed.base.replace(b": POST", b": post"))
    code, shown = ask(capsys, file, "--as", party, "--base", base)
    assert (code, shown["difference"]["component"]) == (1, "@method")
    assert run(["explain", str(file), "--as", str(party), "--base", str(base)]) == 1
    out = capsys.readouterr().out
    assert "Votre base diffère à @method" in out
    assert '"@method": post' in out


def test_without_a_certificate_it_cannot_be_said(
    request_signed: SignedRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown = ask(capsys, saved(tmp_path, request_signed))
    assert (code, shown["holds"], shown["verified"]) == (2, False, None)
    assert shown["base"] == request_signed.base.decode()


def test_its_age_counts_when_its_arrival_is_known(
    made: Path, request_signed: SignedRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = saved(tmp_path, request_signed)
    party = made / "sandbox" / "parties" / "cooperative"
    code, shown = ask(capsys, file, "--as", party, "--at", "2031-01-01T00:00:00Z")
    assert (code, shown["troubles"][0]["code"]) == (1, "created_out_of_window")


@pytest.mark.parametrize(
    ("lang", "more", "said"),
    [
        ("fr", [], "Verdict: la passerelle accepterait cette signature."),
        ("en", [], "Verdict: the gateway would accept this signature."),
        ("en", ["--at", "2031-01-01T00:00:00Z"], "the gateway would answer created_out_of_window (created)."),
        ("en", ["--origin", "https://elsewhere.example"], "the gateway would answer signature_invalid (signature)."),
    ],
)
def test_the_last_line_is_the_verdict(
    lang: str,
    more: list[str],
    said: str,
    made: Path,
    request_signed: SignedRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    party = str(made / "sandbox" / "parties" / "cooperative")
    run(["--lang", lang, "explain", str(saved(tmp_path, request_signed)), "--as", party, *more])
    assert capsys.readouterr().out.strip().splitlines()[-1].endswith(said)


def test_a_body_apart_from_what_curl_says_on_standard_input(
    made: Path,
    request_signed: SignedRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    party = made / "sandbox" / "parties" / "cooperative"
    head = (
        saved(tmp_path, request_signed, BODY, **{"content-length": str(len(BODY))})
        .read_bytes()
        .partition(b"\r\n\r\n")[0]
    )
    said = b"* Connected\n" + b"".join(b"> " + row + b"\r\n" for row in head.split(b"\r\n")) + b"> \r\n"
    body = tmp_path / "body.json"
    body.write_bytes(BODY)

    def given() -> None:
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(said)))

    given()
    assert ask(capsys, "-", "--as", party, "--body", body)[0] == 0
    given()
    code, shown = ask(capsys, "-", "--as", party)
    assert (code, shown["verified"], [item["key"] for item in shown["troubles"]]) == (2, True, ["body_missing"])


def test_whoever_gave_certificates_is_not_told_to_give_one(
    made: Path, request_signed: SignedRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = saved(tmp_path, request_signed).read_text()
    keyid = content.partition('keyid="')[2].partition('"')[0]
    file = tmp_path / "other.http"
    file.write_text(content.replace(keyid, "A" * len(keyid)), newline="")
    assert run(["--lang", "en", "explain", str(file), "--config", str(made / "passerelle.toml")]) == 1
    shown = capsys.readouterr().out
    assert "key_unknown (keyid)" in shown
    assert "give --certificate" not in shown
    run(["--lang", "en", "explain", str(file)])
    assert "give --certificate" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "more"),
    [
        (b"nothing of HTTP", []),
        (b"GET / HTTP/1.1\r\n\r\n", []),  # no Host header, and no other address
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", ["--certificate", "nowhere.pem"]),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", ["--as", "./nowhere"]),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", ["--at", "yesterday"]),
        (None, []),
    ],
    ids=["no_request", "no_origin", "no_certificate", "no_party", "no_time", "no_file"],
)
def test_a_file_that_cannot_be_used_exits_2(
    content: bytes | None, more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "request.http"
    if content is not None:
        file.write_bytes(content)
    assert run(["explain", str(file), *more]) == 2
    assert capsys.readouterr().err


def test_a_certificate_that_is_none(
    made: Path, request_signed: SignedRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = made / "sandbox" / "parties" / "cooperative" / "signing.key"
    assert run(["explain", str(saved(tmp_path, request_signed)), "--certificate", str(key)]) == 2
    assert "signing.key" in capsys.readouterr().err


def test_the_answer_to_a_signature_that_does_not_verify_points_here() -> None:
    for text in load_table()[Code.SIGNATURE_INVALID].next.values():
        assert "`passerelle explain " in text
