"""The opt-outs in memory, since each order is held against them, and the changes of them."""

from __future__ import annotations

from collections.abc import Callable

from bridge.events import EventType, OptOutData
from bridge.model import Ids, Instant, OptOut, show_id
from bridge.store import Changes, Store

__all__ = ["OptOuts", "tell"]


class OptOuts:
    """`by_number` is shared with the gate of `bridge.policy.gate`."""

    def __init__(self, store: Store, ids: Ids, now: Callable[[], Instant]) -> None:
        self.by_number: dict[str, tuple[OptOut, ...]] = {}
        self._store = store
        self._ids = ids
        self._now = now

    async def load(self) -> None:
        for opt_out in await self._store.read(lambda view: view.opt_outs()):
            self.took(opt_out)

    def took(self, opt_out: OptOut) -> None:
        """It is in the store."""
        others = [o for o in self.by_number.get(opt_out.number, ()) if o.id != opt_out.id]
        self.by_number[opt_out.number] = (*others, opt_out)

    def dropped(self, opt_out: OptOut) -> None:
        left = tuple(o for o in self.by_number.get(opt_out.number, ()) if o.id != opt_out.id)
        if left:
            self.by_number[opt_out.number] = left
        else:
            self.by_number.pop(opt_out.number, None)

    async def add(self, number: str, *, sender: str, channel: str) -> tuple[OptOut, bool]:
        """By the operator. False: it was there before."""
        now = self._now()
        wanted = OptOut(id=self._ids.next(), number=number, sender=sender, channel=channel, created_at=now)

        def work(changes: Changes) -> tuple[OptOut, bool]:
            if changes.add_opt_out(wanted):
                tell(changes, wanted, now, added=True)
                return wanted, True
            same = [o for o in changes.opt_outs(number=number) if (o.sender, o.channel) == (sender, channel)]
            return same[0], False

        found, new = await self._store.write(work)
        self.took(found)
        return found, new

    async def remove(self, id: int) -> OptOut | None:
        now = self._now()

        def work(changes: Changes) -> OptOut | None:
            found = changes.opt_out(id)
            if found is not None and changes.remove_opt_out(id):
                tell(changes, found, now, added=False)
            return found

        found = await self._store.write(work)
        if found is not None:
            self.dropped(found)
        return found


def tell(
    changes: Changes, opt_out: OptOut, now: Instant, *, added: bool, word: str = "", inbound: int | None = None
) -> None:
    """The event of a change of the list."""
    inbound = inbound or opt_out.inbound
    changes.emit(
        EventType.OPTOUT_ADDED if added else EventType.OPTOUT_REMOVED,
        now,
        key=f"optout/{opt_out.number}",
        data=OptOutData(
            number=opt_out.number,
            sender=opt_out.sender,
            channel=opt_out.channel,
            word=word or (opt_out.word if added else ""),
            inbound=None if inbound is None else show_id("inb", inbound),
        ),
        inbound=inbound,
        channel=opt_out.channel,
        number=opt_out.number,
    )
