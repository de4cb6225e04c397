"""`passerelle policy draft`: the policy in force as the file of its next version, ready to be changed (P1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from certs.files import write_public
from gateway.cli.common import settings_of
from gateway.cli.output import Exit
from gateway.cli.policy_log import standing
from gateway.errors import ConfigurationError
from gateway.places import policy_log
from gateway.policy.bundle import read_bundle
from gateway.system import SystemClock, SystemRandomness

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.cli.output import Output
    from gateway.policy.judge import InForce

_VERSION = re.compile(r"^version:.*$", re.MULTILINE)
_PREVIOUS = re.compile(r"^previous:.*$", re.MULTILINE)


def draft(output: Output, config: Path | None, out: Path) -> Exit:
    """Writes the bytes in force by the log, never those of policy.yaml, with the next version and their own hash.

    Raises ConfigurationError where the file is there already, or where the text has no such lines of its own.
    """
    _, settings = settings_of(config)
    with policy_log(settings, SystemClock(), SystemRandomness()) as log:
        current = standing(log).chain.current
        content = log.content(current.sha256) or b""
    try:
        write_public(out, next_policy(current, content))
    except FileExistsError:
        raise ConfigurationError("exists_already", path=out) from None
    version = current.bundle.version + 1
    output.result({"file": out, "version": version, "previous": current.sha256})
    output.say("policy.drafted", path=out, version=version, previous=current.sha256)
    return Exit.HOLDS


def next_policy(current: InForce, content: bytes) -> bytes:
    """The same text, comments and all, but for two lines; held against what it must mean.

    Raises ConfigurationError (policy_not_drafted) where the text has no such lines of its own.
    """
    version = current.bundle.version + 1
    text = _VERSION.sub(f"version: {version}", content.decode(), count=1)
    # quoted: a hash of digits alone would be a number
    drafted = _PREVIOUS.sub(f'previous: "{current.sha256}"', text, count=1).encode()
    bundle, _ = read_bundle(drafted)
    if bundle != current.bundle.model_copy(update={"version": version, "previous": current.sha256}):
        raise ConfigurationError("policy_not_drafted")
    return drafted
