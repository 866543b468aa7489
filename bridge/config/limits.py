"""The limits of a channel, from its table."""

from __future__ import annotations

from bridge.config.settings import Modem, Provider
from bridge.policy.quota import Counter, Limit, Limits, Span

__all__ = ["limits"]


def limits(channel: Modem | Provider, zone: str) -> Limits | None:
    """None: it may send as much as it can."""
    counter = Counter(channel.count)
    wanted = (
        Limit(Span.MINUTE, counter, channel.per_minute or 0),
        Limit(Span.HOUR, counter, channel.per_hour or 0),
        Limit(Span.DAY, counter, channel.per_day or 0),
        Limit(Span.MONTH, counter, channel.per_month or 0),
        Limit(Span.DAY, Counter.RECIPIENTS, channel.recipients_per_day or 0),
        Limit(Span.MONTH, Counter.RECIPIENTS, channel.recipients_per_month or 0),
    )
    there = tuple(limit for limit in wanted if limit.most)
    return Limits(limits=there, reset_day=channel.reset_day, zone=zone) if there else None
