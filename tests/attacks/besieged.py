"""A gateway whose civil registry is in an attacker's hands, and what a refusal of its answer must look like."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.attacks.arena import Arena
from tests.attacks.upstream import Hostile

if TYPE_CHECKING:
    from pathlib import Path

    from tests.attacks.evidence import Kept
    from tests.attacks.upstream import Craft
    from tests.exchange.live import Shown


class Besieged(Arena):
    """The gateway, and the attacker at its registry's port."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.hostile = Hostile(folder / "sandbox" / "civil-registry", self.ports.registry)

    def counter(self, sandbox: str = "civil-registry") -> int:
        return self.hostile.requests if sandbox == "civil-registry" else super().counter(sandbox)

    def close(self) -> None:
        self.hostile.close()
        super().close()

    def believes(self) -> None:
        """The good case: what the registry's key signed in answer to this request is passed on."""
        shown = self.accepted(self.verification().signed())
        assert shown.json()["outcome"] == "not_confirmed"

    def disbelieves(self, craft: Craft, expected: str, *, asked: int = 1) -> Shown:
        """An answer so crafted is not passed on: told as ``expected`` (``status code``), signed, recorded once.

        ``asked`` is how many requests the registry must have had for it.
        """
        request = self.verification().signed()
        before = self.counter()
        with self.hostile.answering(craft):
            shown = self.exchange(request)
        assert f"{shown.status} {shown.json().get('code')}" == expected
        assert self.verify(request, shown).bound
        assert self.counter() - before == asked
        kept = self.recorded(shown.headers["exchange-id"])
        nothing_of_the_answer_is_kept(kept, expected.split()[1])
        return shown

    def list_of_the_registry(self, crl: bytes) -> None:
        """Another revocation list, put in place in one step."""
        path = self.keys / "revocation" / "civil-registry.issuing.crl"
        fresh = path.with_suffix(".new")
        fresh.write_bytes(crl)
        os.replace(fresh, path)  # noqa: PTH105  as an operator's script does


def nothing_of_the_answer_is_kept(kept: Kept, code: str) -> None:
    """C6: until the answer's salt has been validated, no digest and no signature of it; what we sent is there."""
    evidence = kept.evidence
    assert (evidence["outcome"], evidence["subjects"], evidence["fields"]) == (code, [], [])
    assert [attempt["outcome"] for attempt in evidence["upstream"]] == [code] * len(evidence["upstream"])
    assert all(attempt["answer"] is None for attempt in evidence["upstream"])
    assert all(attempt["request"]["signed_info"] for attempt in evidence["upstream"])
