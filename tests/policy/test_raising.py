"""A raise put into a policy's text: nothing else is touched, however the text is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import yaml

from gateway.errors import ConfigurationError
from gateway.policy.bundle import BreakGlass, Budget, Raised, Validity
from gateway.policy.raising import Raising, with_raise

NIGHT = datetime(2026, 11, 24, 2, tzinfo=UTC)
CEILING = BreakGlass(subjects=5, hours=4)
RAISED = Raised(subjects=3, validity=Validity(since=NIGHT, until=NIGHT + timedelta(hours=2)), reason="à l'œuvre: #1")
RAISING = Raising("ENT-1", Budget(subjects=9, window_hours=24, break_glass=CEILING), CEILING, RAISED)

LINES = """\
agreements:
  "ENT-0":  # another
    budget: {subjects: 9, window_hours: 24}
  ENT-1:
    party: ministry
    budget:
      # why nine: décision 12
      subjects: 9
      window_hours: 24   # a day
      break_glass: {subjects: 5, hours: 4}
    fields: [outcome]
"""
FLOW = LINES.replace("ENT-1:\n    party", "ENT-1:\n    name").replace(
    LINES[LINES.index("    budget:\n") : LINES.index("    fields")],
    "    budget: {subjects: 9, window_hours: 24, break_glass: {subjects: 5, hours: 4}}\n",
)
RAISED_IN_LINES = LINES.replace(
    "    fields: [outcome]",
    "      raised:\n        subjects: 1\n        validity:\n          since: '2026-11-20T00:00:00Z'\n"
    "          until: '2026-11-20T01:00:00Z'\n\n    # what they may see\n    fields: [outcome]",
)
NONE_IN_LINES = LINES.replace("    fields: [outcome]", "      raised:   # nothing now\n    fields: [outcome]")
RAISED_IN_FLOW = FLOW.replace("hours: 4}}", "hours: 4}, raised: {subjects: 1}}")


@pytest.mark.parametrize(
    "text", [LINES, FLOW, RAISED_IN_LINES, RAISED_IN_FLOW, NONE_IN_LINES, LINES.replace("\n", "\r\n")]
)
def test_it_is_there_once_and_the_rest_is_as_it_was(text: str) -> None:
    before, drafted = yaml.safe_load(text), with_raise(text, RAISING)
    after = yaml.safe_load(drafted)
    assert Raised.model_validate(after["agreements"]["ENT-1"]["budget"].pop("raised")) == RAISED
    before["agreements"]["ENT-1"]["budget"].pop("raised", None)
    assert after == before
    assert drafted.count("raised") == 1
    assert drafted.count("#") == text.count("#") + 1, "every comment stays"


@pytest.mark.parametrize("text", ["[]", "agreements: {}", "agreements: {ENT-1: {budget: 9}}"])
def test_where_no_budget_is_found_it_says_so(text: str) -> None:
    with pytest.raises(ConfigurationError, match="policy_not_drafted"):
        with_raise(text, RAISING)
