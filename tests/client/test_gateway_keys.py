"""Which certificates a party takes for the gateway's: those that it was given, and none that does not follow them."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from certs.authority import DevAuthority
from certs.profiles import Profile
from gateway.client.gateway_keys import GatewayKeys, read_certificates
from gateway.errors import ConfigurationError
from gateway.signing.answer import keyid_of
from tests.adapters.fakes import ShiftedClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from certs.authority import Issued

NAME = "gateway.passerelle.test"
DAY = timedelta(days=1)


class World:
    """A gateway's authority, another one, and what the gateway publishes."""

    def __init__(self) -> None:
        self.clock = ShiftedClock()
        self.authority = DevAuthority("gateway", self.clock.now())
        self.other = DevAuthority("other", self.clock.now())
        self.given = self.authority.issue(Profile.SIGNING, [NAME])
        self.published = b""
        self.fetched = 0
        self.keys = GatewayKeys([self.given.certificate], [self.authority.root.certificate], self._fetch, self.clock)

    def _fetch(self) -> bytes:
        self.fetched += 1
        return self.published

    def publish(self, issued: Issued, *between: Issued) -> None:
        self.published = b"".join(one.pem for one in (issued, *(between or (self.authority.issuing,))))


@pytest.fixture
def world() -> World:
    return World()


def keyid(issued: Issued) -> str:
    return keyid_of(sha256(issued.der).hexdigest())


def test_what_was_given_is_believed_as_it_is(world: World) -> None:
    world.clock.shift = timedelta(days=5000)
    assert world.keys.find(keyid(world.given)) == world.keys.given == world.given.der
    assert world.fetched == 0


def test_one_that_follows_is_believed(world: World) -> None:
    follows = world.authority.issue(Profile.SIGNING, [NAME])
    world.publish(follows)
    assert world.keys.find(keyid(follows)) == follows.der
    assert world.keys.find(keyid(follows)) == follows.der
    assert world.fetched == 1


@pytest.mark.parametrize(
    "made",
    [
        lambda w: w.other.issue(Profile.SIGNING, [NAME]),
        lambda w: w.authority.issue(Profile.TLS_SERVER, [NAME]),
        lambda w: w.authority.issue(Profile.TLS_CLIENT, [NAME]),
        lambda w: w.authority.issue(Profile.SIGNING, ["ministry.passerelle.test"]),
        lambda w: w.authority.issue(
            Profile.SIGNING, [NAME], not_before=w.clock.now() - 2 * DAY, not_after=w.clock.now() - DAY
        ),
        lambda w: w.authority.issue(Profile.SIGNING, [NAME], not_before=w.clock.now() + DAY),
        lambda w: w.authority.issuing,
    ],
    ids=["another_root", "tls_server", "tls_client", "another_name", "expired", "not_yet_valid", "authority"],
)  # fmt: skip
def test_one_that_does_not_follow_is_refused(world: World, made: Callable[[World], Issued]) -> None:
    issued = made(world)
    world.publish(issued, world.authority.issuing, world.other.issuing, world.other.root)
    assert world.keys.find(keyid(issued)) is None


def test_the_way_to_the_root_must_be_there(world: World) -> None:
    follows = world.authority.issue(Profile.SIGNING, [NAME])
    world.publish(follows, world.other.issuing)
    assert world.keys.find(keyid(follows)) is None


@pytest.mark.parametrize(
    "content", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_published_may_be_anything(world: World, content: bytes) -> None:
    world.published = content
    assert world.keys.find("A" * 43) is None
    assert world.keys.find(7) is None


def test_another_certificate_than_the_one_named_is_not_taken(world: World) -> None:
    follows = world.authority.issue(Profile.SIGNING, [NAME])
    world.publish(follows)
    assert world.keys.find("A" * 43) is None


def test_gateway_pem_may_hold_several(world: World, tmp_path: Path) -> None:
    second = world.authority.issue(Profile.SIGNING, [NAME])
    path = tmp_path / "gateway.pem"
    path.write_bytes(world.given.pem + second.pem)
    given = read_certificates(path)
    keys = GatewayKeys(given, [world.authority.root.certificate], lambda: b"", world.clock)
    assert [keys.find(keyid(one)) for one in (world.given, second)] == [world.given.der, second.der]
    assert isinstance(given[0], x509.Certificate)


def test_gateway_pem_that_cannot_be_read(tmp_path: Path) -> None:
    for content in (None, b"nothing"):
        if content is not None:
            (tmp_path / "gateway.pem").write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"gateway\.pem"):
            read_certificates(tmp_path / "gateway.pem")
