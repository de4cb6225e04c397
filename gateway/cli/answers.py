"""What people read of some answers, beyond names and values: a family's view, and the counts of the waiting list."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gateway.audit.questions.printing import readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.cli.output import Output

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_DEFINITIONS = ("all", "without_service", "holding_non_subsidised", "unborn")
_WIDTH = 40


def say_answer(output: Output, operation: str, body: Mapping[str, Any]) -> None:
    """An answer's fields, for people."""
    if operation == "family.view" and {"disclosures", "more"} <= body.keys():
        _say_view(output, body)
    elif operation == "waitlist.counts" and body.keys() >= {*_DEFINITIONS, "counted_at"}:
        _say_counts(output, body)
    else:
        for name, value in body.items():
            # a list as it came: it has no words of its own
            said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            output.say("call.field", name=name, value=said)


def _say_view(output: Output, body: Mapping[str, Any]) -> None:
    """What a cooperative prints for a parent."""
    language, disclosures = output.t.language, body["disclosures"]
    output.say("call.view" if disclosures else "call.view_empty", count=len(disclosures))
    for one in disclosures:
        output.say(
            "call.disclosure",
            at=readable((datetime.fromisoformat(one["at"]) - _EPOCH) // _MICROSECOND, language),
            party=" → ".join(one[name] for name in (f"party_{language}", f"sent_to_{language}") if name in one),
            operation=one[f"operation_{language}"],
            purpose=one["purpose"],
            agreement=one["agreement"],
            legal_basis=one[f"legal_basis_{language}"],
            fields="; ".join(one[f"fields_{language}"]),  # some have a comma, none has more
            exchange_id=one["exchange_id"],
        )
    if body["more"]:
        output.say("call.view_more", before=disclosures[-1]["at"])


def _say_counts(output: Output, body: Mapping[str, Any]) -> None:
    """The definitions side by side, and each breakdown by the first of them."""
    output.say("call.counts", at=body["counted_at"], least=body["least"])
    most = max(1, body["all"] or 0)
    for name in _DEFINITIONS:
        _say_bar(output, output.t(f"call.definition.{name}"), body[name], most)
    for breakdown in ("by_region", "by_age", "by_desired_date"):
        output.say("call.breakdown", title=output.t(f"call.breakdown.{breakdown}"))
        for title, count in _rows(output, body.get(breakdown, ())):
            _say_bar(output, title, count, most)


def _rows(output: Output, rows: Any) -> Iterator[tuple[str, int]]:
    for row in rows:
        words = [one if one.isdecimal() else output.t(f"call.category.{one}") for one in row["categories"]]
        yield " + ".join(words), row["all"]


def _say_bar(output: Output, title: str, count: int | None, most: int) -> None:
    shown = "—" if count is None else f"{count:,}".replace(",", "\u202f")
    bar = "█" * round((count or 0) * _WIDTH / most)
    output.say("call.bar", title=title.ljust(_WIDTH), count=shown.rjust(8), bar=bar)
