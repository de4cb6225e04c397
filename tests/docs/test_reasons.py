"""Every word by which a certificate or fetched revocation data is refused has its place in the runbook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_FILES = [*(ROOT / "certs").glob("*.py"), ROOT / "gateway" / "identity" / "parties.py"]


def words(pattern: str) -> set[str]:
    return {word for path in _FILES for word in re.findall(pattern, path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_reason_is_in_the_runbook(language: str) -> None:
    reasons = words(r'CertificateRefusedError\("(\w+)"\)') | words(r'reason="(\w+)"')
    reasons |= words(r'(?m)^    \("[^"]+", "(\w+)"\),')  # those of the path
    assert len(reasons) > 15
    text = (ROOT / "docs" / f"runbook.{language}.md").read_text(encoding="utf-8")
    # a stranger's certificate is told as party_unknown, without a reason
    assert {word for word in reasons - {"wrong_authority"} if f"`{word}`" not in text} == set()
