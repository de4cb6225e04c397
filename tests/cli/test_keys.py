"""`passerelle keys`: what is listed, what is asked of an authority, and which certificates are taken from one."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from certs.profiles import Profile
from gateway.cli.main import run
from gateway.development import Ports
from gateway.keys.certificates import spki
from gateway.ledger.encoding import timestamp
from gateway.system import SystemClock, SystemRandomness
from tests.exchange.live import KeptDevelopment
from tests.keys.softhsm import LABEL, make_token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from certs.authority import Issued

NAMES = ["gateway.passerelle.test"]


class Bench:
    """A set-up that does not run, its authorities at hand."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.made = KeptDevelopment(folder, Ports(), SystemClock(), SystemRandomness())
        self.made.create(births=300)
        self._capsys = capsys

    @property
    def keys(self) -> Path:
        return self.folder / "gateway" / "keys"

    def run(self, *arguments: str, lang: str = "fr") -> tuple[int, str, str]:
        code = run(["--lang", lang, "keys", *arguments, "--config", str(self.folder / "passerelle.toml")])
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def listed(self) -> dict[str, dict[str, Any]]:
        code, out, _ = self.run("list", "--json")
        assert code == 0
        return {one["name"]: one for one in json.loads(out)["keys"]}

    def key(self, name: str) -> ec.EllipticCurvePrivateKey:
        key = load_pem_private_key((self.keys / f"{name}.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key

    def issue(self, name: str, profile: Profile = Profile.SIGNING, authority: str = "passerelle", **how: Any) -> Issued:
        names = how.pop("names", NAMES)
        return self.made.authorities[authority].issue(profile, names, key=how.pop("key", self.key(name)), **how)

    def take(self, name: str, issued: Issued) -> tuple[int, str, str]:
        path = self.folder / "received.pem"
        path.write_bytes(issued.pem)
        return self.run("import", name, str(path))


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    made = Bench(tmp_path / "set-up", capsys)
    capsys.readouterr()
    return made


def test_the_list_has_every_key(bench: Bench) -> None:
    found = bench.listed()
    assert {one["kind"] for one in found.values()} == {
        "tls-server", "tls-client", "signing", "receipts", "claims", "log", "ledger-subjects", "subject-handles",
        "family-notes", "nirec", "handle", "outbox",
    }  # fmt: skip
    assert {one["where"] for one in found.values()} == {"file"}
    assert [name for name, one in found.items() if one["published"]] == ["signing", "receipts"]
    assert found["signing"]["subject"] == "CN=gateway.passerelle.test"
    assert 396 < found["signing"]["days"] <= 397
    on_disk = {path.stem for path in bench.keys.iterdir() if path.suffix in (".key", ".mac")}
    assert set(found) == on_disk


@pytest.mark.parametrize(("lang", "words"), [("fr", "signe les réponses"), ("en", "signs answers")])
def test_the_list_is_read_by_people(bench: Bench, lang: str, words: str) -> None:
    code, out, _ = bench.run("list", lang=lang)
    assert code == 0
    assert words in out


def test_a_key_that_is_absent_is_named(bench: Bench) -> None:
    (bench.keys / "handle-ministry.mac").unlink()
    code, out, err = bench.run("list")
    assert code == 1
    assert "ABSENTE" in out
    assert "handle-ministry" in err


# requests -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["signing", "tls-server", "tls-client"])
def test_a_request_repeats_the_certificate_that_there_is(bench: Bench, name: str) -> None:
    code, out, _ = bench.run("csr", name)
    request = x509.load_pem_x509_csr(out.encode())
    held = x509.load_pem_x509_certificate((bench.keys / f"{name}.pem").read_bytes())
    assert code == 0
    assert request.is_signature_valid
    assert spki(request) == spki(held)
    assert request.subject == held.subject
    for kind in (x509.SubjectAlternativeName, x509.ExtendedKeyUsage, x509.KeyUsage):
        asked, had = (each.extensions.get_extension_for_class(kind).value for each in (request, held))
        assert asked == had


def test_a_request_says_what_is_asked(bench: Bench) -> None:
    out = bench.folder / "csr.pem"
    arguments = ["--subject", "CN=autre,O=Essai", "--dns", "a.example", "--dns", "b.example", "--out", str(out)]
    assert bench.run("csr", "signing", *arguments)[0] == 0
    request = x509.load_pem_x509_csr(out.read_bytes())
    assert request.subject.rfc4514_string() == "CN=autre,O=Essai"
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example", "b.example"]
    assert bench.run("csr", "signing", *arguments)[0] == 2, "nothing is overwritten"


@pytest.mark.parametrize("name", ["receipts", "claims", "log", "handle-ministry", "nonsense", "signing-7", "signing-x"])
def test_no_request_for_what_has_no_certificate(bench: Bench, name: str) -> None:
    assert bench.run("csr", name)[0] == 2


# imports --------------------------------------------------------------------------------------------------------------


def test_a_renewed_certificate_is_taken_and_the_former_kept(bench: Bench) -> None:
    former = (bench.keys / "signing.pem").read_bytes()
    issued = bench.issue("signing")
    code, out, _ = bench.take("signing", issued)
    assert code == 0
    assert "CN=gateway.passerelle.test" in out
    assert (bench.keys / "signing.pem").read_bytes() == issued.pem
    assert [path.read_bytes() for path in (bench.keys / "former").iterdir()] == [former]


def _revoked(bench: Bench) -> Issued:
    issued = bench.issue("signing")
    _, crl = bench.made.authorities["passerelle"].revocation_lists([issued.certificate])
    (bench.keys / "revocation" / "passerelle.issuing.crl").write_bytes(crl)
    return issued


_OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
_NOW = SystemClock().now()


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (lambda b: b.issue("signing", key=_OTHER_KEY), "n'est pas celui de la clé"),
        (lambda b: b.issue("signing", Profile.TLS_CLIENT), "wrong_eku"),
        (lambda b: b.issue("signing", authority="ministry"), "wrong_authority"),
        (lambda b: b.issue("signing", names=["ministry.passerelle.test"]), "ces noms"),
        (lambda b: b.issue("signing", not_after=_NOW - timedelta(minutes=1)), "expired"),
        (_revoked, "revoked"),
    ],
    ids=["another_key", "wrong_profile", "wrong_authority", "another_name", "expired", "revoked"],
)
def test_a_certificate_that_is_refused(bench: Bench, how: Callable[[Bench], Issued], reason: str) -> None:
    before = (bench.keys / "signing.pem").read_bytes()
    code, _, err = bench.take("signing", how(bench))
    assert (code, reason in err) == (2, True), err
    assert (bench.keys / "signing.pem").read_bytes() == before
    assert not (bench.keys / "former").exists()


def test_a_server_certificate_has_the_name_that_callers_use(bench: Bench) -> None:
    refused = bench.issue("tls-server", Profile.TLS_SERVER)
    assert bench.take("tls-server", refused)[0] == 2
    taken = bench.issue("tls-server", Profile.TLS_SERVER, names=["localhost"])
    assert bench.take("tls-server", taken)[0] == 0


def test_what_is_no_certificate(bench: Bench) -> None:
    path = bench.folder / "nothing.pem"
    assert bench.run("import", "signing", str(path))[0] == 2
    path.write_bytes(b"nothing")
    assert bench.run("import", "signing", str(path))[0] == 2


# rotation -------------------------------------------------------------------------------------------------------------


def test_the_next_signing_key_waits_for_its_certificate(bench: Bench) -> None:
    assert bench.run("rotate", "signing")[0] == 0
    assert bench.listed()["signing-1"] | {"since": None} == bench.listed()["signing-1"]
    assert (bench.listed()["signing-1"]["state"], bench.listed()["signing-1"]["published"]) == ("next", False)
    assert bench.run("activate", "signing-1")[0] == 2, "it has no certificate yet"
    code, _, err = bench.run("rotate", "signing")
    assert (code, "signing-1" in err) == (2, True)
    assert bench.take("signing-1", bench.issue("signing-1"))[0] == 0
    assert (bench.listed()["signing-1"]["state"], bench.listed()["signing-1"]["published"]) == ("next", True)
    assert bench.run("activate", "signing-1")[0] == 0
    found = bench.listed()
    assert (found["signing-1"]["state"], found["signing"]["state"]) == ("in_use", "former")
    assert found["signing"]["published"]


def test_a_certificate_that_begins_later_says_when(bench: Bench) -> None:
    bench.run("rotate", "signing")
    begins = SystemClock().now().replace(microsecond=0) + timedelta(days=3)
    assert bench.take("signing-1", bench.issue("signing-1", not_before=begins))[0] == 0
    found = bench.listed()["signing-1"]
    assert (found["state"], found["since"]) == ("next", timestamp(begins))
    assert bench.run("activate", "signing-1")[0] == 2, "not before it begins"


def test_a_moment_can_be_named(bench: Bench) -> None:
    bench.run("rotate", "receipts")
    assert bench.run("activate", "receipts-1", "--at", "2099-01-31T06:00:00-05:00")[0] == 0
    assert bench.listed()["receipts-1"]["since"] == "2099-01-31T11:00:00.000000Z"
    for wrong in ("tomorrow", "2099-01-31T06:00:00"):
        code, _, err = bench.run("activate", "receipts-1", "--at", wrong)
        assert (code, wrong in err) == (2, True)


def test_what_is_in_use_is_not_withdrawn(bench: Bench) -> None:
    assert bench.run("withdraw", "receipts")[0] == 2
    bench.run("rotate", "receipts")
    assert bench.run("withdraw", "receipts-1")[0] == 0
    assert "receipts-1" not in bench.listed()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("handle-ministry", "N3"),
        ("ledger-subjects", "N3"),
        ("subject-handles", "N3"),
        ("log", "autre registre"),
        ("nonsense", "sorte de clé"),
    ],
)
def test_what_never_rotates_says_why(bench: Bench, kind: str, words: str) -> None:
    before = sorted(bench.keys.iterdir())
    code, _, err = bench.run("rotate", kind)
    assert (code, words in err) == (2, True)
    assert sorted(bench.keys.iterdir()) == before


@pytest.mark.parametrize("kind", ["signing", "receipts", "claims", "tls-server", "tls-client"])
@pytest.mark.parametrize("lang", ["fr", "en"])
def test_each_rotation_says_what_comes_next(bench: Bench, kind: str, lang: str) -> None:
    code, out, _ = bench.run("rotate", kind, lang=lang)
    assert code == 0
    assert f"{kind}-1" in out
    assert bench.listed()[f"{kind}-1"]["generation"] == 1


# a token --------------------------------------------------------------------------------------------------------------


def test_a_set_up_in_a_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "hsm" / "softhsm2.conf"))
    hsm = make_token(tmp_path / "hsm")
    folder = tmp_path / "set-up"
    where = ["--keystore", "pkcs11", "--module", str(hsm.module), "--token", LABEL, "--pin-file", str(hsm.pin_file)]
    assert run(["init", str(folder), "--dev", *where]) == 0
    config = ["--config", str(folder / "passerelle.toml")]
    assert run(["config", "check", *config]) == 0
    capsys.readouterr()
    assert run(["keys", "list", "--json", *config]) == 0
    found = {one["name"]: one["where"] for one in json.loads(capsys.readouterr().out)["keys"]}
    assert {name for name, place in found.items() if place == "file"} == {"tls-server", "tls-client"}
    assert set(found.values()) == {"file", "token"}
    assert run(["keys", "rotate", "receipts", *config]) == 0
    assert run(["keys", "rotate", "claims", *config]) == 0
    assert run(["keys", "csr", "signing", *config]) == 0
    out = capsys.readouterr().out
    assert x509.load_pem_x509_csr(out[out.index("-----BEGIN") :].encode()).is_signature_valid
    hsm.set_pin("1111")
    assert run(["config", "check", *config]) == 2
    assert "NIP" in capsys.readouterr().err
    hsm.set_pin("2468")
    hsm.away()
    assert run(["config", "check", *config]) == 2
    assert "branchez-le" in capsys.readouterr().err
    hsm.back()
