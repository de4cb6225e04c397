"""The headers by which a REST answer says that its version of a service is on its way out."""

from __future__ import annotations

from calendar import timegm
from email.utils import formatdate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from contracts.declaration import Contract


def deprecation_headers(contract: Contract) -> tuple[tuple[str, str], ...]:
    """``Deprecation`` (RFC 9745: ``@`` and seconds since 1970) and ``Sunset`` (RFC 8594: an HTTP date); () for none.

    They are the same in every answer of the version that is no refusal, whatever the day: a date to come announces
    itself.
    """
    if contract.deprecated is None:
        return ()
    since, sunset = _seconds(contract.deprecated.since), _seconds(contract.deprecated.sunset)
    return ("Deprecation", f"@{since}"), ("Sunset", formatdate(sunset, usegmt=True))


def _seconds(day: date) -> int:
    return timegm(day.timetuple())
