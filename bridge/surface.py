"""What the API is given of the running service."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from typing import cast

from bridge import __version__
from bridge.api.parts import Parts, RouteTest
from bridge.delivering import Delivery
from bridge.inbound.optouts import OptOuts
from bridge.model import Instant
from bridge.outbound.dispatch import Dispatch
from bridge.outbound.intake import Intake
from bridge.outbound.schedules import Schedules
from bridge.outbound.takeback import TakeBack
from bridge.policy.admission import Order, admit
from bridge.service import App
from bridge.timekeeping import reason
from drivers.contract import Account, Call, Reply, Takes, Ussd

__all__ = ["parts"]


def parts(
    app: App,
    intake: Intake,
    schedules: Schedules,
    dispatch: Dispatch,
    now: Callable[[], Instant],
    opt_outs: OptOuts,
    delivery: Delivery,
) -> Parts:
    def account(id: str) -> Account | None:
        channel = app.channels.get(id)
        return cast(Account, channel.driver) if channel is not None and channel.takes is Takes.MESSAGE else None

    def ussd(id: str) -> Ussd | None:
        channel = app.channels.get(id)
        return channel.driver if channel is not None and isinstance(channel.driver, Ussd) else None

    take_back = TakeBack(app.store, now, app.telemetry, account=account)
    secrets_of = {p.id: p.callback_secret for p in app.settings.providers}

    async def called(id: str, secret: str, call: Call) -> Reply:
        wanted = secrets_of.get(id)
        provider = account(id)
        if wanted is None or provider is None or not hmac.compare_digest(wanted.reveal().encode(), secret.encode()):
            raise KeyError(id)
        reply = provider.called(call)
        for event in reply.events:  # stored before the provider is told that we have them
            await app.channels[id].accept(event)
        return reply

    def ready() -> tuple[bool, str]:
        if intake.closed is not None:
            return False, str(intake.closed)
        if not app.ready:
            return False, "the service is starting"
        return True, "; ".join(filter(None, (reason(app.clock.belief), app.room.detail)))

    async def route(order: Order) -> RouteTest:
        """Raises `Rejected` for what would not be taken either."""
        message = admit(order, intake.defaults, id=0, client=0, now=now())
        known_by = await app.store.read(lambda v: v.known_by(message.to)) if dispatch.sticks(message) else None
        name, choice = dispatch.test(message, known_by)
        return RouteTest(route=name, candidates=choice.candidates, refusals=choice.refusals)

    return Parts(
        account=account,
        ussd=ussd,
        take_back=take_back.ask,
        called=called,
        route=route,
        line=app.line,
        opt_outs=opt_outs,
        reply_window=int(app.settings.inbound.reply_window * 1000),
        store=app.store,
        intake=intake,
        schedules=schedules,
        ids=app.ids,
        now=now,
        random_bytes=secrets.token_bytes,
        channels=app.snapshots,
        ready=ready,
        metrics=app.metrics,
        webhooks=delivery.parts(),
        version=__version__,
        region=app.settings.service.region,
        max_recipients=app.settings.limits.max_recipients,
        max_body=app.settings.limits.max_body,
    )
