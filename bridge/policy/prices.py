"""What a part costs on a channel, as the operator wrote it down. Providers are never asked while a text waits."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

__all__ = ["EVERYWHERE", "Tariff", "tariff"]

EVERYWHERE = "*"  # in a table of prices: all numbers that no prefix covers


class Tariff(msgspec.Struct, frozen=True):
    """`rates`: beginning of the number and price of a part, the longest beginning first."""

    rates: tuple[tuple[str, Decimal], ...] = ()

    def of(self, number: str) -> Decimal | None:
        """The price of one part to this number; None: not known."""
        for prefix, price in self.rates:
            if number.startswith(prefix):
                return price
        return None


def tariff(prices: Mapping[str, Decimal]) -> Tariff:
    """From a table such as `{"+48": 0.05, "*": 0.20}`."""
    plain = {"" if prefix == EVERYWHERE else prefix: price for prefix, price in prices.items()}
    return Tariff(tuple(sorted(plain.items(), key=lambda rate: (-len(rate[0]), rate[0]))))
