"""The running service as a whole, and what is asked of it as a whole: its channels and its figures."""

from __future__ import annotations

import msgspec

from bridge import __version__
from bridge.clock import Clock
from bridge.config import Settings
from bridge.endpoints import Endpoint
from bridge.health.balances import Balances
from bridge.health.canary import Canary
from bridge.health.deliveries import Deliveries
from bridge.logs import lines_dropped
from bridge.metrics import ChannelFigures, Figures, WebhookFigures, render_metrics
from bridge.model import ChannelSnapshot, Ids, Instant, show_id
from bridge.outbound.channel import Channel
from bridge.outbound.recurring import Recurring
from bridge.room import Room
from bridge.schedule import Housekeeping
from bridge.store import View
from bridge.store.sqlite import SqliteStore
from bridge.telemetry import Telemetry
from bridge.timekeeping import Timekeeping
from bridge.webhooks.outbox import Outbox

__all__ = ["App"]


class App:
    """The running service, for the command line, the demo and the tests."""

    def __init__(self, settings: Settings, store: SqliteStore, telemetry: Telemetry, ids: Ids, clock: Clock) -> None:
        self.settings = settings
        self.store = store
        self.telemetry = telemetry
        self.ids = ids
        self.clock = clock
        self.timekeeping: Timekeeping  # set once the service runs, as the next
        self.recurring: Recurring
        self.outbox: Outbox
        self.balances: Balances
        self.deliveries: Deliveries
        self.room: Room
        self.canary: Canary
        self.url = ""
        self.housekeeping: Housekeeping | None = None  # set once the service runs
        self.channels: dict[str, Channel] = {}
        self.ready = False

    def line(self, sim: str, channel: str) -> str | None:
        """The channel that has this SIM now: where `channel` had it, or where it was put since."""
        now = next((c.id for c in self.channels.values() if c.sim == sim), channel)
        return now if now in self.channels else None

    async def snapshots(self) -> list[ChannelSnapshot]:
        return [
            msgspec.structs.replace(
                await channel.snapshot(), left=self.balances.of(channel.id), arrivals=self.deliveries.of(channel.id)
            )
            for channel in self.channels.values()
        ]

    async def metrics(self) -> bytes:
        now = self.clock.now()

        def age(at: Instant | None) -> float:
            """Seconds; of nothing, none."""
            return 0.0 if at is None else max(0, now - at) / 1000

        def look(view: View) -> Figures:
            due, later, oldest = view.queue_depth(now)
            return Figures(
                version=__version__,
                counts=view.counts(),
                due=due,
                later=later,
                oldest_due_seconds=age(oldest),
                doubts=view.open_doubts(),
                oldest_doubt_seconds=age(view.oldest_doubt()),
                clock_trusted=self.clock.trusted,
                clock_steps=self.timekeeping.steps,
                disk_free=self.store.free,
                disk_level=self.room.level,
                log_lines_dropped=lines_dropped(),
                canary_ok=self.canary.state.ok,
                canary_seconds=self.canary.state.seconds,
                checked_at=self.store.checked_at,
                channels=channels,
                webhooks=[webhook(view, endpoint) for endpoint in view.endpoints()],
            )

        def webhook(view: View, endpoint: Endpoint) -> WebhookFigures:
            waiting, dead = view.backlog(endpoint.id)
            return WebhookFigures(
                id=show_id("whk", endpoint.id),
                enabled=endpoint.enabled,
                waiting=waiting,
                dead=dead,
                oldest_seconds=age(view.oldest_waiting(endpoint.id)),
                latency=self.outbox.latencies.get(endpoint.id),
            )

        channels = [
            ChannelFigures(snapshot=snapshot, latencies=channel.latencies, repairs=channel.repairs)
            for channel, snapshot in zip(self.channels.values(), await self.snapshots(), strict=True)
        ]
        return render_metrics(await self.store.read(look))
