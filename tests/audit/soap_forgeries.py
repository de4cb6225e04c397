"""Lies about exchanges by SOAP, told by a gateway that holds all of its keys: each by name, with its finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gateway.audit.verdict import Fault
from gateway.ledger.encoding import encode64
from gateway.signing import soap_names as n
from tests.audit.gateway_run import keystore
from tests.audit.soap_forge import SoapExchange, SoapRefusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.signed import SignedPart
    from tests.audit.bench import Bench

    Forgery = Callable[[Bench], Any]

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
UUIDS = [f"urn:uuid:0a1b2c3d-0000-4000-8000-00000000000{number}" for number in range(3)]
ORIGIN = "https://localhost:8443"


def exchange(bench: Bench) -> SoapExchange:
    return SoapExchange(bench.forger, bench.one(), "cooperative")


def refusal(bench: Bench) -> SoapRefusal:
    return SoapRefusal(bench.forger, bench.one(kind="refusal", outcome="replayed"), UUIDS[0])


def _asked(tag: str, text: str) -> Forgery:
    """The caller signed something else than evidence says."""

    def forge(bench: Bench) -> None:
        made = exchange(bench)
        made.asked.texts[tag] = text
        made.write()

    return forge


def _asked_without(tag: str) -> Forgery:
    def forge(bench: Bench) -> None:
        made = exchange(bench)
        made.asked.unsigned = frozenset({tag})
        made.write()

    return forge


def _kept(change: Callable[[SignedPart], SignedPart]) -> Forgery:
    """Evidence keeps the request otherwise than it was signed."""

    def forge(bench: Bench) -> None:
        made = exchange(bench)
        made.part = change
        made.write()

    return forge


def _evidence(change: Callable[[dict[str, Any]], Any]) -> Forgery:
    def forge(bench: Bench) -> None:
        made = exchange(bench)
        made.change = change
        made.write()

    return forge


def _said(tag: str, text: str) -> Forgery:
    """The gateway signed something else than is true."""

    def forge(bench: Bench) -> None:
        made = exchange(bench)
        made.lies = {tag: text}
        made.write()

    return forge


def _said_without(tag: str) -> Forgery:
    def forge(bench: Bench) -> None:
        made = exchange(bench)
        made.said.unsigned = frozenset({tag})
        made.write()

    return forge


def _with(change: Callable[[SoapExchange], Any]) -> Forgery:
    def forge(bench: Bench) -> None:
        made = exchange(bench)
        change(made)
        made.write()

    return forge


def _after(change: Callable[[SoapExchange], Any]) -> Forgery:
    """What the record keeps of the answer is changed."""
    return lambda bench: change(exchange(bench).write())


def _refused(change: Callable[[SoapRefusal], Any]) -> Forgery:
    def forge(bench: Bench) -> None:
        made = refusal(bench)
        change(made)
        made.write()

    return forge


def _told_twice(bench: Bench) -> None:
    first, again = exchange(bench), SoapExchange(bench.forger, bench.one(nth=1), "cooperative")
    again.asked.texts[n.MESSAGE_ID] = first.asked.texts[n.MESSAGE_ID]
    first.write()
    again.write()


def _under_a_tls_key(evidence: dict[str, Any]) -> None:
    evidence["request"]["signing"] = evidence["request"]["tls"]


def _other_digest(part: SignedPart) -> SignedPart:
    start = part.signed_info.rindex(b"<ds:DigestValue>") + len(b"<ds:DigestValue>")
    digest = encode64(bytes(32)).encode()
    return replace(part, signed_info=part.signed_info[:start] + digest + part.signed_info[start + len(digest) :])


def _in_second_form(made: SoapExchange) -> None:
    record = made.item.record
    high = ORDER - int.from_bytes(record.answer_signature[32:])
    made.item.record = replace(record, answer_signature=record.answer_signature[:32] + high.to_bytes(32))


def _base(change: Callable[[bytes], bytes]) -> Callable[[SoapExchange], Any]:
    def forge(made: SoapExchange) -> None:
        made.item.record = replace(made.item.record, answer_base=change(made.item.record.answer_base))

    return forge


def _named_in_words(made: SoapExchange) -> None:
    """The Body's Id, and with it a signature that holds."""

    def renamed(part: SignedPart) -> SignedPart:
        info = part.signed_info.replace(b'"#id-Body"', b'"#Camille Fictif"')
        return replace(part, signed_info=info, signature=made.asked.keys.sign(made.asked.key, info))

    made.part = renamed


def _answered_by_rest(bench: Bench) -> None:
    made = exchange(bench)
    base = made.item.record.answer_base
    made.write()
    made.item.record = replace(made.item.record, answer_base=base)


def _answered_by_soap(bench: Bench) -> None:
    made = exchange(bench)
    before = replace(made.item)
    made.write()
    made.item.leaf = before.leaf
    made.item.record = replace(before.record, answer_base=made.item.record.answer_base)


def _confirms(made: SoapExchange | SoapRefusal) -> None:
    made.said.confirms = bytes(64)


def _of_another(side: str, party: str) -> Callable[[SoapExchange], Any]:
    def forge(made: SoapExchange) -> None:
        getattr(made, side).keys = keystore(made.forger.gateway.party(party))

    return forge


def _at(side: str, seconds: int) -> Callable[[SoapExchange], Any]:
    def forge(made: SoapExchange) -> None:
        getattr(made, side).at += timedelta(seconds=seconds)

    return forge


def _repeats_words(made: SoapRefusal) -> None:
    made.nonce = None
    made.lies = {n.RELATES_TO: "Camille Fictif"}


FORGERIES: dict[str, tuple[Fault, Forgery]] = {
    "to_another_service": (Fault.REQUEST_DIFFERS, _asked(n.TO, f"{ORIGIN}/soap/nirec/v1")),
    "to_another_version": (Fault.REQUEST_DIFFERS, _asked(n.TO, f"{ORIGIN}/soap/echo/v2")),
    "to_a_read": (Fault.REQUEST_DIFFERS, _asked(n.TO, f"{ORIGIN}/soap/echo/v1?wsdl")),
    "to_plain_http": (Fault.REQUEST_DIFFERS, _asked(n.TO, "http://localhost:8443/soap/echo/v1")),
    "another_action": (Fault.REQUEST_DIFFERS, _asked(n.ACTION, "urn:passerelle:nirec:v1/NirecVerify")),
    "another_agreement": (Fault.REQUEST_DIFFERS, _asked(n.AGREEMENT, "ENT-2026-02")),
    "another_purpose": (Fault.REQUEST_DIFFERS, _asked(n.PURPOSE, "autre")),
    "to_not_signed": (Fault.REQUEST_NOT_COVERED, _asked_without(n.TO)),
    "action_not_signed": (Fault.REQUEST_NOT_COVERED, _asked_without(n.ACTION)),
    "message_id_not_signed": (Fault.REQUEST_NOT_COVERED, _asked_without(n.MESSAGE_ID)),
    "agreement_not_signed": (Fault.REQUEST_NOT_COVERED, _asked_without(n.AGREEMENT)),
    "purpose_not_signed": (Fault.REQUEST_NOT_COVERED, _asked_without(n.PURPOSE)),
    # it would be in the ledger for ever (C4)
    "words_of_its_own_signed": (Fault.REQUEST_NOT_COVERED, _asked("{urn:test}Nom", "Camille Fictif")),
    "words_beside_the_action": (
        Fault.REQUEST_MALFORMED,
        _with(lambda made: made.asked.notes.update({n.ACTION: "Camille Fictif"})),
    ),
    "words_as_the_body_s_id": (Fault.REQUEST_MALFORMED, _with(_named_in_words)),
    "words_as_message_id": (Fault.REQUEST_MALFORMED, _asked(n.MESSAGE_ID, "Camille Fictif")),
    "half_a_message_id": (Fault.REQUEST_MALFORMED, _asked(n.MESSAGE_ID, "urn:uuid:0a1b2c3d")),
    "an_address_as_message_id": (Fault.REQUEST_MALFORMED, _asked(n.MESSAGE_ID, "https://example.test/1")),
    "signed_by_another_party": (Fault.REQUEST_SIGNATURE_INVALID, _with(_of_another("asked", "ministry"))),
    "signed_by_a_tls_key": (Fault.CERTIFICATE_OF_OTHER_USE, _evidence(_under_a_tls_key)),
    "signed_long_before": (Fault.TIME_DIFFERS, _with(_at("asked", -180))),
    "signed_long_after": (Fault.TIME_DIFFERS, _with(_at("asked", 120))),
    "told_twice": (Fault.REPLAYED, _told_twice),
    "another_algorithm": (
        Fault.REQUEST_DIFFERS,
        _evidence(lambda evidence: evidence["request"].update(algorithm="rsa-v1_5-sha256")),
    ),
    "a_block_dropped": (
        Fault.REQUEST_MALFORMED,
        _kept(lambda part: replace(part, headers=dict(list(part.headers.items())[1:]))),
    ),
    "a_block_added": (
        Fault.REQUEST_MALFORMED,
        _kept(lambda part: replace(part, headers={**part.headers, "id-x": b"<x></x>"})),
    ),
    "a_block_changed": (
        Fault.REQUEST_SIGNATURE_INVALID,
        _kept(lambda part: replace(part, headers={k: v.replace(b"8443", b"8444") for k, v in part.headers.items()})),
    ),
    "signed_info_that_is_none": (
        Fault.REQUEST_MALFORMED,
        _kept(lambda part: replace(part, signed_info=part.signed_info.replace(b"ds:Reference", b"ds:reference"))),
    ),
    "another_digest": (Fault.REQUEST_SIGNATURE_INVALID, _kept(_other_digest)),
    "another_signature": (
        Fault.REQUEST_SIGNATURE_INVALID,
        _kept(lambda part: replace(part, signature=part.signature[::-1])),
    ),
    "a_signature_of_nothing": (Fault.REQUEST_SIGNATURE_INVALID, _kept(lambda part: replace(part, signature=bytes(64)))),
    "form_rest": (Fault.EVIDENCE_MALFORMED, _evidence(lambda evidence: evidence["request"].update(form="rest"))),
    "form_null": (Fault.EVIDENCE_MALFORMED, _evidence(lambda evidence: evidence["request"].update(form=None))),
    "answer_of_another_exchange": (
        Fault.ANSWER_DIFFERS,
        _said(n.EXCHANGE_ID, "11111111-1111-4111-8111-111111111111"),
    ),
    "answer_of_another_leaf": (Fault.ANSWER_DIFFERS, _said(n.LEDGER_LEAF, encode64(bytes(32)))),
    "answer_promised_for_the_past": (Fault.ANSWER_DIFFERS, _said(n.LEDGER_BY, "2020-01-01T00:00:00Z")),
    "answer_to_another": (Fault.ANSWER_DIFFERS, _said(n.RELATES_TO, UUIDS[1])),
    "answer_told_as_a_fault": (Fault.ANSWER_DIFFERS, _said(n.ACTION, n.FAULT_ACTION)),
    "answer_of_another_operation": (
        Fault.ANSWER_DIFFERS,
        _said(n.ACTION, "urn:passerelle:nirec:v1/NirecVerifyResponse"),
    ),
    "answer_that_confirms_another": (Fault.ANSWER_DIFFERS, _with(_confirms)),
    "answer_with_another_body": (
        Fault.ANSWER_DIFFERS,
        _with(lambda made: setattr(made, "told", f"sha-256=:{encode64(bytes(32))}:")),
    ),
    "answer_s_action_not_signed": (Fault.ANSWER_NOT_COVERED, _said_without(n.ACTION)),
    "answer_s_message_id_not_signed": (Fault.ANSWER_NOT_COVERED, _said_without(n.MESSAGE_ID)),
    "answer_s_relates_to_not_signed": (Fault.ANSWER_NOT_COVERED, _said_without(n.RELATES_TO)),
    "answer_s_exchange_id_not_signed": (Fault.ANSWER_NOT_COVERED, _said_without(n.EXCHANGE_ID)),
    "answer_s_leaf_not_signed": (Fault.ANSWER_NOT_COVERED, _said_without(n.LEDGER_LEAF)),
    "answer_s_promise_not_signed": (Fault.ANSWER_NOT_COVERED, _said_without(n.LEDGER_BY)),
    "answer_that_signs_more": (
        Fault.ANSWER_NOT_COVERED,
        _with(lambda made: made.said.texts.update({f"{{{n.EXCHANGE}}}Nirec": "1" * 13})),
    ),
    "answer_not_signed_by_us": (Fault.ANSWER_SIGNATURE_INVALID, _with(_of_another("said", "cooperative"))),
    "answer_s_signature_in_its_second_form": (Fault.ANSWER_SIGNATURE_INVALID, _after(_in_second_form)),
    "answer_signed_at_another_time": (Fault.TIME_DIFFERS, _with(_at("said", 62))),
    "answer_base_with_a_space": (Fault.ANSWER_MALFORMED, _after(_base(lambda base: base.replace(b",", b", ", 1)))),
    "answer_base_cut": (Fault.ANSWER_MALFORMED, _after(_base(lambda base: base[:-1]))),
    "answer_base_with_more": (
        Fault.ANSWER_MALFORMED,
        _after(_base(lambda base: base.replace(b'{"headers":', b'{"extra":0,"headers":'))),
    ),
    "answer_base_of_nothing": (Fault.ANSWER_MALFORMED, _after(_base(lambda _: b'{"headers":{},"signed_info":""}'))),
    "answered_by_rest": (Fault.ANSWER_MALFORMED, _answered_by_rest),
    "answered_by_soap": (Fault.ANSWER_MALFORMED, _answered_by_soap),
    # C6: a confirmation is a signature, and a digest of what could not be vouched for stands behind it
    "refusal_that_confirms": (Fault.ANSWER_NOT_COVERED, _refused(_confirms)),
    "refusal_to_another": (
        Fault.ANSWER_DIFFERS,
        _refused(lambda made: made.lies.update({n.RELATES_TO: UUIDS[1]})),
    ),
    "refusal_that_repeats_words": (Fault.ANSWER_NOT_COVERED, _refused(_repeats_words)),
    "refusal_that_keeps_more": (
        Fault.EVIDENCE_MALFORMED,
        _refused(lambda made: setattr(made, "change", lambda evidence: evidence.update(request={"form": "soap11"}))),
    ),
    "refusal_told_under_an_operation_s_name": (
        Fault.ANSWER_DIFFERS,
        _refused(lambda made: made.lies.update({n.ACTION: "urn:passerelle:echo:v1/EchoResponse"})),
    ),
}
