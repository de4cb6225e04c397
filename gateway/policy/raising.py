"""Break-glass: a budget raised for a time, inside the ceiling that was signed before (P2, decision 0031)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import yaml

from contracts.strict_yaml import compose_yaml
from gateway.errors import ConfigurationError, ShownError
from gateway.policy.bundle import LONGEST_REASON, Raised, Validity

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.policy.bundle import BreakGlass, Budget, Bundle


class BreakGlassRefused(ShownError):
    """The policy in force does not let this budget be raised so without delay; the text says what can be done."""


@dataclass(frozen=True, slots=True)
class Raising:
    """A raise that the policy in force allows: of which agreement's budget, and inside which ceiling."""

    agreement: str
    budget: Budget
    ceiling: BreakGlass
    raised: Raised

    def applied(self, bundle: Bundle) -> Bundle:
        """The same policy, but for this raise in place of any other of the agreement."""
        budget = self.budget.model_copy(update={"raised": self.raised})
        changed = bundle.agreements[self.agreement].model_copy(update={"budget": budget})
        return bundle.model_copy(update={"agreements": bundle.agreements | {self.agreement: changed}})


def raising_of(bundle: Bundle, agreement: str, subjects: int, hours: int, since: datetime, reason: str) -> Raising:
    """So many distinct children more under an agreement, from a moment on, for so many hours.

    Raises:
        ConfigurationError: break_glass_unknown, where the policy has no such agreement; break_glass_reason.
        BreakGlassRefused: break_glass_ended, break_glass_no_budget, break_glass_no_ceiling, break_glass_beyond.
    """
    if not 0 < len(reason) <= LONGEST_REASON:
        raise ConfigurationError("break_glass_reason", most=LONGEST_REASON)
    found = bundle.agreements.get(agreement)
    if found is None:
        able = sorted(word for word, one in bundle.agreements.items() if one.budget and one.budget.break_glass)
        raise ConfigurationError("break_glass_unknown", agreement=agreement, able=", ".join(able) or "—")
    if not found.validity.covers(since):
        until = found.validity.until
        raise BreakGlassRefused("break_glass_ended", agreement=agreement, since=found.validity.since, until=until)
    if found.budget is None:
        raise BreakGlassRefused("break_glass_no_budget", agreement=agreement)
    ceiling, delay = found.budget.break_glass, bundle.officers.widening_delay_hours
    if ceiling is None:
        raise BreakGlassRefused("break_glass_no_ceiling", agreement=agreement, delay=delay)
    validity = Validity(since=since, until=since + timedelta(hours=hours))
    if not ceiling.allows(subjects, validity):
        told = {"subjects": subjects, "hours": hours, "most": ceiling.subjects, "longest": ceiling.hours}
        raise BreakGlassRefused("break_glass_beyond", agreement=agreement, **told, delay=delay)
    raised = Raised(subjects=subjects, validity=validity, reason=reason)
    return Raising(agreement, found.budget, ceiling, raised)


def with_raise(text: str, raising: Raising) -> str:
    """The text of a policy with this raise in place of any other of the agreement; nothing else of it is touched.

    What comes out is to be read and held against what it must mean: a text may be written in ways that this does not
    know. Raises yaml.YAMLError, and ConfigurationError (policy_not_drafted) where there is no such budget to be found.
    """
    budget = compose_yaml(text.encode())
    for word in ("agreements", raising.agreement, "budget"):
        budget = _value(budget, word)
    if not isinstance(budget, yaml.MappingNode):
        raise ConfigurationError("policy_not_drafted")
    said, begins = _written(raising.raised), budget.start_mark
    if (former := _value(budget, "raised")) is not None:
        kept = text[: former.start_mark.index]
        return f"{kept}{' ' if kept.endswith(':') else ''}{said}{text[_end(former) :]}"
    if budget.flow_style:
        return f"{text[: begins.index + 1]}raised: {said}, {text[begins.index + 1 :]}"
    return f"{text[: begins.index]}raised: {said}\n{' ' * begins.column}{text[begins.index :]}"


def _value(node: yaml.Node | None, word: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == word), None)


def _end(node: yaml.Node) -> int:
    # of a mapping in lines the library says where the next thing begins, behind comments that are not its own
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return _end(node.value[-1][1])
    return node.end_mark.index


def _written(raised: Raised) -> str:
    """On one line."""
    content = raised.model_dump(mode="json")
    return yaml.safe_dump(content, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10_000).strip()
