"""Step 1, and whose key a keyid names."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from certs.authority import DevAuthority
from certs.profiles import CertificateRefusedError, Profile
from certs.revocation import RevocationFolder
from gateway.errors import Code, Refusal
from gateway.identity.parties import KnownParty, Parties, keyid
from gateway.model import Received
from tests.certs.conftest import NOW

if TYPE_CHECKING:
    from pathlib import Path

    from certs.authority import Issued

HOUR = timedelta(hours=1)


class Town:
    """Two parties under their own authorities, a third suspended; revocation lists in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds = 0.0
        self.shelf: dict[str, bytes] = {}
        self.authorities = {name: DevAuthority(name, NOW) for name in ("ministry", "cooperative", "suspended")}
        self.signing = {name: item.issue(Profile.SIGNING, [f"{name}.test"]) for name, item in self.authorities.items()}
        self.tls = {name: item.issue(Profile.TLS_CLIENT, [f"{name}.test"]) for name, item in self.authorities.items()}
        self.stray = self.authorities["ministry"].issue(Profile.TLS_CLIENT, ["ministry.test"])
        for name in self.authorities:
            self.publish(name)
        known = {name: self._known(name) for name in self.authorities}
        self.parties = Parties(known, RevocationFolder(folder, lambda: self.seconds), self.shelf)

    def _known(self, name: str) -> KnownParty:
        item = self.authorities[name]
        signers = (self.signing[name].der, *((self.stray.der,) if name == "ministry" else ()))
        return KnownParty(
            name, frozenset({f"{name}.test"}), (item.root.der,), (item.issuing.der,), signers, name == "suspended"
        )

    def publish(self, name: str, *revoked: Issued) -> None:
        lists = self.authorities[name].revocation_lists([issued.certificate for issued in revoked])
        for kind, crl in zip(("root", "issuing"), lists, strict=True):
            (self.folder / f"{name}.{kind}.crl").write_bytes(crl)

    def received(self, issued: Issued) -> Received:
        return Received(UUID(int=4), "GET", "/", {}, b"", issued.der, NOW)

    def code(self, issued: Issued) -> Code:
        with pytest.raises(Refusal) as refused:
            self.parties.identify(self.received(issued))
        return refused.value.code


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_a_party_is_known_by_its_authority_and_its_name(town: Town) -> None:
    for name in ("ministry", "cooperative"):
        party = town.parties.identify(town.received(town.tls[name]))
        assert party.name == name
        # everything that the proof names is on the shelf, for objects/ (L3)
        proven = {party.tls.sha256, *party.tls.chain, *party.tls.revocation}
        assert proven <= town.shelf.keys()
        assert len(proven) == 5


def test_unknown_and_suspended_parties(town: Town) -> None:
    ministry = town.authorities["ministry"]
    assert town.code(ministry.issue(Profile.TLS_CLIENT, ["other.test"])) is Code.PARTY_UNKNOWN
    assert town.code(ministry.issue(Profile.TLS_CLIENT, ["cooperative.test"])) is Code.PARTY_UNKNOWN
    assert town.code(DevAuthority("ministry", NOW).issue(Profile.TLS_CLIENT, ["ministry.test"])) is Code.PARTY_UNKNOWN
    assert town.code(town.tls["suspended"]) is Code.PARTY_SUSPENDED


def test_a_signing_certificate_is_no_tls_certificate(town: Town) -> None:
    assert town.code(town.signing["ministry"]) is Code.CERTIFICATE_REFUSED


def test_revocation_ends_a_kept_verdict(town: Town) -> None:
    assert town.parties.identify(town.received(town.tls["ministry"])).name == "ministry"
    town.publish("ministry", town.tls["ministry"])
    town.seconds = 1.0
    assert town.code(town.tls["ministry"]) is Code.CERTIFICATE_REFUSED


def test_missing_revocation_data_fails_closed(town: Town) -> None:
    (town.folder / "ministry.issuing.crl").unlink()
    assert town.code(town.tls["ministry"]) is Code.CERTIFICATE_REFUSED
    assert town.parties.identify(town.received(town.tls["cooperative"])).name == "cooperative"


def test_a_kept_verdict_ends_with_the_certificate(town: Town) -> None:
    issued = town.authorities["ministry"].issue(Profile.TLS_CLIENT, ["ministry.test"], not_after=NOW + HOUR)
    received = town.received(issued)
    assert town.parties.identify(received).name == "ministry"
    late = Received(UUID(int=4), "GET", "/", {}, b"", issued.der, NOW + HOUR)
    with pytest.raises(Refusal) as refused:
        town.parties.identify(late)
    assert refused.value.code is Code.CERTIFICATE_REFUSED


def test_bytes_that_are_no_certificate(town: Town) -> None:
    with pytest.raises(Refusal) as refused:
        town.parties.identify(Received(UUID(int=4), "GET", "/", {}, b"", b"", NOW))
    assert refused.value.code is Code.CERTIFICATE_REFUSED


def test_a_signer_is_found_by_keyid(town: Town) -> None:
    signer = town.parties.signer(keyid(town.signing["cooperative"].der), NOW)
    assert (signer.party, signer.certificate) == ("cooperative", town.signing["cooperative"].der)
    assert len(keyid(signer.certificate)) == 43


@pytest.mark.parametrize(
    ("key", "code"),
    [("A" * 43, Code.KEY_UNKNOWN), ("", Code.KEY_UNKNOWN), ("stray", Code.KEY_REFUSED)],
    ids=["unknown", "empty", "a_tls_key_among_the_signers"],
)
def test_keyids_that_name_no_signing_key(town: Town, key: str, code: Code) -> None:
    with pytest.raises(Refusal) as refused:
        town.parties.signer(keyid(town.stray.der) if key == "stray" else key, NOW)
    assert (refused.value.code, refused.value.component) == (code, "keyid")


def test_a_revoked_signing_key(town: Town) -> None:
    town.publish("ministry", town.signing["ministry"])
    with pytest.raises(Refusal) as refused:
        town.parties.signer(keyid(town.signing["ministry"].der), NOW)
    assert refused.value.code is Code.KEY_REFUSED


def test_a_counterpart_is_the_party_that_was_called(town: Town) -> None:
    der = town.signing["ministry"].der
    assert town.parties.counterpart("ministry", der, NOW).chain
    with pytest.raises(CertificateRefusedError):
        town.parties.counterpart("cooperative", der, NOW)
    with pytest.raises(CertificateRefusedError):
        town.parties.counterpart("ministry", town.tls["ministry"].der, NOW)


def test_a_tls_server_is_the_party_that_was_called(town: Town) -> None:
    server = town.authorities["ministry"].issue(Profile.TLS_SERVER, ["ministry.test", "localhost"])
    assert town.parties.server("ministry", server.der, NOW).chain
    for party, issued in (
        ("cooperative", server),
        ("ministry", town.tls["ministry"]),
        ("ministry", town.signing["ministry"]),
        ("ministry", town.authorities["ministry"].issue(Profile.TLS_SERVER, ["localhost"])),
    ):
        with pytest.raises(CertificateRefusedError):
            town.parties.server(party, issued.der, NOW)
    town.publish("ministry", server)
    town.seconds = 1.0
    with pytest.raises(CertificateRefusedError):
        town.parties.server("ministry", server.der, NOW)


def test_verdicts_are_kept_but_not_without_end(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.identity.parties._MOST_VERDICTS", 2)
    for number in range(4):
        stranger = town.authorities["ministry"].issue(Profile.TLS_CLIENT, [f"other-{number}.test"])
        assert town.code(stranger) is Code.PARTY_UNKNOWN
        assert len(town.parties._verdicts) <= 2
