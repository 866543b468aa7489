"""Readers: one TOML value each. A `ValueError` says what would be right. Pure."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path

from bridge.model import DoubtPolicy, Kind
from bridge.policy.balance import parse_pattern
from bridge.policy.timing import parse_holiday, parse_window, zone_name

__all__ = [
    "LONGEST_SOCKET_PATH",
    "Reader",
    "argument",
    "balance_pattern",
    "boolean",
    "channel_id",
    "choice",
    "choice_of_numbers",
    "currency",
    "digits",
    "duration",
    "durations",
    "each",
    "full_number",
    "holiday",
    "integer",
    "keyword",
    "kind",
    "listen",
    "meant",
    "name",
    "party",
    "path",
    "pattern",
    "policy",
    "port",
    "prefix",
    "region",
    "says",
    "sender",
    "sentence",
    "size",
    "smsc",
    "socket",
    "some",
    "ussd_code",
    "validity",
    "window",
    "zone",
]

LONGEST_SOCKET_PATH = 107  # sun_path of Linux, without the closing NUL
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|m|h|d)")
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SIZE = re.compile(r"([0-9]+) ?(B|KiB|MiB|GiB)")
_SIZE_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_CHANNEL_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_PORT_URL = re.compile(r"(?:socket|rfc2217)://(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\]):([0-9]{1,5})(?:[/?].*)?")
MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")
_MSISDN = re.compile(r"\+?[0-9]{3,20}")
_MOST_LISTED = 1000
_WEEKS_63 = 63 * 7 * 86_400  # the longest TP-VP, 23.040 §9.2.3.12.1

Reader = Callable[[object], object]


def says(value: object) -> str:
    """A TOML value as the file has it, as near as we can."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value[:60].replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "a table"
    return repr(value)[:60]


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{says(value)} is no text; give {what} in quotes")
    return value


def boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{says(value)} is neither true nor false (without quotes)")
    return value


def integer(low: int, high: int) -> Reader:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{says(value)} is no whole number; give {low} to {high}, without quotes")
        if not low <= value <= high:
            raise ValueError(f"{value} is out of range; give {low} to {high}")
        return value

    return read


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'{says(value)} is no duration; write "30s", "10m", "24h", "7d" or a number of seconds')
    return float(match[1]) * _DURATION_UNITS[match[2]]


def _between(value: object, low: float, high: float) -> float:
    seconds = _seconds(value)
    if not low <= seconds <= high:  # false for nan too
        raise ValueError(f"{says(value)} is out of range; give {_spell(low)} to {_spell(high)}")
    return seconds


def duration(low: float, high: float) -> Reader:
    return lambda value: _between(value, low, high)


def durations(value: object) -> tuple[float, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= 20:
        raise ValueError(f'{says(value)} is no list of 1 to 20 durations such as ["30s", "2m", "10m"]')
    return tuple(_between(v, 1, 86_400) for v in value)


def validity(value: object) -> int | None:
    if value == "none":
        return None
    seconds = _seconds(value)
    if not 60 <= seconds <= _WEEKS_63:
        raise ValueError(f'{says(value)} is out of range; give "1m" to "441d" (63 weeks), or "none"')
    return int(seconds)


def size(low: int, high: int) -> Reader:
    def read(value: object) -> int:
        match = _SIZE.fullmatch(value) if isinstance(value, str) else None
        if match is not None:
            octets = int(match[1]) * _SIZE_UNITS[match[2]]
        elif isinstance(value, int) and not isinstance(value, bool):
            octets = value
        else:
            raise ValueError(f'{says(value)} is no size; write "512KiB", "16MiB" or a number of octets')
        if not low <= octets <= high:
            raise ValueError(f"{says(value)} is out of range; give {low} to {high} octets")
        return octets

    return read


def choice(*words: str) -> Reader:
    def read(value: object) -> str:
        if value not in words:
            raise ValueError(f"{says(value)} is not one of {', '.join(words)}{meant(value, words)}")
        return str(value)

    return read


def choice_of_numbers(*numbers: int) -> Reader:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value not in numbers:
            raise ValueError(f"{says(value)} is not one of {', '.join(map(str, numbers))}")
        return value

    return read


def each(one: Reader, sample: str) -> Reader:
    """A list of one or more."""

    def read(value: object) -> tuple[object, ...]:
        if not isinstance(value, list) or not 1 <= len(value) <= _MOST_LISTED:
            raise ValueError(f"{says(value)} is no list of 1 to {_MOST_LISTED} such as {sample}")
        return tuple(one(v) for v in value)

    return read


def argument(value: object) -> str:
    text = _text(value, "a program or an argument")
    if not text or "\0" in text:
        raise ValueError(f"{says(value)} is no argument of a program")
    return text


def pattern(value: object) -> str:
    text = _text(value, 'a path with wildcards such as "/dev/ttyUSB*"')
    if not text.startswith("/") or "\0" in text:
        raise ValueError(f'{says(value)} is no absolute path; write it as "/dev/ttyUSB*"')
    return text


def kind(value: object) -> str:
    return str(choice(*Kind)(value))


def prefix(value: object) -> str:
    text = _text(value, 'the beginning of numbers such as "+48"')
    if not _PREFIX.fullmatch(text):
        raise ValueError(f'{says(value)} is no beginning of a number; write it with its country code, such as "+48"')
    return text


def sender(value: object) -> str:
    text = _text(value, 'a sender such as "Shop"')
    if not 1 <= len(text) <= 20 or not text.isprintable():
        raise ValueError(f"{says(value)} is no sender; it has 1 to 20 characters that can be seen")
    return text


def sentence(what: str, sample: str, most: int = 459) -> Reader:
    """A text in quotes that may be empty."""

    def read(value: object) -> str:
        text = _text(value, what)
        if len(text) > most or not all(c.isprintable() or c == "\n" for c in text):
            raise ValueError(f"{says(value)} cannot be {what}; give up to {most} characters such as {sample}")
        return text

    return read


def keyword(value: object) -> str:
    text = _text(value, 'a word such as "STOP"')
    if not text.strip() or len(text) > 40 or not text.isprintable():
        raise ValueError(f'{says(value)} is no word that people write; give 1 to 40 characters such as "STOP"')
    return text


def party(value: object) -> str:
    text = _text(value, 'a number or the beginning of numbers such as "+48"')
    if not 1 <= len(text) <= 20 or not text.isprintable() or (text[0] == "+" and not _PREFIX.fullmatch(text)):
        raise ValueError(
            f'{says(value)} is no beginning of a number and no sender\'s name; write "+48", "7245" or "MyBank"'
        )
    return text


def some(one: Reader, sample: str) -> Reader:
    """A list that may be empty."""
    filled = each(one, sample)
    return lambda value: () if value == [] else filled(value)


def network(value: object) -> str:
    text = _text(value, 'an address or a network such as "192.168.1.10" or "10.0.0.0/8"')
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError(
            f'{says(value)} is no address and no network; write it like "192.168.1.10" or "10.0.0.0/8"'
        ) from None


def host(value: object) -> str:
    text = _text(value, 'the name or address of a machine such as "hooks.lan"')
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|[0-9a-fA-F:]*:[0-9a-fA-F:]+", text):
        raise ValueError(f"{says(value)} is no name of a machine; write it without scheme, port and path")
    return text


def mail_address(value: object) -> str:
    text = _text(value, 'a mail address such as "ops@example.org"')
    if not MAIL_ADDRESS.fullmatch(text):
        raise ValueError(f'{says(value)} is no mail address; write it like "ops@example.org"')
    return text


def policy(value: object) -> DoubtPolicy:
    return DoubtPolicy(str(choice(*DoubtPolicy)(value)))


def listen(value: object) -> str:
    text = _text(value, 'an address such as "127.0.0.1:8025"')
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f'{says(value)} has no port from 0 to 65535; write "127.0.0.1:8025" or "[::1]:8025"')
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if bare != "localhost":
        try:
            address = ipaddress.ip_address(bare)
        except ValueError:
            raise ValueError(f'{says(value)} has no IP address before the port; write "127.0.0.1:8025"') from None
        if (address.version == 6) != (bare != host):
            raise ValueError(f'{says(value)}: an IPv6 address, and only that, stands in brackets: "[::1]:8025"')
    return text


def path(value: object) -> Path:
    found = Path(_text(value, 'a path such as "/var/lib/gsmbridge"'))
    if not found.is_absolute() or "\0" in str(found):
        raise ValueError(f"{says(value)} is no absolute path; begin it with /")
    return found


def socket(value: object) -> Path:
    found = path(value)
    if len(str(found).encode()) > LONGEST_SOCKET_PATH:
        raise ValueError(f"{says(value)} is longer than {LONGEST_SOCKET_PATH} octets, the most a Unix socket may have")
    return found


def region(value: object) -> str:
    text = _text(value, 'a country such as "PL"')
    if not re.fullmatch(r"[A-Z]{2}", text):
        raise ValueError(f'{says(value)} is no country code; give two capital letters (ISO 3166), such as "PL"')
    from phonenumbers import SUPPORTED_REGIONS  # 36 ms to import, and most of our commands need none of it

    if text not in SUPPORTED_REGIONS:
        raise ValueError(f'{says(value)} is no country with a numbering plan; the United Kingdom is "GB"')
    return text


def channel_id(value: object) -> str:
    text = _text(value, 'a name such as "gsm1"')
    if not _CHANNEL_ID.fullmatch(text):
        raise ValueError(
            f"{says(value)} is no channel name; use 1 to 32 of a-z, 0-9, - and _, beginning with a letter or digit"
        )
    return text


def port(value: object) -> str:
    text = _text(value, 'a port such as "/dev/serial/by-id/usb-...-if00-port0"')
    match = _PORT_URL.fullmatch(text)
    if match and 1 <= int(match[1]) <= 65_535:
        return text
    if text.startswith("/") and len(text) > 1 and not re.search(r"[\x00-\x1f]", text):
        return text
    raise ValueError(
        f"{says(value)} is no port; give a device path (/dev/serial/by-id/... keeps its name, /dev/ttyUSB0 does not), "
        "socket://host:port or rfc2217://host:port"
    )


def digits(what: str, low: int, high: int) -> Reader:
    def read(value: object) -> str:
        text = _text(value, f"the {what}")
        if not re.fullmatch(rf"[0-9]{{{low},{high}}}", text):
            count = f"{low}" if low == high else f"{low} to {high}"
            raise ValueError(f"{says(value)} is no {what}; it has {count} digits")
        return text

    return read


def smsc(value: object) -> str:
    text = _text(value, 'a number such as "+48602951111"')
    if not _MSISDN.fullmatch(text):
        raise ValueError(f'{says(value)} is no number of a service centre; write it like "+48602951111"')
    return text


def zone(value: object) -> str:
    return zone_name(_text(value, 'a time zone such as "Europe/Warsaw"'))


def money(value: object) -> Decimal:
    """A sum in the one currency of all prices; written as text, since 0.1 has no exact floating form."""
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    try:
        sum = Decimal(text) if isinstance(text, str) else None
    except InvalidOperation:
        sum = None
    if sum is None or not sum.is_finite() or not 0 <= sum <= 1_000_000:
        raise ValueError(f'{says(value)} is no price; give a number such as "0.05"')
    return sum


def full_number(value: object) -> str:
    text = _text(value, 'a number such as "+48600700800"')
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", text):
        raise ValueError(f'{says(value)} is no number with its country code; write it like "+48600700800"')
    return text


def currency(value: object) -> str:
    text = _text(value, 'a currency such as "PLN"')
    if not re.fullmatch(r"[A-Z]{3}", text):
        raise ValueError(f'{says(value)} is no currency; give three capital letters (ISO 4217), such as "PLN"')
    return text


def ussd_code(value: object) -> str:
    text = _text(value, 'a code such as "*101#"')
    if not re.fullmatch(r"[*#][0-9*#]{0,58}#", text):
        raise ValueError(f'{says(value)} is no USSD code; it begins with * or # and ends with #, such as "*101#"')
    return text


def balance_pattern(value: object) -> str:
    text = _text(value, "a regular expression such as 'saldo:? ([0-9.,]+)'")
    try:
        parse_pattern(text)
    except ValueError as error:
        raise ValueError(f"{says(value)}: {error}") from None
    return text


def prices(value: object) -> dict[str, Decimal]:
    if not isinstance(value, dict) or not 1 <= len(value) <= _MOST_LISTED:
        raise ValueError(f'{says(value)} is no table of prices such as {{ "+48" = "0.05", "*" = "0.20" }}')
    return {key if key == "*" else prefix(key): money(price) for key, price in value.items()}


def window(value: object) -> str:
    return parse_window(_text(value, 'a window such as "8-21"')).text


def holiday(value: object) -> str:
    text = _text(value, 'a day such as "2026-04-06", or "*-12-25" for each year')
    parse_holiday(text)
    return text


def name(what: str) -> Reader:
    def read(value: object) -> str:
        text = _text(value, what)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", text):
            raise ValueError(f"{says(value)} is no {what}; use letters, digits, . _ @ and -")
        return text

    return read


def meant(value: object, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(value), list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _spell(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f'"{seconds / size:g}{unit}"'
    return f'"{seconds:g}s"'
