"""Changes that an attacker with every key of the gateway makes to a log, each of which both verifiers must see."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gateway.audit.request_check import keyid_of
from gateway.ledger.encoding import canonical_json, encode64, timestamp
from tests.audit.bench import rebase

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.audit.bench import Bench
    from tests.audit.forge import Item

    Forgery = Callable[[Bench], Any]

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ELSEWHERE = "11111111-1111-4111-8111-111111111111"


def _of(bench: Bench, kind: str) -> Item:
    return [item for item in bench.items if item.leaf.kind == kind][-1]


def _said(kind: str = "exchange", operation: str = "echo", outcome: str = "released", **members: Any) -> Forgery:
    """Evidence that says something else, all that hangs on it signed again."""
    return lambda bench: bench.forger.change(
        bench.one(operation, kind, outcome), lambda evidence: evidence.update(members)
    )


def _inside(name: str, **members: Any) -> Forgery:
    return lambda bench: bench.forger.change(bench.one(), lambda evidence: evidence[name].update(members))


def _unsigned(change: Callable[[dict[str, Any]], Any]) -> Forgery:
    """Evidence of another form; no answer is signed again, since none could be."""

    def forge(bench: Bench) -> None:
        item = bench.one()
        evidence = item.evidence
        change(evidence)
        item.record = replace(item.record, answer_base=b"")
        bench.forger.rebind(item, canonical_json(evidence))

    return forge


def _answer(name: str, value: str | None) -> Forgery:
    def change(values: dict[str, str]) -> None:
        if value is None:
            del values[name]
        else:
            values[name] = value

    return lambda bench: bench.forger.answer(bench.one(), change)


def _parameters(old: str, new: str) -> Forgery:
    return lambda bench: bench.forger.answer(bench.one(), parameters=lambda text: text.replace(old, new))


def _request(old: str, new: str, party: str = "cooperative") -> Forgery:
    return lambda bench: bench.forger.request(bench.one(), party, rebase(old, new))


def _leaf(**members: Any) -> Forgery:
    def forge(bench: Bench) -> None:
        bench.one().leaf = replace(bench.one().leaf, **members)

    return forge


def _upstream(change: Callable[[dict[str, Any], dict[str, Any]], Any], kind: str = "exchange") -> Forgery:
    """A change of an attempt, given another exchange's attempt too."""
    outcome = "released" if kind == "exchange" else "upstream_timeout"

    def forge(bench: Bench) -> None:
        other = bench.one("nirec.verify", nth=1).evidence["upstream"][0]
        item = bench.one("nirec.verify", kind, outcome)
        bench.forger.change(item, lambda evidence: change(evidence["upstream"][0], other))

    return forge


def _early(change: Callable[[dict[str, str]], Any]) -> Forgery:
    return lambda bench: bench.forger.answer(bench.one(kind="refusal", outcome="replayed"), change)


def _plain(kind: str, **members: Any) -> Forgery:
    return lambda bench: bench.forger.change(_of(bench, kind), lambda evidence: evidence.update(members))


def _received(bench: Bench) -> None:
    item = bench.one()
    later = timestamp(item.leaf.time + timedelta(days=1))
    bench.forger.change(item, lambda evidence: evidence.update(received_at=later))


def _swap_answers(bench: Bench) -> None:
    item, other = bench.one().record, bench.one(nth=1).record
    bench.one().record = replace(item, answer_base=other.answer_base, answer_signature=other.answer_signature)


def _high_s(bench: Bench) -> None:
    item = bench.one()
    value = item.record.answer_signature
    high = (_ORDER - int.from_bytes(value[32:])).to_bytes(32)
    item.record = replace(item.record, answer_signature=value[:32] + high)


def _by_tls_key(bench: Bench) -> None:
    def change(evidence: dict[str, Any]) -> None:
        request = evidence["request"]
        keyids = [keyid_of(request[name]["sha256"]) for name in ("signing", "tls")]
        request |= {name: request[name].replace(*keyids) for name in ("base", "parameters")}
        request["signing"] = request["tls"]

    bench.forger.request(bench.one(), "cooperative", change, key="tls")


def _told_twice(bench: Bench) -> None:
    first = bench.one().evidence["request"]
    bench.forger.change(bench.one(nth=1), lambda evidence: evidence.update(request=first))


def _repeated(bench: Bench) -> None:
    bench.items.append(bench.items[5])


def _repeated_id(bench: Bench) -> None:
    bench.forger.void(bench.items)
    last = bench.items[-1]
    last.leaf = replace(last.leaf, exchange_id=bench.items[-2].leaf.exchange_id)


def _inserted(bench: Bench) -> None:
    closing = _of(bench, "closing")
    fresh = replace(closing.leaf, exchange_id=bench.items[0].leaf.writer, counter=40)
    bench.items.insert(4, replace(closing, leaf=fresh))


def _genesis_moved(bench: Bench) -> None:
    bench.items[0], bench.items[1] = bench.items[1], bench.items[0]


def _opening_gone(bench: Bench) -> None:
    bench.items = [item for item in bench.items if item.leaf.kind != "opening"]


def _answer_to_nobody(bench: Bench) -> None:
    closing = _of(bench, "closing")
    closing.record = replace(closing.record, answer_base=b"x")


def _stored(stored: bytes) -> Forgery:
    def forge(bench: Bench) -> None:
        bench.one().stored = stored

    return forge


def _evidence(evidence: bytes) -> Forgery:
    def forge(bench: Bench) -> None:
        item = bench.one()
        item.record = replace(item.record, answer_base=b"")
        bench.forger.rebind(item, evidence)

    return forge


def _tls_of(name: str) -> Forgery:
    """The caller's TLS certificate replaced: by another party's, or by its signing certificate."""

    def change(bench: Bench) -> None:
        other = bench.one("nirec.verify" if name == "tls" else "echo").evidence["request"][name]
        bench.forger.change(bench.one(), lambda evidence: evidence["request"].update(tls=other))

    return change


FORGERIES: dict[str, Forgery] = {
    "entry_dropped": lambda bench: bench.items.remove(bench.one()),
    "entry_repeated": _repeated,
    "entry_inserted": _inserted,
    "genesis_moved": _genesis_moved,
    "opening_gone": _opening_gone,
    "exchange_id_repeated": _repeated_id,
    "kind_unknown_to_both": lambda bench: bench.append("destruction"),
    "void_of_another_counter": lambda bench: bench.forger.void(bench.items, counter=0),
    "leaf_of_another_kind": _leaf(kind="refusal"),
    "leaf_of_another_counter": _leaf(counter=99),
    "leaf_binding_nothing": _leaf(binding=bytes(32)),
    "record_gone": _stored(b""),
    "record_junk": _stored(bytes(600)),
    "evidence_junk": _evidence(b"junk"),
    "evidence_empty": _evidence(b"{}"),
    "evidence_not_utf8": _evidence(b"\xff"),
    "evidence_with_a_member_more": _unsigned(lambda evidence: evidence.update(extra=1)),
    "evidence_with_a_member_less": _unsigned(lambda evidence: evidence.pop("subjects")),
    "evidence_of_another_version": _unsigned(lambda evidence: evidence.update(v=2)),
    "evidence_base64_not_canonical": _unsigned(lambda evidence: evidence["request"].update(signature="AB==")),
    "evidence_time_without_fraction": _unsigned(lambda evidence: evidence.update(received_at="2026-11-22T00:00:00Z")),
    "answer_to_nobody": _answer_to_nobody,
    "genesis_of_another_key": lambda bench: bench.forger.change(bench.items[0], lambda one: one.update(log_key="x")),
    "genesis_of_another_policy": lambda bench: bench.forger.change(bench.items[0], lambda one: one.update(policy="0")),
    "opening_of_another_writer": _plain("opening", writer=ELSEWHERE),
    "opening_to_another_period_key": _plain("opening", period_key="0" * 64),
    "opening_with_another_data_key": _plain("opening", sealed_data_key=encode64(bytes(1168))),
    "closing_of_nobody": _plain("closing", writer=ELSEWHERE),
    "closing_too_high": _plain("closing", highest=99),
    "closing_that_misses_what_is_there": _plain("closing", missing=[0]),
    "exchange_not_released": lambda bench: bench.forger.change(
        bench.one(), lambda evidence: evidence.update(outcome="internal")
    ),
    "exchange_with_the_status_of_an_error": _inside("answer", status=403),
    "refusal_with_the_status_of_an_answer": lambda bench: bench.forger.change(
        bench.one(kind="refusal", outcome="not_agreed"), lambda evidence: evidence["answer"].update(status=200)
    ),
    "early_refusal_that_keeps_a_digest": _said("refusal", outcome="replayed", content_digest="x"),
    "early_refusal_of_another_nonce": _said("refusal", outcome="replayed", nonce="A" * 24),
    "early_answer_that_covers_a_digest": _early(lambda values: values.update({'"content-digest";req': "sha-256=:AA:"})),
    "received_on_another_day": _received,
    "of_a_version_that_is_no_number": _said(v=True),
    "of_a_version_in_another_spelling": _said(v=1.0),
    "under_another_policy": _said(policy="0" * 64),
    "under_another_agreement_than_signed": _said(agreement="ESSAI-MIN"),
    "for_another_purpose_than_signed": _said(purpose="autre"),
    "by_another_gateway": _inside("parties", gateway="ministry"),
    "by_another_caller": _inside("parties", caller="ministry"),
    "of_no_contract": _inside("contract", sha256="0" * 64),
    "request_that_nobody_signed": lambda bench: bench.forger.change(
        bench.one(), rebase("https://localhost:8443", "https://elsewhere:8443")
    ),
    "request_signed_by_another_party": lambda bench: bench.forger.request(bench.one(), "ministry", lambda _: None),
    "request_signed_by_a_tls_key": _by_tls_key,
    "request_of_another_digest": _inside("request", content_digest=f"sha-256=:{encode64(bytes(32))}:"),
    "request_of_another_label": _inside("request", label="a=1, b"),
    "request_of_another_algorithm": _inside("request", algorithm="ed25519"),
    "request_told_twice": _told_twice,
    "request_expired": _request(";nonce=", ";expires=1;nonce="),
    "request_created_long_before": _request("created=17", "created=16"),
    "request_without_its_tag": _request(';tag="passerelle"', ""),
    "tls_certificate_of_another_party": _tls_of("tls"),
    "signing_certificate_for_tls": _tls_of("signing"),
    "chain_missing": lambda bench: bench.forger.change(
        bench.one(), lambda evidence: evidence["answer"]["signing"].update(chain=[])
    ),
    "revocation_lists_missing": lambda bench: bench.forger.change(
        bench.one(), lambda evidence: evidence["request"]["tls"].update(revocation=[])
    ),
    "answer_without_its_status": _answer('"@status"', None),
    "answer_without_its_leaf": _answer('"ledger-leaf"', None),
    "answer_without_its_promise": _answer('"ledger-by"', None),
    "answer_without_the_request_s_signature": _answer('"signature";req;key="sig1"', None),
    "answer_of_another_leaf": _answer('"ledger-leaf"', encode64(bytes(32))),
    "answer_of_another_status": _answer('"@status"', "201"),
    "answer_of_another_exchange": _answer('"exchange-id"', ELSEWHERE),
    "answer_that_promises_the_past": _answer('"ledger-by"', "2020-01-01T00:00:00Z"),
    "answer_to_another_target": _answer('"@target-uri";req', "https://localhost:8443/v1/other"),
    "answer_swapped": _swap_answers,
    "answer_with_a_high_s": _high_s,
    "answer_by_another_key": _parameters('keyid="', 'keyid="x'),
    "answer_for_another_use": _parameters('tag="passerelle"', 'tag="other"'),
    "answer_with_a_parameter_more": _parameters(";created=", ";expires=1;created="),
    "answer_of_another_time": _parameters(";created=17", ";created=16"),
    "fields_told_twice": _said(fields=["message", "message"]),
    "released_without_the_upstream_s_answer": _said("exchange", "nirec.verify", upstream=[]),
    "upstream_asked_years_before": _upstream(lambda mine, _: mine.update(at="2020-01-01T00:00:00.000000Z")),
    "upstream_never_asked_by_us": _upstream(lambda mine, other: mine.update(request=other["answer"])),
    "upstream_s_answer_to_another": _upstream(lambda mine, other: mine.update(answer=other["answer"])),
    "upstream_s_answer_signed_by_us": _upstream(
        lambda mine, _: mine["answer"].update(signing=mine["request"]["signing"])
    ),
    "upstream_s_answer_told_as_one_of_who_signs_not": _upstream(
        lambda mine, _: mine.update(answer={"form": "tls", "content_digest": None, "tls": mine["answer"]["signing"]})
    ),
    "upstream_s_header_changed": _upstream(
        lambda mine, _: mine["answer"]["headers"].update({"id-Action": mine["answer"]["headers"]["id-MessageID"]})
    ),
    "upstream_s_message_told_twice": _upstream(
        lambda mine, other: mine.update(request=other["request"], answer=other["answer"])
    ),
    "upstream_s_silence_told_as_an_answer": _upstream(lambda mine, _: mine.update(outcome="answered"), "refusal"),
    "upstream_s_answer_told_as_silence": _upstream(lambda mine, _: mine.update(outcome="upstream_timeout")),
}
