"""Revocation data of a running gateway: fetched by a process apart, in force within seconds, accepted just stale."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from certs.authority import DevAuthority
from certs.files import write_public
from certs.profiles import Profile
from gateway.keys.make import handle_key, make_mac_key
from gateway.system import SystemClock, SystemRandomness
from tests.adapters.fakes import until
from tests.certs.test_fetch import serving
from tests.exchange.live import KeptDevelopment, LiveGateway

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from certs.authority import Issued
    from tests.certs.test_fetch import Handler
    from tests.exchange.live import Shown

NOW = SystemClock().now
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PATIENT, PUBLISHED = "patient", "published"
_GRACE_HOURS = 6


class Development(KeptDevelopment):
    """Two more parties: one whose lists went stale an hour ago, one whose authority publishes its lists."""

    address = ""
    leaves: Mapping[str, Issued]
    more: Mapping[str, DevAuthority]

    def _policy(self, authorities: Mapping[str, DevAuthority]) -> None:
        super()._policy(authorities)
        now, keys = NOW(), self._folder / "gateway" / "keys"
        self.more = {
            PATIENT: DevAuthority(PATIENT, now),
            PUBLISHED: DevAuthority(PUBLISHED, now, publishes=self.address),
        }
        self.leaves = {
            name: item.issue(Profile.TLS_CLIENT, [f"{name}.passerelle.test"]) for name, item in self.more.items()
        }
        path = self._folder / "gateway" / "policy.yaml"
        policy = yaml.safe_load(path.read_text())
        policy["guard"]["revocation_grace_hours"] = _GRACE_HOURS
        for name, item in self.more.items():
            policy["authorities"][name] = {
                "roots": [item.root.pem.decode()],
                "intermediates": [item.issuing.pem.decode()],
            }
            party = {"title": {"fr": name, "en": name}, "role": "ministry", "authority": name}
            policy["parties"][name] = {**party, "names": [f"{name}.passerelle.test"]}
            make_mac_key(keys, handle_key(name), SystemRandomness())
            signer = item.issue(Profile.SIGNING, [f"{name}.passerelle.test"])
            write_public(keys / "signers" / f"{name}.pem", signer.pem)
        path.write_text(yaml.safe_dump(policy, allow_unicode=True, sort_keys=False))
        self.lists(1 * HOUR)

    def lists(self, stale_since: timedelta) -> None:
        """The patient party's lists, as they are once they have been stale for so long."""
        found = self.more[PATIENT].revocation_lists(at=NOW() - 30 * DAY - stale_since)
        for kind, crl in zip(("root", "issuing"), found, strict=True):
            target = self._folder / "gateway" / "keys" / "revocation" / f"{PATIENT}.{kind}.crl"
            target.with_suffix(".new").write_bytes(crl)
            target.with_suffix(".new").replace(target)

    def _settings(self) -> None:
        super()._settings()
        path = self._folder / "passerelle.toml"
        path.write_text(f"{path.read_text()}\n[revocation]\nrefresh_seconds = 1\ntimeout_seconds = 2\n")


class Published(LiveGateway):
    """The gateway, and the server of the authority that publishes."""

    development = Development
    made: Development

    def __init__(self, folder: Path, address: str, server: type[Handler]) -> None:
        Development.address = address
        self.server = server
        super().__init__(folder)

    def publish(self, root: bytes, issuing: bytes) -> None:
        self.server.answers |= {"/root.crl": lambda h: h.give(root), "/issuing.crl": lambda h: h.give(issuing)}

    def asked_by(self, party: str) -> Shown:
        """The ministry's good request over this party's TLS: all is well when only the key is another's."""
        stem = self.write(self.made.leaves[party], self.made.more[party])
        try:
            return self.exchange(self.draft().signed(), stem)
        finally:
            for suffix in (".key", ".pem"):
                stem.with_suffix(suffix).unlink()

    def told(self, party: str) -> tuple[str, str | None]:
        problem = self.asked_by(party).json()
        return problem["code"], problem.get("reason")

    def becomes(self, party: str, code: str, reason: str | None = None) -> bool:
        """Every worker says so, within seconds."""
        return until(lambda: [self.told(party) for _ in range(6)] == [(code, reason)] * 6, 20)

    def facts(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports.health}/metrics", timeout=30) as answer:
            lines = [line for line in answer.read().decode().splitlines() if line.startswith("passerelle_alarm{")]
        return {line.split('"')[1]: float(line.split()[-1]) for line in lines}

    def logged(self, role: str, event: str) -> list[dict[str, Any]]:
        path = self.folder / "gateway" / "logs" / f"{role}.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        return [row for row in rows if row["event"] == event]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    with serving() as (address, server):
        live = Published(tmp_path_factory.mktemp("published"), address, server)
        try:
            live.publish(*live.made.more[PUBLISHED].revocation_lists(number=5))
            live.start()
            yield live
        finally:
            live.close()


KNOWN = "key_of_another_party"


def test_stale_lists_are_accepted_within_the_grace_told_of_and_refused_past_it(published: Published) -> None:
    assert until(lambda: published.facts()["list_stale"] == 0.0, 30)  # the other party's are fetched
    assert published.told(PATIENT) == (KNOWN, None)
    assert published.facts()["revocation_stale"] == 2.0  # the root's and the issuing CA's
    told = published.logged("workers", "revocation_stale")
    assert {row["party"] for row in told} == {PATIENT}
    assert 1 <= len(told) <= 2  # once an hour in each worker, however many requests there are
    published.made.lists(_GRACE_HOURS * HOUR)
    assert published.becomes(PATIENT, "certificate_refused", "crl_stale")
    alarms = published.facts()
    assert (alarms["revocation_stale"], alarms["list_stale"]) == (0.0, 2.0)
    published.made.lists(-1 * DAY)
    assert published.becomes(PATIENT, KNOWN)


def test_lists_are_fetched_and_in_force_within_seconds_and_never_go_back(published: Published) -> None:
    authority, leaf = published.made.more[PUBLISHED], published.made.leaves[PUBLISHED]
    folder = published.keys / "revocation"
    assert published.becomes(PUBLISHED, KNOWN)
    assert len(list(folder.glob(f"{PUBLISHED}.*.crl"))) == 2
    assert published.facts()["revocation_refused"] == 0.0

    root, revoking = authority.revocation_lists([leaf.certificate], number=6)
    published.publish(root, revoking)
    assert published.becomes(PUBLISHED, "certificate_refused", "revoked")

    impostor = DevAuthority(PUBLISHED, NOW()).revocation_lists(number=9)
    for content, reason in (
        (authority.revocation_lists(number=5)[1], "rollback"),
        (impostor[1], "wrong_issuer"),
        (b"<html>", "malformed"),
    ):
        published.publish(root, content)
        assert until(
            lambda reason=reason: any(  # type: ignore[misc]  # a default binds the word
                row["reason"] == reason for row in published.logged("refresher", "revocation_refused")
            ),
            20,
        )
        assert published.facts()["revocation_refused"] == 1.0
        assert published.told(PUBLISHED) == ("certificate_refused", "revoked")

    published.publish(*authority.revocation_lists(number=7))
    assert published.becomes(PUBLISHED, KNOWN)
    assert until(lambda: published.facts()["revocation_refused"] == 0.0, 10)


def test_a_refresher_that_is_killed_comes_back_and_no_exchange_waits_for_it(published: Published) -> None:
    def facts() -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{published.ports.health}/status", timeout=30) as answer:
            roles: list[dict[str, Any]] = json.load(answer)["roles"]
        return next(role for role in roles if role["name"] == "refresher")

    before = facts()
    os.kill(before["pid"], signal.SIGKILL)
    assert until(lambda: not facts()["alive"] or facts()["pid"] != before["pid"], 10)
    assert published.ready()
    assert until(lambda: facts()["alive"] and facts()["pid"] != before["pid"], 20)
