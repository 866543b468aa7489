"""Several requests at once, where a request carries one message. Each message keeps its own id and outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from drivers.contract import Receipt, Submission, SubmitError
from drivers.providers.http import CONNECTIONS, Endpoint

__all__ = ["ParallelEndpoint", "side_by_side"]


class ParallelEndpoint(Endpoint, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`parallel`: so many sends at once; the connections that are left serve questions."""

    parallel: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.parallel <= CONNECTIONS - 2:
            raise ValueError(f"parallel must be 1 to {CONNECTIONS - 2}")


async def side_by_side(
    submit: Callable[[Submission], Awaitable[Receipt]], submissions: Sequence[Submission]
) -> list[Receipt | SubmitError]:
    """One result a submission, in order."""

    async def one(submission: Submission) -> Receipt | SubmitError:
        try:
            return await submit(submission)
        except SubmitError as failure:
            return failure

    return await asyncio.gather(*(one(s) for s in submissions))
