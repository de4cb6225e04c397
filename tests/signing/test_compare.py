"""A client's base beside ours: the first line that differs is named."""

from __future__ import annotations

import pytest

from gateway.signing.compare import compare_bases

OURS = b'"@method": POST\n"content-type": application/json\n"@signature-params": ("@method" "content-type")'


@pytest.mark.parametrize(
    ("theirs", "component", "key"),
    [
        (OURS.replace(b"POST", b"post"), "@method", "value"),
        (OURS.replace(b'"@method": POST\n', b""), "@method", "missing"),
        (OURS.replace(b'"@method": POST\n', b'"@method": POST\n"date": x\n'), "date", "extra"),
        (OURS.rpartition(b"\n")[0], "@signature-params", "missing"),
        (OURS + b'\n"more": x', "more", "extra"),
        (b'"content-type": application/json\n"@method": POST\n' + OURS.rpartition(b"\n")[2], "@method", "order"),
        (OURS.replace(b"\n", b"\r\n"), "base", "line_ends"),
        (OURS + b"\n", "base", "last_newline"),
        (b"\xff", "base", "not_ascii"),
        (b"", "@method", "missing"),
    ],
)
def test_two_bases_line_by_line(theirs: bytes, component: str, key: str) -> None:
    assert compare_bases(OURS, OURS) is None
    found = compare_bases(OURS, theirs)
    assert found is not None
    assert (found.component, found.key) == (component, key)
