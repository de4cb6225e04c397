"""Certificates at the time: each refusal beside the case that holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from certs.authority import DevAuthority
from certs.paths import fingerprint
from certs.profiles import Profile
from gateway.audit.certificates import Certificates
from gateway.audit.evidence_schema import Proof
from gateway.audit.files import LogFolder
from gateway.audit.objects import Objects
from gateway.audit.policies import Policy
from gateway.audit.verdict import Fault, Problem
from gateway.policy.bundle import Authority, Bilingual, Bundle, GuardRules, Party

if TYPE_CHECKING:
    from pathlib import Path

    from certs.authority import Issued

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NAME = "ministry.passerelle.test"


@dataclass
class Shelf:
    """A log's objects, and evidence's view of a certificate; ``lists`` are those that it names."""

    folder: Path
    authority: DevAuthority
    lists: tuple[bytes, ...]
    grace_hours: int = 0

    def proof(self, issued: Issued) -> Proof:
        chain = (self.authority.issuing.der, self.authority.root.der)
        for der in (issued.der, *chain, *self.lists):
            path = self.folder / "objects" / sha256(der).hexdigest()
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(der)
        return Proof(
            sha256=fingerprint(issued.der),
            chain=tuple(fingerprint(der) for der in chain),
            revocation=tuple(fingerprint(der) for der in self.lists),
        )

    def policy(self, *names: str) -> Policy:
        title = Bilingual(fr="Ministère", en="Ministry")
        party = Party(title=title, role="ministry", authority="ministry", names=names or (NAME,))
        authority = Authority(
            roots=(self.authority.root.pem.decode(),), intermediates=(self.authority.issuing.pem.decode(),)
        )
        guard = GuardRules(refusals_per_minute=600, revocation_grace_hours=self.grace_hours)
        fields: dict[str, Any] = {
            "parties": {"ministry": party},
            "authorities": {"ministry": authority},
            "guard": guard,
        }
        return Policy("0" * 64, Bundle.model_construct(**fields))

    def certificates(self) -> Certificates:
        return Certificates(Objects(LogFolder(self.folder)), {"ministry": (self.authority.root.der,)})


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    authority = DevAuthority("ministry", NOW)
    return Shelf(tmp_path, authority, authority.revocation_lists())


def refused(shelf: Shelf, proof: Proof, at: datetime = NOW, policy: Policy | None = None) -> tuple[Fault, str]:
    with pytest.raises(Problem) as caught:
        shelf.certificates().check(proof, Profile.SIGNING, "ministry", policy or shelf.policy(), at)
    return caught.value.fault, caught.value.detail


def test_a_good_certificate_is_the_partys(shelf: Shelf) -> None:
    issued = shelf.authority.issue(Profile.SIGNING, [NAME])
    proof = shelf.proof(issued)
    certificates = shelf.certificates()
    for at in (NOW, NOW + timedelta(days=1), NOW):
        assert certificates.check(proof, Profile.SIGNING, "ministry", shelf.policy(), at) == issued.certificate


def test_a_kept_verdict_ends_with_the_certificate(shelf: Shelf) -> None:
    proof = shelf.proof(shelf.authority.issue(Profile.SIGNING, [NAME], not_after=NOW + timedelta(hours=1)))
    certificates = shelf.certificates()
    assert certificates.check(proof, Profile.SIGNING, "ministry", shelf.policy(), NOW)
    with pytest.raises(Problem) as caught:
        certificates.check(proof, Profile.SIGNING, "ministry", shelf.policy(), NOW + timedelta(hours=1))
    assert caught.value.detail == "expired"


def test_not_yet_valid(shelf: Shelf) -> None:
    proof = shelf.proof(shelf.authority.issue(Profile.SIGNING, [NAME], not_before=NOW + timedelta(minutes=1)))
    assert refused(shelf, proof) == (Fault.CERTIFICATE_OUT_OF_DATE, "not_yet_valid")


def test_revoked(shelf: Shelf) -> None:
    issued = shelf.authority.issue(Profile.SIGNING, [NAME])
    shelf.lists = shelf.authority.revocation_lists([issued.certificate])
    assert refused(shelf, shelf.proof(issued)) == (Fault.CERTIFICATE_REVOKED, "revoked")


def test_stale_list(shelf: Shelf) -> None:
    shelf.lists = shelf.authority.revocation_lists(at=NOW - timedelta(days=31))
    proof = shelf.proof(shelf.authority.issue(Profile.SIGNING, [NAME]))
    assert refused(shelf, proof) == (Fault.CERTIFICATE_REFUSED, "crl_stale")


def test_only_the_roots_list(shelf: Shelf) -> None:
    shelf.lists = shelf.lists[:1]
    proof = shelf.proof(shelf.authority.issue(Profile.SIGNING, [NAME]))
    assert refused(shelf, proof)[0] is Fault.CERTIFICATE_REFUSED


def test_list_that_an_impostor_signed(shelf: Shelf) -> None:
    shelf.lists = (*shelf.lists, *DevAuthority("ministry", NOW).revocation_lists())
    proof = shelf.proof(shelf.authority.issue(Profile.SIGNING, [NAME]))
    assert refused(shelf, proof)[0] is Fault.CERTIFICATE_PROOF_DIFFERS


def test_list_named_twice(shelf: Shelf) -> None:
    shelf.lists = (*shelf.lists, shelf.lists[0])
    proof = shelf.proof(shelf.authority.issue(Profile.SIGNING, [NAME]))
    assert refused(shelf, proof)[0] is Fault.CERTIFICATE_PROOF_DIFFERS


def test_wrong_extended_key_usage(shelf: Shelf) -> None:
    proof = shelf.proof(shelf.authority.issue(Profile.TLS_CLIENT, [NAME]))
    assert refused(shelf, proof) == (Fault.CERTIFICATE_OF_OTHER_USE, "wrong_eku")


def test_certificate_of_an_impostors_authority(shelf: Shelf) -> None:
    proof = shelf.proof(DevAuthority("ministry", NOW).issue(Profile.SIGNING, [NAME]))
    assert refused(shelf, proof) == (Fault.CERTIFICATE_REFUSED, "wrong_authority")


def test_name_of_another_party(shelf: Shelf) -> None:
    proof = shelf.proof(shelf.authority.issue(Profile.SIGNING, ["cooperative.passerelle.test"]))
    assert refused(shelf, proof)[0] is Fault.CERTIFICATE_OF_ANOTHER


def test_chain_that_is_not_the_certificates(shelf: Shelf) -> None:
    proof = shelf.proof(shelf.authority.issue(Profile.SIGNING, [NAME]))
    shorter = proof.model_copy(update={"chain": proof.chain[:1]})
    assert refused(shelf, shorter)[0] is Fault.CERTIFICATE_PROOF_DIFFERS


def test_stale_list_within_the_grace_of_the_policy_of_that_time(shelf: Shelf) -> None:
    shelf.lists = shelf.authority.revocation_lists(at=NOW - timedelta(days=30, hours=5))
    issued = shelf.authority.issue(Profile.SIGNING, [NAME])
    shelf.grace_hours = 6
    certificates = shelf.certificates()
    proof = shelf.proof(issued)
    assert certificates.check(proof, Profile.SIGNING, "ministry", shelf.policy(), NOW) == issued.certificate
    assert refused(shelf, proof, NOW + timedelta(hours=1)) == (Fault.CERTIFICATE_REFUSED, "crl_stale")
    shelf.grace_hours = 5
    assert refused(shelf, proof) == (Fault.CERTIFICATE_REFUSED, "crl_stale")


def test_an_answer_in_the_place_of_a_list(shelf: Shelf) -> None:
    root, issuing = shelf.lists
    issued = shelf.authority.issue(Profile.SIGNING, [NAME])
    for signer in (None, shelf.authority.responder()):
        shelf.lists = (root, shelf.authority.answer(issued.certificate, signer=signer))
        certificates = shelf.certificates()
        for at in (NOW, NOW + timedelta(hours=1), NOW):
            proof = shelf.proof(issued)
            assert certificates.check(proof, Profile.SIGNING, "ministry", shelf.policy(), at) == issued.certificate
        assert refused(shelf, shelf.proof(issued), NOW + timedelta(days=1)) == (Fault.CERTIFICATE_REFUSED, "crl_stale")
    # a responder that may be revoked needs the list that clears it
    responder = shelf.authority.responder(checked=True)
    answer = shelf.authority.answer(issued.certificate, signer=responder)
    shelf.lists = (root, issuing, answer)
    assert shelf.certificates().check(shelf.proof(issued), Profile.SIGNING, "ministry", shelf.policy(), NOW)
    shelf.lists = (*shelf.authority.revocation_lists([responder.certificate]), answer)
    assert refused(shelf, shelf.proof(issued))[0] is Fault.CERTIFICATE_PROOF_DIFFERS


def test_an_answer_that_revokes_or_is_an_impostors(shelf: Shelf) -> None:
    issued, lists = shelf.authority.issue(Profile.SIGNING, [NAME]), shelf.lists
    shelf.lists = (*lists, shelf.authority.answer(issued.certificate, says="revoked"))
    assert refused(shelf, shelf.proof(issued)) == (Fault.CERTIFICATE_REVOKED, "revoked")
    shelf.lists = (*lists, DevAuthority("ministry", NOW).answer(issued.certificate))
    assert refused(shelf, shelf.proof(issued))[0] is Fault.CERTIFICATE_PROOF_DIFFERS
    shelf.lists = (*lists, issued.der)
    assert refused(shelf, shelf.proof(issued))[0] is Fault.OBJECT_INVALID
