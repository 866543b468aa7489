"""From settings to the outbox and its ways out."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from random import Random

from bridge.api.parts import Webhooks
from bridge.config import Settings
from bridge.endpoints import EndpointKind
from bridge.model import Ids, Instant
from bridge.store import Store
from bridge.telemetry import Telemetry
from bridge.webhooks.guard import Rules
from bridge.webhooks.mail import Mailer, Server
from bridge.webhooks.outbox import Outbox, Sink
from bridge.webhooks.post import Poster
from bridge.webhooks.registry import Registry
from bridge.webhooks.sealing import Seal
from bridge.webhooks.trust import trust

__all__ = ["Delivery"]


class Delivery:
    """Raises `OSError` for a file of certificates that cannot be used."""

    def __init__(
        self, settings: Settings, store: Store, ids: Ids, now: Callable[[], Instant], telemetry: Telemetry
    ) -> None:
        given = settings.webhooks
        rules = Rules.of(given.allow_private, given.allow_http)
        context = trust(given.ca_file)
        seal = Seal(settings.service.state_dir)
        self._poster = Poster(rules, context, seal, now)
        sinks: dict[EndpointKind, Sink] = {EndpointKind.WEBHOOK: self._poster}
        mail = settings.mail
        if mail.host is not None and mail.sender is not None:
            server = Server(
                host=mail.host,
                port=mail.port,
                tls=mail.tls,
                sender=mail.sender,
                user=mail.user,
                password=None if mail.password is None else mail.password.reveal(),
            )
            sinks[EndpointKind.MAIL] = Mailer(server, context)
        self._registry = Registry(
            rules,
            seal,
            secrets.token_bytes,
            channels=frozenset([*(m.id for m in settings.modems), *(p.id for p in settings.providers)]),
            mails=EndpointKind.MAIL in sinks,
        )
        delays = (0, *(int(seconds * 1000) for seconds in given.retry))
        rng = Random(secrets.randbits(128))  # noqa: S311 jitter
        self.outbox = Outbox(store, ids, now, rng, telemetry, sinks=sinks, delays=delays)

    def parts(self) -> Webhooks:
        return Webhooks(registry=self._registry, first_try=self.outbox.first_try)

    async def close(self) -> None:
        await self._poster.close()
