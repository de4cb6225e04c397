"""The runbook's five procedures, each run from its own page against a real gateway: what a page claims is so.

The commands are the French page's; that the English page has the same ones is tests/docs/test_procedures.py's to show.
"""

from __future__ import annotations

import json
import re
import shutil
import ssl
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certs.authority import DevAuthority
from certs.files import write_private, write_public
from certs.profiles import Profile
from gateway.client.verifier import AnswerError
from gateway.keys.files import FileKeystore
from gateway.keys.request import BehindThePort
from gateway.system import SystemClock
from tests.adapters.fakes import until
from tests.exchange.live import LiveGateway, read_issued, workers
from tests.keys.softhsm import LABEL, PIN, SoftHsm, make_token
from tests.scenarios.procedures import PROCEDURES, Policy, Reader, merge, page_policy
from tests.scenarios.test_hsm import TokenGateway

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from gateway.client.verifier import VerifiedAnswer
    from gateway.signing.outgoing import SignedRequest


FRENCH = PROCEDURES / "fr"
#: A worker looks four times a second, a folder once; the rest is for a busy machine.
SECONDS = 10.0
ACTIVATE = "passerelle policy activate {0}.yaml --approval {0}.$FIRST.approval --approval {0}.$SECOND.approval"
_NOTHING_TO_START_WITH = 2
NEW = "bureau"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[LiveGateway]:
    made = LiveGateway(tmp_path / "set-up")
    try:
        made.start_sandbox()
        made.start()
        yield made
    finally:
        made.close()


def reader(
    gateway: LiveGateway, values: Mapping[str, str | Path], officers: tuple[str, str] = ("officer-1", "officer-2")
) -> Reader:
    """Who follows a page: two officers beside him, and an auditor."""
    known: dict[str, str | Path] = {"TRUST": gateway.folder / "trust"}
    for order, name in zip(("FIRST", "SECOND"), officers, strict=True):
        known |= {order: name, f"{order}_KEY": gateway.folder / "sandbox" / "officers" / f"{name}.key"}
    return Reader(gateway.folder, {name: str(value) for name, value in (known | dict(values)).items()})


def told(gateway: LiveGateway, party: str = "ministry") -> str:
    """What a party is told for an echo: ``released``, the code of the refusal, or ``unreachable``."""
    request = gateway.client(party).prepare("echo", {"message": "bonjour"}, salted=False)
    try:
        shown = gateway.exchange(request, gateway.tls(party))
    except (ssl.SSLError, ConnectionError):
        return "unreachable"
    return "released" if shown.status == 200 else str(shown.json()["code"])


def kept(gateway: LiveGateway, party: str = "ministry") -> str:
    """A verification with its receipt kept and proven; the handle in it."""
    client = gateway.client(party)
    fields = json.loads((gateway.party(party) / "requests" / "confirmed.json").read_text("utf-8"))
    answers: list[tuple[SignedRequest, VerifiedAnswer]] = []

    def answered() -> bool:
        # a worker that has not found its token again yet can sign nothing, not even that
        request = client.prepare("nirec.verify", fields, salted=True)
        try:
            answers.append((request, client.send(request)))
        except AnswerError as error:
            if error.key != "answer_not_signed":
                raise
        return bool(answers)

    assert until(answered, SECONDS)
    request, answer = answers[0]
    path = client.keep(request, answer, gateway.folder / "receipts")
    place = client.prove(answer, within=15)
    assert place is not None
    path.with_suffix(".jws").write_text(place.receipt, encoding="ascii")
    return str(json.loads(answer.body)["handle"])


def soon(gateway: LiveGateway, expected: str, party: str = "ministry") -> None:
    """The party is told so within moments, by every worker."""
    seen: list[str] = []

    def settled() -> bool:
        seen.append(told(gateway, party))
        return seen[-4:] == [expected] * 4

    assert until(settled, SECONDS), seen[-4:]


def settle(gateway: LiveGateway, authority: DevAuthority, party: str) -> Path:
    """What a party hands over in person: its root, its signing certificate, its lists; its keys stay in its folder."""
    handed = gateway.folder / "handed-over" / str(len(list((gateway.folder).glob("handed-over/*"))))
    host, folder = f"{party}.passerelle.test", gateway.party(party)
    signing = authority.issue(Profile.SIGNING, [host])
    client = authority.issue(Profile.TLS_CLIENT, [host])
    for name, issued, chain in (("signing", signing, b""), ("tls", client, authority.issuing.pem)):
        for kind in ("key", "pem"):
            (folder / f"{name}.{kind}").unlink(missing_ok=True)
        write_private(folder / f"{name}.key", issued.key_pem)
        write_public(folder / f"{name}.pem", issued.pem + chain)
    write_public(handed / "root.pem", authority.root.pem)
    write_public(handed / "signing.pem", signing.pem)
    lists = authority.revocation_lists(number=2)
    for name, crl in zip(("root", "issuing"), lists, strict=True):
        write_public(handed / f"{name}.crl", crl)
    return handed


def handed_over(folder: Path) -> dict[str, Path]:
    return {
        "ROOT": folder / "root.pem",
        "SIGNING": folder / "signing.pem",
        "ROOT_CRL": folder / "root.crl",
        "ISSUING_CRL": folder / "issuing.crl",
    }


def certify(gateway: LiveGateway, name: str) -> None:
    """Our certificate authority answers a request: the certificate lies where the page says."""
    request = x509.load_pem_x509_csr((gateway.folder / f"{name}.csr").read_bytes())
    spki = request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    own, nothing = gateway.authorities["passerelle"], FileKeystore(gateway.folder)
    issued = own.issue(Profile.SIGNING, ["gateway.passerelle.test"], key=BehindThePort(nothing, name, spki))
    write_public(gateway.folder / f"{name}.pem", issued.pem + own.issuing.pem)


def signs(gateway: LiveGateway) -> str:
    """Which of the gateway's keys an echo's answer was verified under, by the ministry's own client."""
    client = gateway.client("ministry")
    answer = client.send(client.prepare("echo", {"message": "bonjour"}, salted=False))
    found = {certificate_in(path): path.stem for path in gateway.keys.glob("signing*.pem")}
    return found[answer.signer]


def certificate_in(path: Path) -> bytes:
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


def receipt_keys(gateway: LiveGateway) -> set[str]:
    """The keys that the kept receipts name."""
    kept_ones = (gateway.folder / "receipts").glob("*.jws")
    return {jwt.get_unverified_header(path.read_text(encoding="ascii"))["kid"] for path in kept_ones}


# adding a party ------------------------------------------------------------------------------------------------------


def test_adding_a_party(gateway: LiveGateway) -> None:
    """The new party's echo is accepted without a restart; before the activation nobody lets it in."""
    page = FRENCH / "adding-a-party.md"
    authority = DevAuthority(NEW, SystemClock().now())
    folder = gateway.party(NEW)
    shutil.copytree(gateway.party("ministry"), folder, ignore=shutil.ignore_patterns("*.key", "bodies"))
    (folder / "party.toml").write_text(
        f'name = "{NEW}"\norigin = "{gateway.origin}"\nauthority = "gateway-root.pem"\n'
        '[operations.echo]\nmethod = "POST"\npath = "/v1/echo"\nagreement = "ENT-2026-20"\npurpose = "essai"\n'
    )
    handed = handed_over(settle(gateway, authority, NEW))
    who = reader(gateway, {"PARTY": NEW, **handed})
    certificates = {"ROOT_PEM": authority.root.pem.decode(), "ISSUING_PEM": authority.issuing.pem.decode()}
    more = page_policy(page, dict(who.values) | certificates)
    # the page's dates are those of its example
    now = SystemClock().now()
    validity = {"since": now - timedelta(days=1), "until": now + timedelta(days=90)}
    more["agreements"]["ENT-2026-20"]["validity"] = {name: at.isoformat() for name, at in validity.items()}
    who.edits = {"next.yaml": lambda policy: merge(policy, more)}
    before = workers(gateway.processes["gateway"].pid)
    assert told(gateway, NEW) == "unreachable"
    who.follow(page, {
        "passerelle policy propose next.yaml": lambda: told(gateway, NEW) == "unreachable",
        ACTIVATE.format("next"): lambda: soon(gateway, "released", NEW),
    })  # fmt: skip
    client = gateway.client(NEW)
    answer = client.send(client.prepare("echo", {"message": "bonjour"}, salted=False))
    assert client.prove(answer, within=15) is not None
    assert workers(gateway.processes["gateway"].pid) == before, "a restart"
    audited(who)


# an officer leaves ---------------------------------------------------------------------------------------------------


def test_an_officer_leaves(gateway: LiveGateway) -> None:
    """Who left can approve nothing any more, who came can; exchanges go on."""
    page, leaver, new = FRENCH / "officer-leaves.md", "officer-2", "alix"
    who = reader(gateway, {"NEW": new}, ("officer-1", "officer-3"))
    who.edits = {
        "remove.yaml": lambda policy: policy["officers"]["keys"].pop(leaver),
        "add.yaml": lambda policy: policy["officers"]["keys"].update({new: line(who, new)}),
    }
    who.follow(page, {ACTIVATE.format("remove"): lambda: soon(gateway, "released")})
    assert approved(who, leaver, gateway.folder / "sandbox" / "officers" / f"{leaver}.key") == "approval_not_by_officer"
    assert approved(who, new, gateway.folder / f"{new}.key") == "approvals_too_few"
    soon(gateway, "released")
    audited(who)


def line(who: Reader, name: str) -> str:
    """The public key that `policy new-officer` printed."""
    printed = next(text for command, text in who.done if "new-officer" in command.line)
    found = re.search(rf"^ *{name}: (\S+)$", printed, re.MULTILINE)
    assert found is not None, printed
    return found[1]


def approved(who: Reader, officer: str, key: Path) -> str:
    """What the gateway says to one officer's approval of some change: the reason of its refusal."""
    name = f"later-{officer}.yaml"
    who.run(f"passerelle policy draft {name}")
    who.edits = {name: lambda policy: policy["parties"]["ministry"].update(suspended=True)}
    who.edit(name)
    who.run(f"passerelle policy propose {name}")
    # without --against: the officer's own machine would say no already
    who.run(f"passerelle policy approve {name} --officer {officer} --key {key}")
    command = f"passerelle policy activate {name} --approval later-{officer}.{officer}.approval"
    return str(who.told(command, exits=1)["reason"])


# a key is compromised ------------------------------------------------------------------------------------------------


def test_a_key_is_compromised(gateway: LiveGateway) -> None:
    """Nothing more is signed under it, answers come under the new one, and what was signed before still verifies."""
    page = FRENCH / "key-compromised.md"
    handle = kept(gateway)
    own = gateway.authorities["passerelle"]
    revoked = read_issued(gateway.keys / "signing").certificate
    listed = gateway.folder / "issuing.crl"
    listed.write_bytes(own.revocation_lists([revoked], number=2)[1])
    who = reader(gateway, {"ISSUING_CRL": listed, "OURS": "passerelle"})
    who.meanwhile = {"passerelle keys import signing-1": lambda: certify(gateway, "signing-1")}
    before = workers(gateway.processes["gateway"].pid)
    who.follow(page, {
        "cp $ISSUING_CRL gateway/keys/revocation/$OURS.issuing.crl": lambda: soon(gateway, "not_recorded"),
        "passerelle keys activate signing-1": lambda: soon(gateway, "released"),
    })  # fmt: skip
    assert signs(gateway) == "signing-1"
    assert kept(gateway) == handle
    assert len(receipt_keys(gateway)) == 2, "one before, another now"
    assert workers(gateway.processes["gateway"].pid) == before, "a restart"
    audited(who, "--receipts receipts")


# an authority is compromised -----------------------------------------------------------------------------------------


def test_an_authority_is_compromised(gateway: LiveGateway) -> None:
    """Its party is refused at once, by one person alone; it works again under its new authority, and only there."""
    page, party = FRENCH / "ca-compromised.md", "ministry"
    kept(gateway)
    former = gateway.folder / "former"
    shutil.copytree(gateway.party(party), former)
    new = DevAuthority(f"{party} anew", SystemClock().now())
    who = reader(gateway, {"PARTY": party})

    def close(policy: Policy) -> None:
        policy["parties"][party]["suspended"] = True

    def reopen(policy: Policy) -> None:
        del policy["parties"][party]["suspended"]
        policy["authorities"][party] = {"roots": [new.root.pem.decode()], "intermediates": [new.issuing.pem.decode()]}

    who.edits = {"suspend.yaml": close, "readmit.yaml": reopen}
    who.meanwhile = {"openssl": lambda: who.learn(handed_over(settle(gateway, new, party)))}
    who.follow(page, {
        "mv gateway/keys/revocation/$PARTY.*crl aside/": lambda: soon(gateway, "certificate_refused"),
        ACTIVATE.format("suspend"): lambda: told(gateway) in {"certificate_refused", "party_suspended"},
        ACTIVATE.format("readmit"): lambda: soon(gateway, "released"),
    })  # fmt: skip
    kept(gateway)
    shutil.rmtree(gateway.party(party))
    shutil.copytree(former, gateway.party(party))
    assert told(gateway) == "party_unknown", "who has the former authority's certificates"
    audited(who, "--receipts receipts")


# an HSM is lost ------------------------------------------------------------------------------------------------------


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "hsm" / "softhsm2.conf"))
    return make_token(tmp_path / "hsm")


@pytest.fixture
def in_token(hsm: SoftHsm, tmp_path: Path) -> Iterator[TokenGateway]:
    made = TokenGateway(tmp_path / "set-up", hsm)
    try:
        made.start_sandbox()
        made.start()
        yield made
    finally:
        made.close()


def token_reader(gateway: TokenGateway, hsm: SoftHsm, backup: Path) -> Reader:
    where: dict[str, str | Path] = {"MODULE": hsm.module, "TOKEN": LABEL, "PIN_FILE": hsm.pin_file}
    return reader(gateway, {"RESTORE": f"cp -r {backup} {hsm.state}", **where})


def test_an_hsm_is_lost_and_a_key_with_it(in_token: TokenGateway, hsm: SoftHsm, tmp_path: Path) -> None:
    """Fails closed; from a backup older than a key, that key is made anew, and each child has its handle."""
    page, backup = FRENCH / "hsm-lost.md", tmp_path / "backup"
    shutil.copytree(hsm.state, backup)
    who = token_reader(in_token, hsm, backup)
    who.run("passerelle keys rotate signing")
    who.run("passerelle keys csr signing-1 --out signing-1.csr")
    certify(in_token, "signing-1")
    who.run("passerelle keys import signing-1 signing-1.pem")
    who.run("passerelle keys activate signing-1")
    soon(in_token, "released")
    handle = kept(in_token)
    shutil.rmtree(hsm.state)
    soon(in_token, "not_recorded")
    asked = in_token.counter()
    who.meanwhile = {"passerelle keys import signing-2": lambda: certify(in_token, "signing-2")}
    who.follow(page, {
        "passerelle keys rotate signing": lambda: told(in_token) == "not_recorded",
        "passerelle keys activate signing-2": lambda: soon(in_token, "released"),
    }, last=2)  # fmt: skip
    assert in_token.counter() == asked, "the registry was asked for what could not be recorded"
    assert kept(in_token) == handle
    audited(who, "--receipts receipts")


def test_an_hsm_is_lost_without_a_backup(in_token: TokenGateway, hsm: SoftHsm, tmp_path: Path) -> None:
    """What was recorded is still proven; nothing goes on under other keys; a new log begins."""
    page = FRENCH / "hsm-lost.md"
    kept(in_token)
    shutil.rmtree(hsm.state)
    soon(in_token, "not_recorded")
    who = token_reader(in_token, hsm, tmp_path / "no-backup")
    assert in_token.stop() == 0
    hsm.state.mkdir()
    command = ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", PIN]
    subprocess.run(command, check=True, capture_output=True)
    keys = who.told("passerelle keys list", exits=1)["keys"]
    absent = {one["name"] for one in keys if one["where"] == "absent"}
    assert {"nirec-0", "handle-ministry", "ledger-subjects", "subject-handles", "log", "signing"} <= absent
    assert does_not_start(in_token)
    who.edits = {"first.yaml": founding}
    who.follow(page, {}, only=4)
    assert who.told("passerelle keys list --config new/passerelle.toml")["holds"]
    # the new keys are in the token under the former names, and the former gateway must not take them for its own
    assert does_not_start(in_token)
    who.run("passerelle audit verify last-log --trust $TRUST --receipts receipts")


def founding(policy: Policy) -> None:
    policy |= {"version": 1, "previous": None, "origin": "passerelle.anew.development"}
    # whom the gateway tells of its own accord stands in settings that are yet to be written, as the page says
    for word in [word for word, one in policy["agreements"].items() if one["operation"].endswith(".notice")]:
        del policy["agreements"][word]


def does_not_start(gateway: LiveGateway) -> bool:
    """Whether `serve` ends by itself for want of its keys."""
    process = gateway.spawn("serve")
    try:
        return process.wait(30) == _NOTHING_TO_START_WITH
    finally:
        process.kill()
        process.wait()


def audited(who: Reader, more: str = "") -> None:
    """The audit holds, as an auditor runs it."""
    who.run(f"passerelle audit verify gateway/log --trust $TRUST {more}".strip())
