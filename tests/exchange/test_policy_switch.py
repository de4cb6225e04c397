"""Another policy comes into force while real workers serve: at once, without a restart, and no exchange is dropped."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from certs.authority import DevAuthority
from certs.files import write_public
from certs.profiles import Profile
from gateway.audit.audit import audit
from gateway.system import SystemClock
from tests.adapters.fakes import until
from tests.exchange.live import LiveGateway, Shown, workers
from tests.officers import Officers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway.client.signer import SignedRequest

#: What the decision promises, and the tests' own slack on a busy machine.
SECONDS = 1.0
SLACK = 4.0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    made = LiveGateway(tmp_path_factory.mktemp("switch"))
    made.start_sandbox()
    made.start()
    yield made
    made.close()
    verdict = audit(made.folder / "gateway" / "log", made.folder / "trust")
    assert verdict.findings == ()


@pytest.fixture
def gateway(shared: LiveGateway) -> Iterator[LiveGateway]:
    """With the first policy's agreements in force again afterwards."""
    officers = Officers(shared.folder)
    before = but_its_place(officers)
    yield shared
    if but_its_place(officers) != before:
        digest = officers.change(lambda bundle: bundle.update(before))
        assert until(lambda: policy_shown(shared) == digest, SLACK)
        assert everywhere(lambda: shared.exchange(shared.draft().signed()).status == 200)


def but_its_place(officers: Officers) -> dict[str, Any]:
    """The policy in force, without what each new one has of its own."""
    bundle = yaml.safe_load(officers.content())
    return {name: value for name, value in bundle.items() if name not in {"version", "previous"}}


def policy_shown(gateway: LiveGateway) -> str:
    """The policy that the supervisor says is in force."""
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.ports.health}/status", timeout=30) as answer:
        return str(json.load(answer)["policy"]["sha256"])


class Kept:
    """A connection that is kept open, to one worker."""

    def __init__(self, gateway: LiveGateway, tls: Path | None = None) -> None:
        context = gateway.context(tls or gateway.tls())
        self.connection = http.client.HTTPSConnection("localhost", gateway.ports.gateway, context=context, timeout=20)

    def send(self, request: SignedRequest) -> Shown:
        headers = {**request.headers, "Content-Length": str(len(request.body))}
        self.connection.request(request.method, request.target, request.body, headers)
        answer = self.connection.getresponse()
        return Shown(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())


@contextmanager
def kept(gateway: LiveGateway, count: int = 1) -> Iterator[list[Kept]]:
    made = [Kept(gateway) for _ in range(count)]
    try:
        yield made
    finally:
        for one in made:
            one.connection.close()


def suspend(bundle: dict[str, Any]) -> None:
    bundle["parties"]["ministry"]["suspended"] = True


def everywhere(condition: Callable[[], bool]) -> bool:
    """Whether it comes true in both workers: each try is a connection of its own."""
    return until(lambda: all(condition() for _ in range(8)), SECONDS + SLACK)


def code(shown: Shown) -> str:
    return "released" if shown.status == 200 else str(shown.json()["code"])


def test_a_suspended_party_is_refused_on_its_open_connection_within_a_second(gateway: LiveGateway) -> None:
    with kept(gateway, 4) as connections:
        for one in connections:
            assert one.send(gateway.draft().signed()).status == 200
            socket = one.connection.sock
        Officers(gateway.folder).change(suspend)
        for one in connections:
            assert until(lambda one=one: one.send(gateway.draft().signed()).status == 403, SECONDS + SLACK)  # type: ignore[misc]  # bound now
        request = gateway.draft().signed()
        refused = connections[-1].send(request)
        assert refused.json()["code"] == "party_suspended"
        assert gateway.verify(request, refused).ledger_leaf is not None  # signed, and recorded
        assert connections[-1].connection.sock is socket  # the connection is the one that it had
    # and the other party is served all the while
    assert gateway.exchange(gateway.draft("cooperative").signed(), gateway.tls("cooperative")).status == 200


def test_the_switch_drops_no_exchange(gateway: LiveGateway) -> None:
    stop, answers = threading.Event(), list[Shown]()

    def ask(party: str) -> None:
        one = Kept(gateway, gateway.tls(party))
        while not stop.is_set():
            request = gateway.draft(party).signed()
            shown = one.send(request)
            gateway.verify(request, shown)
            answers.append(shown)
        one.connection.close()

    callers = [threading.Thread(target=ask, args=(party,)) for party in ("ministry", "cooperative") * 2]
    for caller in callers:
        caller.start()
    officers = Officers(gateway.folder)
    for limit in (500, 400, 300):
        before = len(answers)
        digest = officers.change(lambda bundle, limit=limit: bundle["guard"].update(refusals_per_minute=limit))  # type: ignore[misc]  # bound now
        assert until(lambda: policy_shown(gateway) == digest, SLACK)  # noqa: B023  asked before the next round
        assert until(lambda: len(answers) > before + 20, 20)  # noqa: B023  the same
    stop.set()
    for caller in callers:
        caller.join(40)
        assert not caller.is_alive()
    assert {code(shown) for shown in answers} == {"released"}


def test_an_exchange_under_way_ends_under_the_policy_that_granted_it(gateway: LiveGateway) -> None:
    gateway.behave("slow", 1500)
    answers: list[Shown] = []
    request, before = gateway.verification("twin").signed(), gateway.counter()
    calling = threading.Thread(target=lambda: answers.append(gateway.exchange(request)))
    calling.start()
    assert until(lambda: gateway.counter() > before, 5)
    Officers(gateway.folder).change(suspend)
    assert until(lambda: gateway.exchange(gateway.draft().signed()).status == 403, SECONDS + SLACK)
    calling.join(40)
    gateway.behave("normal")
    assert gateway.verify(request, answers[0]).status == 200


def test_a_new_party_comes_in_with_an_authority_of_its_own_and_goes_again(gateway: LiveGateway) -> None:
    authority, host = DevAuthority("newcomer", SystemClock().now()), ["newcomer.passerelle.test"]
    signing = authority.issue(Profile.SIGNING, host)
    tls = gateway.write(authority.issue(Profile.TLS_CLIENT, host), authority)
    write_public(gateway.keys / "signers" / "newcomer.pem", signing.pem)
    write_public(gateway.folder / "trust" / "roots" / "newcomer.pem", authority.root.pem)  # the auditor heard of it too
    for kind, crl in zip(("root", "issuing"), authority.revocation_lists(), strict=True):
        write_public(gateway.keys / "revocation" / f"newcomer.{kind}.crl", crl)
    draft = gateway.draft(key=signing, agreement="ESSAI-NOUVEAU")

    def says() -> str:
        try:
            return code(gateway.exchange(draft.but().signed(), tls))
        except OSError:
            return "no handshake"

    def come_in(bundle: dict[str, Any]) -> None:
        pem = {"roots": [authority.root.pem.decode()], "intermediates": [authority.issuing.pem.decode()]}
        bundle["authorities"]["newcomer"] = pem
        party = bundle["parties"]["ministry"] | {"authority": "newcomer", "names": host}
        bundle["parties"]["newcomer"] = party
        bundle["agreements"]["ESSAI-NOUVEAU"] = bundle["agreements"]["ESSAI-MIN"] | {"party": "newcomer"}

    def go(bundle: dict[str, Any]) -> None:
        for section in ("authorities", "parties"):
            del bundle[section]["newcomer"]
        del bundle["agreements"]["ESSAI-NOUVEAU"]

    assert says() == "no handshake"
    Officers(gateway.folder).change(come_in)
    assert everywhere(lambda: says() == "released")
    Officers(gateway.folder).change(go)
    assert everywhere(lambda: says() == "party_unknown")


def test_a_field_that_the_agreement_does_not_name_any_more_is_cut_before_signing(gateway: LiveGateway) -> None:
    def without_handle(bundle: dict[str, Any]) -> None:
        bundle["agreements"]["ENT-2026-02"]["fields"] = ["outcome"]

    request = gateway.verification().signed()
    assert "handle" in gateway.exchange(request).json()
    Officers(gateway.folder).change(without_handle)
    assert everywhere(lambda: "handle" not in gateway.exchange(gateway.verification().signed()).json())
    request = gateway.verification().signed()
    shown = gateway.exchange(request)
    assert gateway.verify(request, shown).status == 200
    assert set(shown.json()) == {"outcome", "salt"}


def test_a_purpose_is_agreed_from_one_moment_to_the_next(gateway: LiveGateway) -> None:
    def ask() -> str:
        return code(gateway.exchange(gateway.draft(purpose="autre").signed()))

    assert ask() == "purpose_not_agreed"
    Officers(gateway.folder).change(lambda bundle: bundle["agreements"]["ESSAI-MIN"]["purposes"].append("autre"))
    assert everywhere(lambda: ask() == "released")


def test_a_worker_that_begins_later_begins_under_the_new_policy(gateway: LiveGateway) -> None:
    # its parent was there before the activation, and knows the former policy only
    Officers(gateway.folder).change(suspend)
    assert everywhere(lambda: gateway.exchange(gateway.draft().signed()).status == 403)
    supervisor = gateway.processes["gateway"].pid
    before = workers(supervisor)
    for pid in before:
        os.kill(pid, signal.SIGKILL)

    def ask() -> str:
        try:
            return code(gateway.exchange(gateway.draft().signed()))
        except OSError:
            return "nobody"

    said: set[str] = set()

    def all_new() -> bool:
        said.add(ask())
        return len(set(workers(supervisor)) - set(before)) >= len(before) and ask() != "nobody"

    assert until(all_new, 20)
    for _ in range(10):
        said.add(ask())
    assert said <= {"nobody", "party_suspended"}
    assert "party_suspended" in said


def test_a_budget_is_exact_over_both_workers(gateway: LiveGateway) -> None:
    """P4: twenty children tried at once over many connections; as many are answered as the policy says."""

    def few(bundle: dict[str, Any]) -> None:
        bundle["agreements"]["ENT-2026-01"]["budget"] = {"subjects": 5, "window_hours": 24}
        del bundle["agreements"]["ESSAI-COOP"]

    Officers(gateway.folder).change(few)
    tls = gateway.tls("cooperative")
    assert everywhere(lambda: code(gateway.exchange(gateway.draft("cooperative").signed(), tls)) == "not_agreed")

    def tried(number: int) -> str:
        fields = {"nirec": f"{7_000_000_000_000 + number}", "family_name": f"Fictif-{number}"}
        return code(gateway.exchange(gateway.verification(party="cooperative", **fields).signed(), tls))

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(tried, [*range(20), *range(20)]))
    assert set(codes) == {"released", "budget_spent"}
    passed = {number % 20 for number, said in enumerate(codes) if said == "released"}
    assert len(passed) == 5
    assert {number for number in range(20) if tried(number) == "released"} == passed
