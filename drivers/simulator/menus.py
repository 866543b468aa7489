"""What the network answers by USSD, as data."""

from __future__ import annotations

import msgspec

__all__ = ["CODES", "Codes", "Screen", "codes_from"]


class Screen(msgspec.Struct, frozen=True):
    """What the network says. `{credit}` becomes the texts that the SIM may still send. With `answers` it waits for one
    of them; anything else gets the same screen again."""

    text: str
    answers: dict[str, Screen] = {}


Codes = dict[str, "str | Screen"]

CODES: Codes = {
    "*100#": "Balance 10",
    "*111#": Screen(
        "1 Balance\n2 Top-up", {"1": Screen("Balance 10"), "2": Screen("Voucher?", {"4711": Screen("Thanks")})}
    ),
}


def codes_from(plain: object) -> Codes:
    """From JSON: `{"*100#": "Balance 10", "*111#": {"text": "1 Balance", "answers": {"1": {"text": "10"}}}}`. Raises
    ValueError."""
    try:
        return msgspec.convert(plain, dict[str, str | Screen])
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
