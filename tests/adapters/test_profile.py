"""An upstream of our own profile, without its wire: what it is asked, and what of its answers is taken."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from adapters.channel import HttpAnswer
from adapters.loopback import Absent
from adapters.mapping.values import ValueUnfitError
from adapters.profile import profile_operations
from adapters.rest import RestDialogue, RestRequest
from adapters.salts import Salts
from adapters.system import OutsideSystem
from gateway.errors import Code, Refusal
from gateway.model import CertificateProof, Nirec, RestPart, UpstreamRefusal
from gateway.signing.outgoing import SignedRequest
from tests.adapters.conftest import CONTRACTS
from tests.adapters.fakes import ShiftedClock, SystemRandomness
from tests.adapters.others import grant_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.mapping.rest_call import RestCall
    from gateway.model import Grant

VERIFY = profile_operations("civil-registry", CONTRACTS)["nirec.verify/v1"]
SALT = bytes(range(32))
ASKED: dict[str, object] = {
    "nirec": Nirec("1" * 13),
    "family_name": "Côté",
    "given_names": "Zoé",
    "birth_date": "2021-05-01",
}
SAID = {"outcome": "confirmed", "salt": "c2VsIGRlIGNlbGxlIHF1aSByZXBvbmQ="}


def test_a_request_has_its_salt_and_the_number_in_its_body_alone() -> None:
    call = VERIFY.request(ASKED, SALT)
    assert (call.method, call.target) == ("POST", "/v1/nirec/verifications")
    told = json.loads(call.body)
    assert told.pop("salt").startswith("AAECAwQF")
    assert told == {"nirec": "1" * 13, "family_name": "Côté", "given_names": "Zoé", "birth_date": "2021-05-01"}
    assert "1" * 13 not in repr(call)


def test_an_answer_is_read_without_the_handle_that_is_ours_to_add() -> None:
    read = VERIFY.read(200, json.dumps(SAID).encode())
    assert (read.fields, read.salt) == ({"outcome": "confirmed"}, b"sel de celle qui repond")
    assert VERIFY.secret_answer


@pytest.mark.parametrize(
    "change",
    [{"outcome": "sure"}, {"handle": "0" * 64}, {"more": 1}, {"salt": 5}, {"salt": "AB=="}, {"salt": None}],
    ids=["unknown_value", "handle", "unknown_field", "salt_no_text", "salt_in_another_spelling", "salt_null"],
)
def test_an_answer_that_is_not_the_contract_s(change: dict[str, Any]) -> None:
    with pytest.raises(ValueUnfitError):
        VERIFY.read(200, json.dumps(SAID | change).encode())


def test_an_answer_of_another_status_or_no_json() -> None:
    for status, body in ((201, json.dumps(SAID)), (200, "{"), (200, '{"outcome":"confirmed"}')):
        with pytest.raises(ValueUnfitError):
            VERIFY.read(status, body.encode())


def test_a_field_that_cannot_stand_in_an_address() -> None:
    statistics = profile_operations("cooperative", CONTRACTS)["waitlist.statistics/v1"]
    with pytest.raises(Refusal):
        statistics.request({"as_of": ["2026-10-31"]}, SALT)
    assert statistics.request({"as_of": "2026-10-31", "region": None}, SALT).target.endswith("?as_of=2026-10-31")


def test_a_system_that_is_not_configured_is_unavailable() -> None:
    with pytest.raises(UpstreamRefusal) as caught:
        Absent().call(grant_of("waitlist.statistics", {}))
    assert (caught.value.code, caught.value.attempts) == (Code.UPSTREAM_UNAVAILABLE, ())


class Wire:
    """A RestClient whose upstream answers what a test makes of our own request; nothing is sent, all is vouched for."""

    def __init__(self, salt_of: Callable[[RestCall], str]) -> None:
        self._salt_of = salt_of

    def prepare(self, call: RestCall, grant: Grant) -> RestRequest:
        assert (grant.agreement, grant.purpose) == ("ENT-1", "essai")
        body = json.dumps({"outcome": "confirmed", "salt": self._salt_of(call)}).encode()
        signed = SignedRequest(call.method, call.target, {}, body, "", b"", b"")
        base = f'"@signature-params": ();nonce="{NONCE}"'.encode()
        return RestRequest(signed, RestPart(base, b"", "sig1", "", "", PROOF))

    def send(self, request: RestRequest, statuses: frozenset[int], timeout: float) -> HttpAnswer:
        assert statuses == {200}
        assert timeout > 0
        return HttpAnswer(200, {}, request.signed.body, None)

    def vouched(self, request: RestRequest, _answer: HttpAnswer, *, secret: bool) -> RestPart:
        assert secret
        return request.part


PROOF = CertificateProof("00" * 32, (), ())
NONCE = "AAECAwQFBgcICQoLDA0ODxAR"


def call(salt_of: Callable[[RestCall], str], *, fresh: bool = True) -> Code | None:
    """What an answer with this salt is refused for; None where it is taken."""
    salts = Salts(SystemRandomness(), lambda _salt: fresh)
    dialogue = RestDialogue(VERIFY, Wire(salt_of), salts)  # type: ignore[arg-type]  # it has what a dialogue needs
    system = OutsideSystem("civil-registry", {"nirec.verify/v1": dialogue}, ShiftedClock())
    try:
        reply = system.call(grant_of("nirec.verify", ASKED))
    except UpstreamRefusal as refusal:
        kept = [attempt.answer for attempt in refusal.attempts]
        return refusal.code if kept == [None] else Code.INTERNAL
    assert reply.fields == {"outcome": "confirmed"}
    return None


def ours(request: RestCall) -> str:
    return str(json.loads(request.body)["salt"])


def test_a_signed_rest_answer_with_a_sound_salt_is_taken() -> None:
    assert call(lambda _: SAID["salt"]) is None


def test_a_rest_answer_whose_salt_is_none_leaves_nothing_in_evidence() -> None:
    short = "c2VsIGNvdXJ0"
    assert call(ours) is Code.UPSTREAM_UNTRUSTED
    assert call(lambda _: NONCE) is Code.UPSTREAM_UNTRUSTED
    assert call(lambda _: short) is Code.UPSTREAM_UNTRUSTED
    assert call(lambda _: SAID["salt"], fresh=False) is Code.UPSTREAM_UNTRUSTED
