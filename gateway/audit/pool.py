"""Work done in this process, or in several, and given back in the order in which it was asked for (DESIGN L11)."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import get_context
from typing import TYPE_CHECKING, Self, TypeVar

from gateway.audit.bundle_check import BundleCheck

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future
    from multiprocessing.context import BaseContext
    from types import TracebackType
    from typing import Any

    from gateway.audit.budgets import BudgetRows
    from gateway.audit.bundle_check import Anchors, AnswerRows, OnceRows, Work

    Task = Work | OnceRows | AnswerRows | BudgetRows

_C = TypeVar("_C")
#: Below so many leaves, starting processes takes longer than they save.
_WORTH_IT = 4096
#: How many pieces of work each process has before it or behind it: what the results wait in, in their order.
_AHEAD = 4


class Pool:
    """One or more processes that check bundles of one log."""

    def __init__(self, anchors: Anchors, jobs: int) -> None:
        """``jobs``: how many processes; 1 for this one alone."""
        self._anchors = anchors
        self._jobs = jobs
        self._check = BundleCheck(anchors) if jobs == 1 else None
        self._executor = None if jobs == 1 else ProcessPoolExecutor(jobs, _fresh())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)

    def ordered(self, work: Iterable[tuple[_C, Task | None]]) -> Iterator[tuple[_C, Any]]:
        """Each thing with what came of its task, None where it had none; no more is taken than is under way.

        Raises ChildProcessError where a process ended before its work.
        """
        if self._executor is None:
            for thing, task in work:
                yield thing, None if self._check is None or task is None else self._check.check(task)
            return
        under_way: deque[tuple[_C, Future[Any] | None]] = deque()
        try:
            for thing, task in work:
                future = None if task is None else self._executor.submit(_check, self._anchors, task)
                under_way.append((thing, future))
                if len(under_way) >= self._jobs * _AHEAD:
                    yield _done(*under_way.popleft())
            while under_way:
                yield _done(*under_way.popleft())
        except BrokenProcessPool:
            raise ChildProcessError("a process of the audit was ended from outside") from None


def processes(jobs: int | None, size: int) -> int:
    """How many processes to use for a log of this size: as many as asked for, else one a core where it is worth it."""
    if jobs is not None:
        return jobs
    return len(os.sched_getaffinity(0)) if size >= _WORTH_IT else 1


def _fresh() -> BaseContext:
    """Not forks of this process, which has threads (progress), but of a fresh one, which has read the code once."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__])
    return context


def _done(thing: _C, future: Future[Any] | None) -> tuple[_C, Any]:
    return thing, None if future is None else future.result()


def _check(anchors: Anchors, task: Task) -> object:
    return _checker(anchors).check(task)


@lru_cache(maxsize=1)
def _checker(anchors: Anchors) -> BundleCheck:
    """In a process of the pool: made once, and kept with its verdicts on certificates."""
    return BundleCheck(anchors)
