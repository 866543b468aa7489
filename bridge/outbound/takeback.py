"""Cancelling what a provider has taken already: only the provider can say whether it was in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bridge.model import Attempt, Instant, Message, Status, show_id
from bridge.outbound.intake import NotCancellable
from bridge.outbound.job import DONE, WHOLE
from bridge.store import Changes, Store
from bridge.telemetry import Telemetry
from drivers.contract import Account, NotOffered, NotSent, Refused, SubmitError

__all__ = ["TakeBack"]

TAKEN_BACK = "taken_back"


class TakeBack:
    """`account`: a channel's account at its provider, None for a modem.

    The message is marked as withdrawn before its provider is asked: the report of its deletion is no failure that
    another channel mends, also when the answer is lost and we are started anew before it comes."""

    def __init__(
        self,
        store: Store,
        now: Callable[[], Instant],
        telemetry: Telemetry,
        *,
        account: Callable[[str], Account | None],
    ) -> None:
        self._store = store
        self._now = now
        self._telemetry = telemetry
        self._account = account

    async def ask(self, message: Message) -> Message:
        """The message, cancelled. Raises `NotCancellable`, with what the provider said."""
        attempt = await self._store.read(lambda view: _carried(view.attempts(message.id)))
        if message.status is not Status.SENT or attempt is None or attempt.reference is None:
            raise NotCancellable(message)
        account = self._account(attempt.channel)
        if account is None:
            raise NotCancellable(message)
        await self._store.write(lambda changes: changes.withdraw(message.id))
        try:
            in_time = await account.cancel(attempt.reference, message.to)
        except NotOffered as error:
            await self._stays(message)
            raise NotCancellable(message, f"{attempt.channel} has it already: {error}") from None
        except (NotSent, Refused) as error:
            await self._stays(message)
            detail = f"{attempt.channel} has it, and could not be asked to take it back: {error.detail}"
            raise NotCancellable(message, detail) from None
        except SubmitError as error:
            # It may have been deleted all the same; a report tells. Sent elsewhere it must not be: nobody wants it.
            raise NotCancellable(
                message,
                f"{attempt.channel} has it and did not say whether it could take it back: {error.detail}; ask again",
            ) from None
        if not in_time:
            await self._stays(message)
            raise NotCancellable(message, f"{attempt.channel} says that it is too late: the message is on its way")
        reason = f"cancelled by the client; {attempt.channel} had not sent it yet and has deleted it"
        now, channel = self._now(), attempt.channel

        def work(changes: Changes) -> Message | None:
            data: dict[str, str | int | bool | None] = {"channel": channel}
            moved = changes.move(message.id, Status.CANCELLED, now, code=TAKEN_BACK, reason=reason, data=data)
            return changes.message(message.id) if moved else None

        cancelled = await self._store.write(work)
        if cancelled is None:
            raise NotCancellable(message, "its report came first; look at it again")
        self._telemetry.message("taken_back", message=show_id("msg", message.id), channel=channel)
        return cancelled

    async def _stays(self, message: Message) -> None:
        await self._store.write(lambda changes: changes.withdraw(message.id, withdrawn=False))


def _carried(attempts: Sequence[Attempt]) -> Attempt | None:
    """The one that carries the whole message. None: several do, or a modem sent it in parts."""
    carried = [a for a in attempts if a.state in DONE]
    return carried[0] if len(carried) == 1 and carried[0].part == WHOLE else None
