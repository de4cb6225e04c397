"""Effects in evidence: what was intended, what became of it, and what an auditor says of one that nobody knows."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from adapters.cooperative.sandbox.answering import answered
from adapters.cooperative.sandbox.changing import Registrar
from adapters.cooperative.sandbox.storage import Registry
from adapters.sandboxing.messages import Call
from gateway.audit.audit import audit
from gateway.audit.effects import exchange_row, intent_row, judge_effects
from gateway.audit.verdict import Fault, Unproven
from gateway.effects.storage import DatabaseEffects
from gateway.ledger.encoding import canonical_json
from gateway.storage import open_database
from tests.audit.bench import Bench
from tests.audit.forge import Forger
from tests.audit.kept_by_both import KeepingGateway
from tests.signing.drafts import fresh_salt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from adapters.mapping.rest_call import RestCall
    from gateway.model import Released
    from tests.audit.forge import Item

CREATE, CHANGE = "registration.create", "registration.change"
NOTHING = "0" * 64
CHILD: dict[str, Any] = {
    "family_name": "Tremblay",
    "expected_date": "2027-03-01",
    "region": "06",
    "desired_on": "2027-09-01",
    "service_wanted": "cpe",
    "service_held": "none",
    "parents": [{"family_name": "Gagnon", "given_names": "Marie-Ève", "phone": "418-555-0100"}],
}


class KilledError(BaseException):
    """The process ends here: nothing of ours catches it."""


class Town:
    """A gateway in this process over the cooperative's registry, whose answers may be lost, or come too late for it."""

    def __init__(self, folder: Path) -> None:
        self.gateway = gateway = KeepingGateway(folder / "gateway")
        self.log, self.trust = gateway.settings.folders.log, gateway.folder / "trust"
        self.registry = Registry(f"sqlite:///{gateway.folder / 'sandbox' / 'cooperative' / 'registrations.sqlite'}")
        self.registrar = Registrar(self.registry, b"of states", gateway.clock.now)
        self.killed = False
        gateway.counting.says = self.says
        self.handle = self.ask("/v1/subjects", {"reference": "dossier 9"}, "ENT-2026-06", "admissibilite")["handle"]
        self.before = self.registry.count()
        self.keys = [str(uuid4()) for _ in range(5)]
        gateway.counting.lost = True
        self.lost = self.create(self.keys[0])
        gateway.counting.lost = False
        self.repeated = self.create(self.keys[0])
        self.other = self.create(self.keys[0], region="03")
        self.twice = self.create(self.keys[1])
        self.killed = True
        with pytest.raises(KilledError):
            self.change(self.keys[2], self.repeated["state_after"])
        self.killed = False
        self.stale = self.change(self.keys[3], self.repeated["state_after"])
        self.missing = self.ask(
            f"/v1/registrations/{self.handle}/changes", {"if_state": NOTHING}, "ENT-2026-13", key=""
        )
        gateway.worker.close()
        gateway.sequence()
        gateway.sequence()

    def says(self, call: RestCall) -> bytes:
        key = self.gateway.counting.key
        asked = Call(call.method, call.target, call.body, key=key)
        said = answered(asked, self.registry, self.registrar, self.gateway.clock.now())
        if self.killed:
            raise KilledError
        return json.dumps(said).encode()

    def ask(
        self, target: str, fields: dict[str, Any], agreement: str, purpose: str = "inscription", key: str | None = None
    ) -> dict[str, Any]:
        said = {**fields, "salt": fresh_salt()}
        known = str(uuid4()) if key is None else key or None
        request = self.gateway.sign("ministry", target, said, agreement=agreement, purpose=purpose, key=known)
        released: Released = self.gateway.send("ministry", request)
        answer: dict[str, Any] = json.loads(released.body)
        return answer | {"status": released.status}

    def create(self, key: str, **instead: str) -> dict[str, Any]:
        return self.ask("/v1/registrations", {"handle": self.handle, **CHILD, **instead}, "ENT-2026-12", key=key)

    def change(self, key: str, state: str) -> dict[str, Any]:
        fields = {"if_state": state, "region": "03"}
        return self.ask(f"/v1/registrations/{self.handle}/changes", fields, "ENT-2026-13", key=key)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town"))


@pytest.fixture
def bench(town: Town, tmp_path: Path) -> Bench:
    shutil.copytree(town.trust, tmp_path / "trust")
    return Bench(Forger(town.gateway), tmp_path / "forged", tmp_path / "trust")


def test_an_answer_that_was_lost_is_given_again_and_the_effect_happened_once(town: Town) -> None:
    assert (town.lost["status"], town.lost["code"]) == (503, "upstream_timeout")
    assert (town.repeated["outcome"], town.repeated["state_before"]) == ("registered", NOTHING)
    assert town.registry.count() == town.before + 1
    assert (town.other["status"], town.other["code"]) == (409, "idempotency_conflict")
    assert (town.twice["status"], town.twice["code"]) == (409, "already_registered")
    assert (town.stale["status"], town.stale["code"]) == (409, "state_changed")
    assert (town.missing["status"], town.missing["code"]) == (400, "idempotency_key_missing")


def test_the_log_holds_and_says_of_which_effect_nobody_knows(town: Town) -> None:
    verdict = audit(town.log, town.trust)
    assert verdict.findings == ()
    assert Unproven.EFFECTS_UNSETTLED in verdict.unproven
    database = open_database(town.gateway.composition.url, durable=True)
    unsettled = DatabaseEffects(database).unsettled()
    database.dispose()
    # the one whose process ended; what was repeated is known, and so is what was refused
    assert [one.exchange_id for one in verdict.facts.unsettled] == [str(one.exchange_id) for one in unsettled]
    assert len(unsettled) == 1


def test_evidence_has_the_states_and_no_key_of_the_caller_s(bench: Bench, town: Town) -> None:
    intent, exchange = bench.one(CREATE, "intent"), bench.one(CREATE)
    assert exchange.evidence["effect"] == {
        "key": intent.evidence["effect"]["key"], "before": NOTHING, "after": town.repeated["state_after"],
    }  # fmt: skip
    asked = exchange.evidence["upstream"][0]["request"]["base"]
    assert town.keys[0] not in asked
    assert '"idempotency-key": ' in asked


def _void(bench: Bench, item: Item) -> None:
    """As though the intent had never been written."""
    evidence = {"v": 1, "kind": "void", "writer": str(item.leaf.writer), "reason": "abandoned"}
    leaf = item.leaf.__class__("void", uuid4(), item.leaf.writer, item.leaf.counter, item.leaf.time, b"")
    item.leaf = leaf
    bench.forger.rebind(item, canonical_json(evidence | {"counter": leaf.counter}))


def _changed(kind: str, change: Callable[[dict[str, Any]], Any]) -> Callable[[Bench], None]:
    def spoil(bench: Bench) -> None:
        bench.forger.change(bench.one(CREATE, kind), change)

    return spoil


def _unkeyed(bench: Bench) -> None:
    """The caller colludes: its request has no key, and its answer repeats what it signed."""

    def change(said: dict[str, Any]) -> None:
        request = said["request"]
        line = next(one for one in request["base"].splitlines() if one.startswith('"idempotency-key"'))
        request["base"] = request["base"].replace(f"{line}\n", "").replace(' "idempotency-key"', "")
        request["parameters"] = request["parameters"].replace(' "idempotency-key"', "")

    bench.forger.request(bench.one(CREATE), "ministry", change)


def _key_first(said: dict[str, Any]) -> None:
    """The caller covers the same, its key before all else."""
    request = said["request"]
    line = next(one for one in request["base"].splitlines() if one.startswith('"idempotency-key"'))
    for name in ("base", "parameters"):
        request[name] = request[name].replace(' "idempotency-key"', "").replace('("', '("idempotency-key" "', 1)
    request["base"] = f"{line}\n" + request["base"].replace(f"{line}\n", "", 1)


def _rekeyed(bench: Bench) -> None:
    """The registry was asked again under another key: a second effect."""
    item = bench.one(CREATE)

    def change(said: dict[str, Any]) -> None:
        first = said["upstream"][0]
        lines = first["request"]["base"].splitlines()
        key = next(line for line in lines if line.startswith('"idempotency-key"'))
        other = dict(first["request"], base=first["request"]["base"].replace(key, f'"idempotency-key": {uuid4()}'))
        said["upstream"].insert(0, first | {"request": other, "answer": None, "outcome": "upstream_timeout"})

    bench.forger.change(item, change)


#: Each spoils the log in one way, and what an audit finds then.
_SPOILED: dict[str, tuple[Callable[[Bench], None], set[Fault]]] = {
    "an_effect_without_intent": (
        lambda bench: _void(bench, bench.one(CREATE, "intent", nth=1)), {Fault.INTENT_MISSING},
    ),
    "a_lost_answer_without_intent": (
        lambda bench: _void(bench, bench.one(CREATE, "intent")), {Fault.INTENT_MISSING},
    ),
    "an_intent_of_another_key": (
        _changed("intent", lambda said: said["effect"].update(key="1" * 64)), {Fault.INTENT_MISSING},
    ),
    "an_intent_of_another_agreement": (
        _changed("intent", lambda said: said.update(agreement="ENT-2026-13")),
        {Fault.REQUEST_DIFFERS, Fault.INTENT_MISSING},
    ),
    "an_intent_of_another_operation": (
        _changed("intent", lambda said: said.update(operation=CHANGE)), {Fault.REQUEST_DIFFERS, Fault.INTENT_MISSING},
    ),
    "an_intent_of_an_operation_without_effect": (
        _changed("intent", lambda said: said.update(operation="registration.get")),
        {Fault.CONTRACT_DIFFERS, Fault.INTENT_MISSING},
    ),
    "an_intent_of_an_effect_elsewhere": (
        _changed("intent", lambda said: said["parties"].update(upstream="civil-registry")),
        {Fault.CONTRACT_DIFFERS, Fault.INTENT_MISSING},
    ),
    "an_intent_under_another_policy": (
        _changed("intent", lambda said: said.update(policy="1" * 64)), {Fault.POLICY_DIFFERS, Fault.INTENT_MISSING},
    ),
    "an_intent_with_more_in_it": (
        _changed("intent", lambda said: said.update(note="Tremblay")), {Fault.EVIDENCE_MALFORMED, Fault.INTENT_MISSING},
    ),
    "an_intent_of_another_exchange": (
        _changed("intent", lambda said: said.update(exchange_id=str(uuid4()))),
        {Fault.EVIDENCE_DIFFERS, Fault.INTENT_MISSING},
    ),
    "an_exchange_without_effect": (_changed("exchange", lambda said: said.pop("effect")), {Fault.EFFECT_DIFFERS}),
    "an_exchange_without_its_states": (
        _changed("exchange", lambda said: said["effect"].pop("after")), {Fault.EFFECT_DIFFERS},
    ),
    "a_request_without_a_key": (_unkeyed, {Fault.EFFECT_DIFFERS}),
}  # fmt: skip


@pytest.mark.parametrize("case", _SPOILED)
def test_what_an_auditor_finds(bench: Bench, case: str) -> None:
    assert bench.faults() == set()
    spoil, faults = _SPOILED[case]
    spoil(bench)
    assert bench.faults() == faults


def test_the_key_may_stand_anywhere_in_what_the_caller_signed(bench: Bench) -> None:
    item = bench.one(CREATE)
    bench.forger.request(item, "ministry", _key_first)
    assert item.evidence["request"]["base"].startswith('"idempotency-key": ')
    # its intent is that of the request before: of the key nothing is found
    assert bench.faults() == {Fault.INTENT_MISSING}


def _judged(*rows: tuple[str, str]) -> list[str]:
    """Of which exchanges nobody knows, in a log of intents, answers and refusals under one key."""

    def row(index: int, what: str, exchange_id: str) -> bytes:
        said: Any = SimpleNamespace(
            kind="exchange" if what == "answered" else "refusal",
            effect=SimpleNamespace(key="1" * 64),
            exchange_id=exchange_id,
            request=SimpleNamespace(signature=exchange_id.encode()),
            upstream=("attempt",) if what == "lost" else (),
            outcome="internal" if what == "fault" else "upstream_timeout",
        )
        operation: Any = SimpleNamespace(reduction=None)
        return intent_row(index, said) if what == "intent" else exchange_row(index, said, operation)

    part = b"".join(row(index, *said) for index, said in enumerate(rows))
    judged = judge_effects([part], frozenset())
    assert judged.problems == []
    return [one.exchange_id for one in judged.unsettled]


def test_an_answer_tells_of_what_was_asked_for_by_then() -> None:
    lost, again, later = (str(uuid4()) for _ in range(3))
    asked = [("intent", lost), ("lost", lost), ("intent", again)]
    assert _judged(*asked) == [lost, again]
    assert _judged(*asked, ("not asked", again)) == [lost]
    assert _judged(*asked, ("fault", again)) == [lost, again]
    assert _judged(*asked, ("answered", again)) == []
    # a key that comes again is not known by what was said before
    assert _judged(*asked, ("answered", again), ("intent", later)) == [later]


def test_an_effect_that_was_asked_for_under_two_keys(bench: Bench) -> None:
    _rekeyed(bench)
    # its signature is the other key's too: what is found first is that
    assert bench.faults() & {Fault.EFFECT_DIFFERS, Fault.UPSTREAM_SIGNATURE_INVALID}
