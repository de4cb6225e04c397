"""JSON logs, one line an event, through a mask; an exception shows its type and place, never its text."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.model import Received


def configure_logs(path: Path, level: str, mask: Callable[[object, str, Any], Any]) -> None:
    """Sends this process's logs, gunicorn's and the libraries' warnings among them, to a file of JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = _File(path, encoding="utf-8")
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _no_exception_text,
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                mask,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=True,
    )


class _File(logging.FileHandler):
    """What cannot be written is lost, and not told on standard error with all its arguments: a full disk, say."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the base class's name
        """Nothing."""


def _no_exception_text(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    # A library's exception may quote the input; its type and its place are enough to find it.
    info = event.pop("exc_info", None)
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event |= describe(error)
    return event


def describe(error: BaseException) -> dict[str, object]:
    """An exception's type and the places that it went through, innermost last."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error": type(error).__name__,
        "at": [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames],
    }


def alarm(received: Received, fault: Exception) -> None:
    """Logs a fault of ours during an exchange."""
    structlog.get_logger("alarm").error("exchange_fault", exchange_id=str(received.exchange_id), **describe(fault))
