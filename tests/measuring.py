"""Which processes that tests start are measured, where the tests themselves are."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def measured_children(config: pytest.Config) -> Iterator[None]:
    """Processes that begin meanwhile are traced, under ``make test``.

    Only few are: tracing each of the hundreds that tests start would double the time of the whole, and show the same
    lines. They are traced their own way (children.coveragerc).
    """
    if not getattr(config.option, "cov_source", None):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COVERAGE_PROCESS_START", str(Path(__file__).with_name("children.coveragerc")))
        patch.setenv("COVERAGE_FILE", str(config.rootpath / ".coverage"))
        yield
