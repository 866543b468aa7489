"""The five providers on this machine, each with an account, a ledger and whatever faults it is told to have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from random import Random
from types import TracebackType
from typing import cast

from drivers.simulator.clock import Clock, LoopClock
from drivers.simulator.providers import clickatell, freshmail, mobizon, serwersms, smsc
from drivers.simulator.providers.account import Account, Course
from drivers.simulator.providers.callbacks import Attempt
from drivers.simulator.providers.faults import Fault
from drivers.simulator.providers.hosting import Listener
from drivers.simulator.providers.ledger import Ledger, Taken
from drivers.simulator.providers.service import Reply, Seen, Service

__all__ = ["NAMES", "ProviderSimulation"]

_KINDS: dict[str, tuple[type[Service], Callable[[], Account]]] = {
    "serwersms": (serwersms.Serwersms, serwersms.default_account),
    "freshmail": (freshmail.Freshmail, freshmail.default_account),
    "clickatell": (clickatell.Clickatell, clickatell.default_account),
    "mobizon": (mobizon.Mobizon, mobizon.default_account),
    "smsc": (smsc.Smsc, smsc.default_account),
}
NAMES = tuple(_KINDS)


class ProviderSimulation:
    """An asynchronous context; the ports are open inside it. `ledger`: a folder for one file a provider.

    `ports`: fixed ones by name, any free one for the others. Unknown names raise ValueError. `clock` tells how old
    messages are and when callbacks go out.
    """

    def __init__(
        self,
        names: Iterable[str] = NAMES,
        *,
        clock: Clock | None = None,
        seed: int = 0,
        ledger: Path | None = None,
        host: str = "127.0.0.1",
        ports: Mapping[str, int] | None = None,
    ) -> None:
        self.names = tuple(names)
        unknown = {*self.names, *(ports or {})} - _KINDS.keys()
        if unknown:
            raise ValueError(f"no such provider: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
        self._clock = clock or LoopClock()
        if ledger is not None:
            ledger.mkdir(parents=True, exist_ok=True)
        self._services: dict[str, Service] = {}
        for place, name in enumerate(self.names):
            kind, make_account = _KINDS[name]
            kept = Ledger(ledger / f"{name}.jsonl" if ledger else None)
            random = Random(seed * 1000 + place)  # noqa: S311 - a game that can be played again
            self._services[name] = kind(account=make_account(), clock=self._clock, random=random, ledger=kept)
        self._listeners = {
            name: Listener(service, host=host, port=(ports or {}).get(name, 0))
            for name, service in self._services.items()
        }

    async def __aenter__(self) -> ProviderSimulation:
        await asyncio.gather(*(listener.open() for listener in self._listeners.values()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for listener in self._listeners.values():
            await listener.close()
        for service in self._services.values():
            await service.close()

    def url(self, name: str) -> str:
        """`http://127.0.0.1:port`, without a path."""
        return self._listeners[name].url

    def service(self, name: str) -> Service:
        return self._services[name]

    @property
    def serwersms(self) -> serwersms.Serwersms:
        return cast(serwersms.Serwersms, self._services["serwersms"])

    @property
    def freshmail(self) -> freshmail.Freshmail:
        return cast(freshmail.Freshmail, self._services["freshmail"])

    @property
    def clickatell(self) -> clickatell.Clickatell:
        return cast(clickatell.Clickatell, self._services["clickatell"])

    @property
    def mobizon(self) -> mobizon.Mobizon:
        return cast(mobizon.Mobizon, self._services["mobizon"])

    @property
    def smsc(self) -> smsc.Smsc:
        return cast(smsc.Smsc, self._services["smsc"])

    def account(self, name: str) -> Account:
        return self._services[name].account

    def ledger(self, name: str) -> Ledger:
        return self._services[name].ledger

    def requests(self, name: str) -> list[Seen]:
        """Every request that reached this provider, oldest first, whatever became of it."""
        return list(self._services[name].requests)

    def set_faults(self, name: str, *faults: Fault) -> None:
        """These faults from now on; none clears them."""
        self._services[name].set_faults(*faults)

    def set_course(self, name: str, course: Course, *, number: str = "") -> None:
        """What becomes of messages taken from now on."""
        self._services[name].set_course(course, number=number)

    def reply(self, name: str, number: str, text: str, *, to: str = "") -> Reply:
        """`number` ("+48...") writes to the account."""
        return self._services[name].reply(number, text, to=to)

    async def next_submit(self, name: str) -> Taken:
        """The next message taken, in order, each given once."""
        return await self._services[name].ledger.next()

    async def next_request(self, name: str) -> Seen:
        """The next request that reached this provider, each given once."""
        return await self._services[name].requests.next()

    async def next_callback(self, name: str) -> Attempt:
        """The next call that the provider made to us, once it has ended, each given once."""
        return await self._services[name].callbacks.attempts.next()

    async def cut(self, name: str) -> None:
        """The provider cannot be reached: its port is closed and its connections end."""
        await self._listeners[name].close()

    async def restore(self, name: str) -> None:
        """Reachable again, on the same port."""
        await self._listeners[name].open()
