"""`passerelle policy break-glass`: the draft of a budget raised for a time, ready to be proposed (P2, P4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from certs.files import write_public
from gateway.cli.common import settings_of
from gateway.cli.output import Exit
from gateway.cli.policy_draft import next_policy
from gateway.cli.policy_log import standing
from gateway.cli.policy_words import local, readable
from gateway.errors import ConfigurationError
from gateway.places import policy_log
from gateway.policy.bundle import read_bundle
from gateway.policy.raising import BreakGlassRefused, raising_of, with_raise
from gateway.system import SystemRandomness
from gateway.written_nirec import WrittenNirec

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.cli.output import Output
    from gateway.policy.judge import InForce
    from gateway.policy.raising import Raising
    from gateway.ports import Clock


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be raised: an agreement's budget, by so many children, for so many hours from now, and why."""

    agreement: str
    subjects: int
    hours: int
    reason: str
    out: Path


def break_glass(output: Output, config: Path | None, asked: Asked, clock: Clock) -> Exit:
    """Writes the draft, says what it allows and until when, and which commands come next; signs nothing.

    Raises ConfigurationError: an agreement that is not there, a file that is, a policy in no form of a draft's, a
    reason that holds a NIREC: the log keeps each policy for good.
    """
    _, settings = settings_of(config)
    if WrittenNirec(settings.nirec.pattern)(asked.reason):
        raise ConfigurationError("break_glass_nirec")
    now = clock.now().replace(microsecond=0)
    with policy_log(settings, clock, SystemRandomness()) as log:
        current = standing(log).chain.current
        content = log.content(current.sha256) or b""
    try:
        raising = raising_of(current.bundle, asked.agreement, asked.subjects, asked.hours, now, asked.reason)
    except BreakGlassRefused as refused:
        return _refuse(output, refused)
    try:
        write_public(asked.out, _drafted(current, content, raising))
    except FileExistsError:
        raise ConfigurationError("exists_already", path=asked.out) from None
    _say(output, current, raising, asked.out, f" --config {config}" if config else "")
    return Exit.HOLDS


def _drafted(current: InForce, content: bytes, raising: Raising) -> bytes:
    """The draft's bytes, held against what they must mean: the policy in force, this raise, and nothing else."""
    draft = next_policy(current, content)
    try:
        drafted = with_raise(draft.decode(), raising).encode()
        meant = read_bundle(drafted)[0] == raising.applied(read_bundle(draft)[0])
    except (yaml.YAMLError, ConfigurationError):
        meant = False
    if not meant:
        raise ConfigurationError("policy_not_drafted")
    return drafted


def _say(output: Output, current: InForce, raising: Raising, path: Path, more: str) -> None:
    budget, raised, officers = raising.budget, raising.raised, current.bundle.officers
    since, until = raised.validity.since, raised.validity.until
    draft = {"version": current.bundle.version + 1, "previous": current.sha256}
    told = {
        "agreement": raising.agreement,
        "before": budget.at(since),
        "after": budget.subjects + raised.subjects,
        "afterwards": budget.subjects,
        "window_hours": budget.window_hours,
        "since": since,
        "until": until,
        "most": raising.ceiling.subjects,
        "longest": raising.ceiling.hours,
        "reason": raised.reason,
    }
    output.result({"holds": True, "file": path, **draft, **told, "needed": officers.threshold})
    output.say("policy.drafted", path=path, **draft)
    output.say("policy.glass_broken", **readable(output.t, told))
    if budget.raised is not None and budget.raised.validity.covers(since):
        output.say("policy.glass_replaces", subjects=budget.raised.subjects, until=local(budget.raised.validity.until))
    steps = {"path": path, "stem": path.with_suffix(""), "more": more}
    output.say("policy.glass_next", needed=officers.threshold, officers=len(officers.keys), **steps)


def _refuse(output: Output, refused: BreakGlassRefused) -> Exit:
    text = output.t(f"problem.{refused.key}", **readable(output.t, refused.values))
    output.result({"holds": False, "exit_code": int(Exit.REFUSED), "reason": refused.key, "text": text})
    output.fail("policy.not_raised", text=text)
    return Exit.REFUSED
