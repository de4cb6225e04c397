"""Step 1, and whose key a keyid names."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import structlog

from certs.authority import DevAuthority
from certs.paths import fingerprint, vet
from certs.profiles import CertificateRefusedError, Profile
from certs.revocation import RevocationFolder
from gateway.errors import Code, Refusal
from gateway.identity.parties import KnownParty, Parties, keyid
from gateway.model import Received
from tests.certs.conftest import NOW

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from certs.authority import Issued
    from certs.paths import Vetted

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
        self.revocation = RevocationFolder(folder, lambda: self.seconds)
        self.parties = Parties(known, self.revocation, self.shelf)

    def _known(self, name: str) -> KnownParty:
        item = self.authorities[name]
        signers = (self.signing[name].der, *((self.stray.der,) if name == "ministry" else ()))
        return KnownParty(
            name, frozenset({f"{name}.test"}), (item.root.der,), (item.issuing.der,), signers, name == "suspended"
        )

    def again(self, **changes: object) -> Parties:
        """The same parties as a new policy has them, the ministry's entry changed."""
        known = {name: self._known(name) for name in self.authorities}
        known["ministry"] = replace(known["ministry"], **changes)  # type: ignore[arg-type]  # fields of KnownParty
        return Parties(known, self.revocation, self.shelf)

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


def reasons(parties: Parties, received: Received) -> tuple[Code, str | None]:
    with pytest.raises(Refusal) as refused:
        parties.identify(received)
    return refused.value.code, refused.value.reason


def test_a_refused_certificate_says_why_and_a_strangers_does_not(town: Town) -> None:
    ministry = town.authorities["ministry"]
    expired = ministry.issue(Profile.TLS_CLIENT, ["ministry.test"], not_after=NOW)
    stranger = DevAuthority("stranger", NOW).issue(Profile.TLS_CLIENT, ["ministry.test"])
    assert reasons(town.parties, town.received(expired)) == (Code.CERTIFICATE_REFUSED, "expired")
    assert reasons(town.parties, town.received(stranger)) == (Code.PARTY_UNKNOWN, None)
    town.publish("ministry", town.tls["ministry"], town.signing["ministry"])
    town.seconds = 1.0
    assert reasons(town.parties, town.received(town.tls["ministry"])) == (Code.CERTIFICATE_REFUSED, "revoked")
    with pytest.raises(Refusal) as refused:
        town.parties.signer(keyid(town.signing["ministry"].der), NOW)
    assert refused.value.reason == "revoked"
    with pytest.raises(CertificateRefusedError, match="revoked"):
        town.parties.counterpart("ministry", town.signing["ministry"].der, NOW)


def test_a_name_of_another_party_beside_ones_own(town: Town) -> None:
    """Two parties may be of one authority: a certificate with both names would be either's."""
    both = town.authorities["ministry"].issue(Profile.TLS_CLIENT, ["ministry.test", "Cooperative.test"])
    assert reasons(town.parties, town.received(both)) == (Code.CERTIFICATE_REFUSED, "name_of_another_party")
    more = town.authorities["ministry"].issue(Profile.TLS_CLIENT, ["ministry.test", "other.test"])
    assert town.parties.identify(town.received(more)).name == "ministry"


def test_a_key_in_certificates_of_two_parties_signs_for_neither(town: Town) -> None:
    """S1: one key belongs to one party."""
    key = town.signing["cooperative"].key
    twin = town.authorities["ministry"].issue(Profile.SIGNING, ["ministry.test"], key=key)
    own = town.signing["ministry"]
    parties = town.again(signers=(twin.der, own.der))
    for issued in (twin, town.signing["cooperative"]):
        with pytest.raises(Refusal) as refused:
            parties.signer(keyid(issued.der), NOW)
        assert (refused.value.code, refused.value.reason) == (Code.KEY_REFUSED, "key_of_two_parties")
    assert parties.signer(keyid(own.der), NOW).party == "ministry"
    # one party may have two certificates of one key, such as the old and the new
    renewed = town.authorities["ministry"].issue(Profile.SIGNING, ["ministry.test"], key=own.key)
    assert town.again(signers=(own.der, renewed.der)).signer(keyid(renewed.der), NOW).party == "ministry"


def test_answers_stand_beside_lists_and_only_what_was_used_is_named_and_kept(town: Town) -> None:
    ministry, tls = town.authorities["ministry"], town.tls["ministry"]
    (town.folder / "ministry.tls.ocsp").write_bytes(ministry.answer(tls.certificate))
    of_another = ministry.answer(town.signing["ministry"].certificate)
    (town.folder / "ministry.signing.ocsp").write_bytes(of_another)
    (town.folder / "ministry.broken.ocsp").write_bytes(b"nothing")
    party = town.parties.identify(town.received(tls))
    assert len(party.tls.revocation) == 3
    assert fingerprint(of_another) not in {*party.tls.revocation, *town.shelf}
    assert set(party.tls.revocation) <= town.shelf.keys()
    (town.folder / "ministry.tls.ocsp").write_bytes(ministry.answer(tls.certificate, says="revoked"))
    town.seconds = 1.0
    assert reasons(town.parties, town.received(tls)) == (Code.CERTIFICATE_REFUSED, "revoked")


def test_stale_data_is_told_of_once_an_hour_within_the_grace_and_refused_past_it(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    structlog.configure(
        logger_factory=structlog.stdlib.LoggerFactory(),
        processors=[structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    parties = town.again(grace=3 * HOUR)
    end = NOW + timedelta(days=30)

    def told(at: datetime) -> int:
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="certificates"):
            for certificate in (town.tls["ministry"], town.tls["ministry"]):
                assert parties.identify(replace(town.received(certificate), at=at)).name == "ministry"
            parties.signer(keyid(town.signing["ministry"].der), at)
        return len([row for row in caplog.records if row.message == "revocation_stale"])

    try:
        assert [told(end + minutes * HOUR / 60) for minutes in (-1, 0, 30, 59, 60, 90, 120)] == [0, 1, 0, 0, 1, 0, 1]
    finally:
        structlog.reset_defaults()
    late = replace(town.received(town.tls["ministry"]), at=end + 3 * HOUR)
    assert reasons(parties, late) == (Code.CERTIFICATE_REFUSED, "crl_stale")
    # the cooperative's policy has no grace
    late = replace(town.received(town.tls["cooperative"]), at=end)
    assert reasons(parties, late) == (Code.CERTIFICATE_REFUSED, "crl_stale")


def test_verdicts_are_ready_before_new_lists_are_in_force(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[bytes] = []

    def counted(certificate: bytes, *rest: Any) -> Vetted:
        judged.append(certificate)
        return vet(certificate, *rest)

    monkeypatch.setattr("gateway.identity.parties.vet", counted)
    tls, own = town.received(town.tls["ministry"]), town.received(town.tls["cooperative"])
    assert town.parties.identify(own).name == "cooperative"
    assert town.parties.identify(tls).name == "ministry"
    town.publish("ministry", town.tls["ministry"])
    town.seconds = 1.0
    town.parties.keep_warm(NOW)
    judged.clear()
    assert reasons(town.parties, tls) == (Code.CERTIFICATE_REFUSED, "revoked")
    assert town.parties.identify(own).name == "cooperative"
    assert judged == []
    # where nobody prepares any more, new lists are taken all the same
    town.publish("ministry")
    town.seconds = 7.0
    assert town.parties.identify(tls).name == "ministry"


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The certificates whose paths were looked for."""
    found: list[bytes] = []

    def counted(certificate: bytes, *rest: Any) -> Vetted:
        found.append(certificate)
        return vet(certificate, *rest)

    monkeypatch.setattr("gateway.identity.parties.vet", counted)
    return found


def test_after_a_change_of_policy_only_what_it_touches_is_judged_anew(town: Town, judged: list[bytes]) -> None:
    ministry, cooperative = (town.received(town.tls[name]) for name in ("ministry", "cooperative"))
    town.parties.identify(ministry)
    town.parties.identify(cooperative)
    judged.clear()
    narrower = town.again(suspended=True)
    narrower.take_over(town.parties)
    assert reasons(narrower, ministry) == (Code.PARTY_SUSPENDED, None)
    assert narrower.identify(cooperative).name == "cooperative"
    assert judged == []
    # and it ends as it would have: with new lists, and with its time
    town.publish("cooperative", town.tls["cooperative"])
    town.seconds = 2.0
    assert reasons(narrower, cooperative) == (Code.CERTIFICATE_REFUSED, "revoked")


@pytest.mark.parametrize(
    "change",
    [
        {"names": frozenset({"other.test"})},
        {"names": frozenset({"ministry.test", "other.test"})},
        {"roots": ()},
        {"intermediates": ()},
        {"grace": HOUR},
    ],
    ids="+".join,
)
def test_a_verdict_is_not_kept_where_its_party_is_another(
    change: dict[str, object], town: Town, judged: list[bytes]
) -> None:
    ministry = town.received(town.tls["ministry"])
    town.parties.identify(ministry)
    fresh, kept = town.again(**change), town.again(**change)
    kept.take_over(town.parties)
    judged.clear()
    assert _said(kept, ministry) == _said(fresh, ministry)
    assert judged.count(town.tls["ministry"].der) > 1  # each of them looked


def test_a_verdict_is_not_kept_where_the_name_is_another_party_s_now(town: Town) -> None:
    cooperative = town.received(town.tls["cooperative"])
    town.parties.identify(cooperative)
    after = town.again(names=frozenset({"ministry.test", "cooperative.test"}))
    after.take_over(town.parties)
    assert reasons(after, cooperative) == (Code.CERTIFICATE_REFUSED, "name_of_another_party")


def test_a_verdict_is_not_kept_for_a_party_that_is_gone(town: Town) -> None:
    ministry = town.received(town.tls["ministry"])
    town.parties.identify(ministry)
    after = Parties({"suspended": town._known("suspended")}, town.revocation, town.shelf)
    after.take_over(town.parties)
    assert reasons(after, ministry)[0] is Code.PARTY_UNKNOWN


def _said(parties: Parties, received: Received) -> object:
    try:
        return parties.identify(received)
    except Refusal as refused:
        return refused.code, refused.reason
