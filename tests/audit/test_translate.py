"""Contracts re-run on what both sides kept (L12): an honest gateway holds, one that alters what was meant is found."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from gateway.audit.audit import Beside, audit
from gateway.audit.counts import KeptCount, ReceiptCount, TranslationCount
from gateway.audit.translate import Retold
from gateway.audit.verdict import Fault, Unproven, Verdict
from gateway.cli.main import run as main
from gateway.cli.translate import SoapSystem, retold
from gateway.development_policy import REGISTRY
from gateway.errors import ConfigurationError
from gateway.signing.xml import parse
from gateway.system import SystemClock
from tests.audit.forge import Forger
from tests.audit.translated import Run, kept_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gateway.audit.places import RestAsked
    from gateway.model import Form


HOUR = timedelta(hours=1)
LIES = ["dateNaissance", "nirec", "outcome", "message"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("translate"))


def translated(run: Run, kept: Path, *others: Path, trust: Path | None = None) -> Verdict:
    given = retold([kept], others, [])
    return audit(run.log, trust or run.trust, beside=Beside(SystemClock().now(), retold=given))


def test_a_faithful_gateway(run: Run, tmp_path: Path) -> None:
    """Confirmed, not confirmed, not found and concealed; by REST and SOAP; an echo and an acknowledgement."""
    kept = kept_of(run, tmp_path / "kept", *run.faithful, run.denied, run.acknowledged, run.acknowledged_by_soap)
    verdict = translated(run, kept, run.gateway.kept_there)
    assert verdict.findings == ()
    assert verdict.translated == TranslationCount(requests=5, answers=9)
    assert Unproven.TRANSLATION_INCOMPLETE not in verdict.unproven


def test_a_faithful_gateway_before_an_upstream_by_rest(run: Run, tmp_path: Path) -> None:
    """Asked by GET, below an address of its own: what was asked stands in the base that was signed."""
    verdict = translated(run, kept_of(run, tmp_path / "kept", *run.counted), run.gateway.kept_there)
    assert verdict.findings == ()
    assert verdict.translated == TranslationCount(requests=2, answers=2)


@pytest.mark.parametrize("name", ["region", "average_wait_months"])
def test_a_gateway_that_alters_what_a_rest_upstream_was_asked_or_said(run: Run, tmp_path: Path, name: str) -> None:
    exchange_id = run.lies[name]
    verdict = translated(run, kept_of(run, tmp_path / "kept", exchange_id), run.gateway.kept_there)
    assert [(one.code, one.exchange_id) for one in verdict.findings] == [(Fault.TRANSLATION_DIFFERS, exchange_id)]
    assert name in verdict.findings[0].detail


@pytest.mark.parametrize("form", ["rest", "soap"])
@pytest.mark.parametrize("name", LIES)
def test_a_gateway_that_alters_what_was_meant(run: Run, tmp_path: Path, name: str, form: str) -> None:
    """Each signature, digest and certificate is right; only the sense is not."""
    exchange_id = run.lies[name if form == "rest" else f"{name} by SOAP"]
    verdict = translated(run, kept_of(run, tmp_path / "kept", exchange_id), run.gateway.kept_there)
    assert [(one.code, one.exchange_id) for one in verdict.findings] == [(Fault.TRANSLATION_DIFFERS, exchange_id)]
    assert name in verdict.findings[0].detail
    assert "2024" not in verdict.findings[0].detail
    assert verdict.translated is not None
    assert verdict.translated.failed == 1


def test_a_system_that_signs_nothing_got_the_body_alone(run: Run, tmp_path: Path) -> None:
    there = shutil.copytree(run.gateway.kept_there, tmp_path / "there")
    for path in there.glob("*-0.xml"):
        envelope = parse(path.read_bytes())
        envelope.remove(envelope[0])
        path.write_bytes(etree.tostring(envelope))
    kept = kept_of(run, tmp_path / "kept", run.faithful[0], run.lies["nirec"])
    verdict = translated(run, kept, there)
    assert [(one.code, one.exchange_id) for one in verdict.findings] == [
        (Fault.TRANSLATION_DIFFERS, run.lies["nirec"]),
    ]
    assert verdict.translated == TranslationCount(requests=1, answers=2, failed=1)


def test_a_message_that_nobody_gave(run: Run, tmp_path: Path) -> None:
    """Then nothing is said of it, and that is said."""
    verdict = translated(run, kept_of(run, tmp_path / "kept", run.lies["nirec"], run.lies["message"]))
    assert [one.exchange_id for one in verdict.findings] == [run.lies["message"]]
    assert verdict.translated == TranslationCount(incomplete=1, failed=1)
    assert Unproven.TRANSLATION_INCOMPLETE in verdict.unproven


@pytest.mark.parametrize("part", ["request", "answer"])
@pytest.mark.parametrize("which", [0, 3], ids=["rest", "soap"])
def test_bytes_that_are_not_those_signed(run: Run, tmp_path: Path, part: str, which: int) -> None:
    """By REST, and by SOAP."""
    exchange_id = run.faithful[which]
    kept = kept_of(run, tmp_path / "kept", exchange_id)
    [path] = kept.glob(f"*.{part}.*")
    path.write_bytes(path.read_bytes().replace(b"2024-02-29" if part == "request" else b"confirmed", b"2024-02-28"))
    verdict = translated(run, kept, run.gateway.kept_there)
    code = Fault.KEPT_REQUEST_DIFFERS if part == "request" else Fault.KEPT_ANSWER_DIFFERS
    assert [(one.code, one.file) for one in verdict.findings] == [(code, f"kept/{path.name}")]


def test_another_system_s_bytes_that_are_not_those_signed(run: Run, tmp_path: Path) -> None:
    """They are then nobody's: not the registry's word against the gateway's."""
    there = shutil.copytree(run.gateway.kept_there, tmp_path / "there")
    for path in there.iterdir():
        path.write_bytes(path.read_bytes().replace(b"2024-02-29", b"2024-02-28").replace(b"CONFIRME", b"INTROUVABLE"))
    verdict = translated(run, kept_of(run, tmp_path / "kept", run.faithful[0], run.faithful[3]), there)
    assert verdict.findings == ()
    assert verdict.translated == TranslationCount(incomplete=2)


def test_what_is_sealed_or_of_another_log(run: Run, tmp_path: Path) -> None:
    kept = kept_of(run, tmp_path / "kept", run.faithful[0])
    trust = shutil.copytree(run.trust, tmp_path / "trust")
    shutil.rmtree(trust / "periods")
    assert translated(run, kept, trust=trust).translated == TranslationCount(incomplete=1)
    for path in kept.iterdir():
        path.rename(path.with_name(path.name.replace(run.faithful[0], "11111111-1111-4111-8111-111111111111")))
    verdict = translated(run, kept)
    assert {one.code for one in verdict.findings} == {Fault.KEPT_MISSING}
    assert verdict.translated == TranslationCount(absent=2)


def test_a_system_whose_mapping_is_not_known_or_has_no_such_operation(run: Run, tmp_path: Path) -> None:
    kept = kept_of(run, tmp_path / "kept", run.faithful[0])
    for systems in ({}, {REGISTRY: SoapSystem({})}):
        given = Retold((kept,), (run.gateway.kept_there,), systems)
        verdict = audit(run.log, run.trust, beside=Beside(SystemClock().now(), retold=given))
        assert verdict.findings == ()
        assert verdict.translated == TranslationCount(incomplete=1)


class Tripping:
    """A mapping that did not foresee what stands in a message."""

    def sent(self, operation: str, fields: Mapping[str, object], salt: bytes) -> RestAsked:
        raise ZeroDivisionError(operation, fields, salt)

    def answered(self, operation: str, content: object, status: int) -> Mapping[str, object]:
        raise ZeroDivisionError(operation, content, status)


def test_what_nobody_foresaw_is_a_finding_and_no_crash(run: Run, tmp_path: Path) -> None:
    kept = kept_of(run, tmp_path / "kept", run.faithful[0])
    given = Retold((kept,), (run.gateway.kept_there,), {REGISTRY: Tripping()})
    verdict = audit(run.log, run.trust, beside=Beside(SystemClock().now(), retold=given))
    assert [(one.code, one.exchange_id) for one in verdict.findings] == [(Fault.UNFORESEEN, run.faithful[0])]


@pytest.mark.parametrize("which", ["kept", "other"])
def test_folders_that_are_not_there(run: Run, tmp_path: Path, which: str) -> None:
    kept = kept_of(run, tmp_path / "kept", run.faithful[0])
    gone = tmp_path / "gone"
    given = Retold((gone,), (), {}) if which == "kept" else Retold((kept,), (gone,), {})
    with pytest.raises(ConfigurationError, match="folder_missing"):
        audit(run.log, run.trust, beside=Beside(SystemClock().now(), retold=given))


@pytest.mark.parametrize("form", ["soap11", "soap12"])
def test_what_a_party_kept_by_soap_is_what_the_log_tells_of(run: Run, tmp_path: Path, form: Form) -> None:
    """`audit check-kept`: digests of both Bodies, and the handle in the answer."""
    exchange_id = run.faithful[4 if form == "soap12" else 3]
    kept = kept_of(run, tmp_path / "kept", exchange_id)
    verdict = audit(run.log, run.trust, beside=Beside(SystemClock().now(), kept=kept))
    assert (verdict.findings, verdict.kept) == ((), KeptCount(compared=2))
    for part, code in (("request", Fault.KEPT_REQUEST_DIFFERS), ("answer", Fault.KEPT_ANSWER_DIFFERS)):
        path = kept / f"{exchange_id}.{part}.xml"
        good = path.read_bytes()
        path.write_bytes(good.replace(b"Response", b"Respons").replace(b"Camille", b"Camilla"))
        verdict = audit(run.log, run.trust, beside=Beside(SystemClock().now(), kept=kept))
        assert [(one.code, one.file) for one in verdict.findings] == [(code, f"kept/{path.name}")]
        path.write_bytes(good)


def test_an_answer_s_envelope_is_its_receipt(run: Run, tmp_path: Path) -> None:
    """`audit verify --receipts`: as it came, under whatever name."""
    receipts = tmp_path / "receipts"
    receipts.mkdir()
    for exchange_id in run.faithful[3:5]:
        shutil.copy2(run.kept / f"{exchange_id}.answer.xml", receipts / f"{exchange_id}.xml")
    verdict = audit(run.log, run.trust, beside=Beside(SystemClock().now(), receipts=receipts))
    assert (verdict.findings, verdict.receipts) == ((), ReceiptCount(held=2))
    assert verdict.facts.acknowledged == 2


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"confirmed", b"not_found", Fault.RECEIPT_NOT_OURS),
        (b"<ds:Reference", b"<ds:reference", Fault.RECEIPT_UNREADABLE),
        (b"Ledger-By", b"Ledger-Bye", Fault.RECEIPT_NOT_OURS),
        (b"</soap:Envelope>", b"", Fault.RECEIPT_UNREADABLE),
        (b"SignatureValue>", b"SignatureValue>AAAA", Fault.RECEIPT_NOT_OURS),
    ],
)
def test_an_envelope_that_is_not_as_it_came(run: Run, tmp_path: Path, old: bytes, new: bytes, code: Fault) -> None:
    path = tmp_path / "receipts" / "receipt.xml"
    path.parent.mkdir()
    good = (run.kept / f"{run.faithful[3]}.answer.xml").read_bytes()
    assert old in good
    path.write_bytes(good.replace(old, new))
    verdict = audit(run.log, run.trust, beside=Beside(SystemClock().now(), receipts=path.parent))
    assert [(one.code, one.file) for one in verdict.findings] == [(code, "receipts/receipt.xml")]
    assert verdict.receipts == ReceiptCount(failed=1)


def test_an_envelope_of_a_request_is_no_receipt(run: Run, tmp_path: Path) -> None:
    """It is rightly signed, by the caller."""
    path = tmp_path / "receipts" / "receipt.xml"
    path.parent.mkdir()
    shutil.copy2(run.kept / f"{run.faithful[3]}.request.xml", path)
    verdict = audit(run.log, run.trust, beside=Beside(SystemClock().now(), receipts=path.parent))
    assert [one.code for one in verdict.findings] == [Fault.RECEIPT_NOT_OURS]


def test_an_answer_that_the_log_does_not_have(run: Run, tmp_path: Path) -> None:
    """A receipt by SOAP is missed as one by REST is: this copy ends before it."""
    receipts = tmp_path / "receipts"
    receipts.mkdir()
    missed = run.lies["message by SOAP"]
    shutil.copy2(run.kept / f"{missed}.answer.xml", receipts / "receipt.xml")
    forger = Forger(run.gateway)
    place = [str(item.leaf.exchange_id) for item in forger.items].index(missed)
    short = forger.write(forger.items[:place], tmp_path / "short")
    verdict = audit(short, run.trust, beside=Beside(SystemClock().now() + HOUR, receipts=receipts))
    assert [(one.code, one.file) for one in verdict.findings] == [(Fault.RECEIPT_OVERDUE, "receipts/receipt.xml")]


def test_the_command(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0: faithful; 1: not, with the field's name and no value; 2: a folder that is not there."""
    good = kept_of(run, tmp_path / "good", *run.faithful)
    bad = kept_of(run, tmp_path / "bad", run.lies["dateNaissance"])

    def command(kept: Path, lang: str = "fr", *options: str) -> tuple[int, str]:
        asked = ["audit", "translate", str(run.log), "--trust", str(run.trust), "--kept", str(kept)]
        code = main(["--lang", lang, *asked, "--upstream", str(run.gateway.kept_there), *options])
        return code, " ".join("".join(capsys.readouterr()).split())

    code, text = command(good, "en", "--json")
    assert (code, json.loads(text)["translated"]["requests"]) == (0, 5)
    code, text = command(bad)
    assert (code, "La passerelle a changé le sens" in text, "dateNaissance" in text) == (1, True, True)
    assert "2024-0" not in text
    code, text = command(bad, "en")
    assert (code, "The gateway altered what was meant" in text) == (1, True)
    assert command(tmp_path / "gone")[0] == 2
