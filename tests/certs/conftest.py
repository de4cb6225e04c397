from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from certs.authority import DevAuthority
from certs.paths import Authority

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


class Trusted:
    """An authority that issues, and the trust in it."""

    def __init__(self, name: str) -> None:
        self.issuer = DevAuthority(name, NOW)
        self.trust = self.trusting()

    def trusting(
        self,
        *crls: bytes,
        ocsp: tuple[bytes, ...] = (),
        grace: timedelta = timedelta(0),
        between: tuple[bytes, ...] = (),
    ) -> Authority:
        """``between`` are further issuing CAs; without lists, its two."""
        return Authority(
            self.issuer.name,
            roots=(self.issuer.root.der,),
            intermediates=(self.issuer.issuing.der, *between),
            crls=crls or self.issuer.revocation_lists(),
            ocsp=ocsp,
            grace=grace,
        )


@pytest.fixture(scope="session")
def ministry() -> Trusted:
    return Trusted("ministry")


@pytest.fixture(scope="session")
def cooperative() -> Trusted:
    return Trusted("cooperative")
