"""A token that is far away: each use waits as its worker does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest

from gateway.errors import KeystoreError
from gateway.keys.files import FileKeystore
from gateway.keys.make import FileKeyMaker
from gateway.keys.slow import SlowKeystore
from gateway.waiting import Threads
from tests.adapters.fakes import SystemRandomness

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")


class Counted(Threads):
    """ports.Waiting that counts what it was asked to wait for."""

    count = 0

    def blocking(self, work: Callable[[], T]) -> T:
        self.count += 1
        return super().blocking(work)


def test_each_use_of_a_key_waits_elsewhere(tmp_path: Path) -> None:
    maker = FileKeyMaker(tmp_path, SystemRandomness())
    public = maker.make_p256("signing")
    maker.make_mac("claims")
    near = FileKeystore(tmp_path, signing=["signing"], macs=["claims"])
    waiting = Counted()
    far = SlowKeystore(near, waiting)
    assert far.mac("claims", b"data") == near.mac("claims", b"data")
    assert len(far.sign("signing", b"data")) == 64
    assert far.public_key("signing") == public
    assert waiting.count == 3
    with pytest.raises(KeystoreError, match="key_not_here"):
        far.mac("log", b"")
    with pytest.raises(KeystoreError, match="certificate_missing"):
        far.certificate("signing")
    far.close()
