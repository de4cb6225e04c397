"""A gateway to be attacked: more parties and keys than a development set-up has, and what a refusal must look like."""

from __future__ import annotations

import copy
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certs.authority import DevAuthority, revocation_list
from certs.files import write_public
from certs.profiles import Profile
from gateway.keys.make import handle_key, make_mac_key
from gateway.system import SystemClock, SystemRandomness
from tests.attacks import ailing
from tests.attacks.evidence import UNCLAIMED, Book
from tests.exchange.live import KeptDevelopment, LiveGateway

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from certs.authority import Issued
    from gateway.client.signer import SignedRequest
    from tests.attacks.evidence import Kept
    from tests.exchange.live import Shown

NOW = SystemClock().now
DAY = timedelta(days=1)
SUSPENDED, STALE = "suspended", "stale"
HOST = "ministry.passerelle.test"


def constrained(above: DevAuthority, permitted: str) -> DevAuthority:
    """An authority below the same root, whose issuing CA may only name what is below ``permitted``."""
    made = copy.copy(above)
    name = f"{above.name} constrained CA"
    made.issuing = above.subordinate(name, above=above.root, permitted=permitted, not_after=NOW() + 30 * DAY)
    return made


class ArenaDevelopment(KeptDevelopment):
    """A set-up with a suspended party, one whose list is stale, and certificates of every kind that is refused."""

    bounded: DevAuthority
    signers: dict[str, Issued]
    revoked_client: Issued
    revoked_signer: Issued
    revoked_server: Issued
    ailing: Mapping[str, Issued]
    flawed: Mapping[str, Issued]
    leaves: Mapping[str, tuple[Issued, str]]

    def _policy(self, authorities: Mapping[str, DevAuthority]) -> None:
        super()._policy(authorities)
        more = {name: DevAuthority(name, NOW()) for name in (SUSPENDED, STALE)}
        self.authorities = {**authorities, **more}
        self.bounded = constrained(authorities["ministry"], HOST)
        made = ailing.authorities(authorities["ministry"])
        self.flawed = {name: issued for name, (issued, _) in made.items()}
        self._issue(authorities)
        path = self._folder / "gateway" / "policy.yaml"
        policy = yaml.safe_load(path.read_text())
        policy["authorities"]["ministry"]["intermediates"].append(self.bounded.issuing.pem.decode())
        for name, authority in more.items():
            policy["authorities"][name] = {
                "roots": [authority.root.pem.decode()],
                "intermediates": [authority.issuing.pem.decode()],
            }
            party = {"title": {"fr": name, "en": name}, "role": "ministry", "authority": name}
            policy["parties"][name] = {**party, "names": [f"{name}.passerelle.test"], "suspended": name == SUSPENDED}
            make_mac_key(self._keys, handle_key(name), SystemRandomness())
            at = NOW() - 40 * DAY if name == STALE else None
            self._lists(name, authority.revocation_lists(at=at))
        self.ailing = {name: self._ailing(policy, name) for name in (*ailing.REVOCATION, ailing.ANSWERED)}
        for name, issued in self.flawed.items():
            policy["authorities"]["ministry"]["intermediates"].append(issued.pem.decode())
            crl = revocation_list(issued, at=NOW())
            write_public(self._keys / "revocation" / f"ministry.{name}.crl", crl)
        path.write_text(yaml.safe_dump(policy, allow_unicode=True, sort_keys=False))

    def _ailing(self, policy: dict[str, Any], name: str) -> Issued:
        """A party of its own whose revocation data ail; its TLS client's certificate."""
        authority, host = DevAuthority(name, NOW()), f"{name}.passerelle.test"
        self.authorities = {**self.authorities, name: authority}
        policy["authorities"][name] = {
            "roots": [authority.root.pem.decode()],
            "intermediates": [authority.issuing.pem.decode()],
        }
        policy["parties"][name] = {
            "title": {"fr": name, "en": name},
            "role": "ministry",
            "authority": name,
            "names": [host],
        }
        make_mac_key(self._keys, handle_key(name), SystemRandomness())
        leaf = authority.issue(Profile.TLS_CLIENT, [host])
        make = ailing.good if name == ailing.ANSWERED else ailing.REVOCATION[name][0]
        for file, content in make(authority, leaf).items():
            write_public(self._keys / "revocation" / f"{name}.{file}", content)
        return leaf

    @property
    def _keys(self) -> Path:
        return self._folder / "gateway" / "keys"

    def _lists(self, name: str, lists: tuple[bytes, bytes]) -> None:
        for kind, crl in zip(("root", "issuing"), lists, strict=True):
            (self._keys / "revocation" / f"{name}.{kind}.crl").write_bytes(crl)

    def _issue(self, authorities: Mapping[str, DevAuthority]) -> None:
        """Signing certificates that stand among the ministry's own, good and bad; and two of TLS."""
        ministry, host, now = authorities["ministry"], [HOST], NOW()
        signing = Profile.SIGNING
        self.signers = {
            "good": ministry.issue(signing, host),
            "bounded": self.bounded.issue(signing, host),
            "outside_name_constraints": self.bounded.issue(signing, [HOST, "elsewhere.test"]),
            "expired": ministry.issue(signing, host, not_before=now - 2 * DAY, not_after=now - DAY),
            "not_yet_valid": ministry.issue(signing, host, not_before=now + DAY),
            "revoked": ministry.issue(signing, host),
            "tls_client_key": ministry.issue(Profile.TLS_CLIENT, host),
            "tls_server_key": ministry.issue(Profile.TLS_SERVER, host),
            "of_an_unknown_authority": DevAuthority("ministry", now).issue(signing, host),
            "of_another_partys_authority": authorities["cooperative"].issue(signing, host),
            "rsa_2048": ministry.issue(signing, host, key=rsa.generate_private_key(65537, 2048)),
            "secp384r1": ministry.issue(signing, host, key=ec.generate_private_key(ec.SECP384R1())),
            "with_a_stale_list": self.authorities[STALE].issue(signing, [f"{STALE}.passerelle.test"]),
            "of_a_suspended_party": self.authorities[SUSPENDED].issue(signing, [f"{SUSPENDED}.passerelle.test"]),
            "key_of_two_parties": ministry.issue(signing, host),
        }
        self.signers |= {name: ministry.issue(signing, host, above=issued) for name, issued in self.flawed.items()}
        twin = self.authorities[STALE].issue(
            signing, [f"{STALE}.passerelle.test"], key=self.signers["key_of_two_parties"].key
        )
        write_public(self._keys / "signers" / f"{STALE}.twin.pem", twin.pem)
        self.revoked_client = ministry.issue(Profile.TLS_CLIENT, host)
        for name, issued in self.signers.items():
            write_public(self._keys / "signers" / f"ministry.arena-{name}.pem", issued.pem)
        revoked = [self.signers["revoked"].certificate, self.revoked_client.certificate]
        gone = [self.flawed["authority_revoked"].certificate]
        self._lists("ministry", ministry.revocation_lists(revoked, authorities=gone))
        self.leaves = ailing.leaves(ministry, signing, host)
        for name, (issued, _) in self.leaves.items():
            write_public(self._keys / "signers" / f"ministry.ailing-{name}.pem", issued.pem)
        registry, at_registry = authorities["civil-registry"], ["civil-registry.passerelle.test", "localhost"]
        self.revoked_signer = registry.issue(signing, at_registry)
        self.revoked_server = registry.issue(Profile.TLS_SERVER, at_registry)
        lists = registry.revocation_lists([self.revoked_signer.certificate, self.revoked_server.certificate])
        self._lists("civil-registry", lists)
        _, crl = self.bounded.revocation_lists()
        write_public(self._keys / "revocation" / "ministry.bounded.crl", crl)


class Arena(LiveGateway):
    """The gateway, and what an auditor reads of it."""

    development = ArenaDevelopment
    made: ArenaDevelopment

    @property
    def book(self) -> Book:
        if self._book is None:
            self._book = Book(self.folder / "gateway" / "log", self.folder / "trust")
        return self._book

    _book: Book | None = None

    def accepted(self, request: SignedRequest, tls: Path | None = None) -> Shown:
        """The good case: answered with 200, signed and bound to the request, and recorded as released."""
        shown = self.exchange(request, tls)
        assert shown.status == 200, shown.body
        assert self.verify(request, shown).bound
        return shown

    def refused(self, request: SignedRequest, expected: str, tls: Path | None = None, **headers: str) -> dict[str, Any]:
        """Asserts the whole of a refusal; ``expected`` is ``status code [component]``. Gives the problem.

        Signed; told with this status, code and component; recorded once with this code; nothing asked upstream.
        """
        before = self.counter()
        shown = self.exchange(request, tls, **headers)
        return self.was_refused(request, shown, expected, before)

    def was_refused(self, request: SignedRequest, shown: Shown, expected: str, before: int) -> dict[str, Any]:
        """The same for an answer that is there already; ``before`` is the registry's counter as it was."""
        # The verifier asks for the digest of any body, though it need not be what the answer covers.
        answer = self.verify(replace(request, headers={"content-digest": "", **request.headers}), shown)
        problem = shown.json()
        told = [str(shown.status), problem.get("code", "none"), problem.get("component", "")]
        assert " ".join(told).strip() == expected
        assert shown.headers["content-type"] == "application/problem+json"
        assert answer.ledger_leaf is not None
        assert problem["exchange_id"] == shown.headers["exchange-id"]
        assert self.counter() == before, "something was asked of the registry"
        kept = self.recorded(answer.exchange_id)
        if not answer.bound:
            no_digest_is_kept(kept, shown)
        assert kept.evidence.get("reason", kept.evidence.get("outcome")) == problem["code"]
        return problem | {"bound": answer.bound}

    def files_with(self, text: bytes) -> list[Path]:
        """What lies on the disk, of the gateway's, and holds this; at least the keys must be there to be read."""
        found, seen = [], 0
        for path in (self.folder / "gateway").rglob("*"):
            with suppress(FileNotFoundError):  # partial tiles go while we look
                if path.is_file() and not path.is_symlink():
                    seen += 1
                    found += [path] if text in path.read_bytes() else []
        assert seen > 20
        return found

    def recorded(self, exchange_id: str) -> Kept:
        """The one record of a refusal."""
        kept = self.book.of(exchange_id)
        assert [item.kind for item in kept] == ["refusal"]
        return kept[0]


def no_digest_is_kept(kept: Kept, shown: Shown) -> None:
    """C6: of a request whose salt is not proven neither evidence nor the answer's base has a digest or signature."""
    assert set(kept.evidence) == UNCLAIMED
    for text in (kept.answer_base, shown.headers["signature-input"]):
        for component in ("content-digest", "signature"):
            assert f'"{component}";req' not in text
