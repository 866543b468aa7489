"""What a `send` or `cost` call of SMSC asks for: the forms of `phones`, `mes`, `time`, and the `query` list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone, tzinfo
from urllib.parse import parse_qsl

import msgspec

from drivers.simulator.providers.soap import Call

__all__ = ["Line", "Wish", "lines_of", "read_wish", "when"]

MOSCOW_OFFSET = 3
MOST_CHARACTERS = 1000
NOW_WORDS = ("", "0")
KINDS = {
    "push": "wap_push",
    "hlr": "hlr",
    "ping": "ping",
    "mms": "mms",
    "mail": "mail",
    "soc": "soc",
    "viber": "viber",
    "whatsapp": "whatsapp",
    "tg": "telegram",
    "call": "voice",
}
FOLLOWS = re.compile(r"\n~~~\npid: (\d+), dcs: (\d+)$")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """`error`: the code with which the call is refused as it stands; empty when it can be read."""

    id: str = ""
    phones: tuple[str, ...] = ()
    text: str = ""
    lines: tuple[tuple[str, str, tuple[str, ...], str], ...] = ()  # sender, tz, phones, text
    sender: str = ""
    kind: str = "text"
    data: str = ""
    udh: str = ""
    flash: bool = False
    send_at: float | None = None
    validity: int | None = None
    period: float = 0.0
    cost: str = "0"
    most_parts: int = 0
    time: str = ""
    now: float = 0.0
    options: dict[str, str] = {}
    error: str = ""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one number. `digits` is empty for what is not a number."""

    given: str
    digits: str
    text: str
    sender: str = ""
    send_at: float | None = None


def read_wish(call: Call, *, now: float, zone: tzinfo) -> Wish:
    """`zone`: the account's, for times without `tz`."""
    query = dict(parse_qsl(call.first("query"), keep_blank_values=True))
    options = {name: value for name, value in query.items() if name != "apikey"}
    flags = {name for name, value in options.items() if value not in ("", "0")}
    id = call.first("id")
    wish = Wish(
        id=id,
        phones=tuple(part.strip() for part in re.split("[,;]", call.first("phones")) if part.strip()),
        text=call.first("mes"),
        lines=tuple(_list(options.get("list", ""), multi_line=options.get("nl") == "1")),
        sender=call.first("sender"),
        kind=next((kind for name, kind in KINDS.items() if name in flags), "text"),
        flash="flash" in flags,
        cost=options.get("cost", "0"),
        time=call.first("time"),
        now=now,
        options=options,
    )
    error = _unfit(wish)
    if error:
        return msgspec.structs.replace(wish, error=error)
    if flags & {"bin"}:
        wish = _binary(wish, hexed=options["bin"] == "2")
    try:
        tz = timezone(timedelta(hours=MOSCOW_OFFSET + float(options["tz"]))) if options.get("tz") else zone
        wish = msgspec.structs.replace(
            wish,
            send_at=when(wish.time, now=now, zone=tz),
            validity=_validity(options.get("valid", "")),
            period=float(options.get("period") or 0),
            most_parts=int(options.get("maxsms") or 0),
            text=re.sub(r"https?://\S+", "smsc.example/a1b2c", wish.text) if "tinyurl" in flags else wish.text,
        )
    except _BadTime:
        return msgspec.structs.replace(wish, error="5")
    except ValueError:
        return msgspec.structs.replace(wish, error="1")
    if wish.period and not 0.1 <= wish.period <= 720:
        return msgspec.structs.replace(wish, error="1")
    return wish


def lines_of(wish: Wish) -> list[Line]:
    """Every message with its number, those of `list` and those of `phones`."""
    found = [Line(given=phone, digits=_digits(phone), text=wish.text) for phone in wish.phones]
    for sender, tz, phones, text in wish.lines:
        send_at = wish.send_at
        if tz and _absolute(wish.time):
            send_at = when(wish.time, now=wish.now, zone=timezone(timedelta(hours=MOSCOW_OFFSET + float(tz))))
        found += [
            Line(given=phone, digits=_digits(phone), text=text, sender=sender, send_at=send_at) for phone in phones
        ]
    return found


def when(time: str, *, now: float, zone: tzinfo) -> float | None:
    """Unix seconds; None for at once. Raises ValueError for what is none of the five forms."""
    if time in NOW_WORDS:
        return None
    if re.fullmatch(r"0\d{9,11}", time) and not _absolute(time):
        at = float(time)
    elif re.fullmatch(r"\+\d+", time):
        at = now + 60 * int(time)
    elif found := re.fullmatch(r"(\d{1,2})-(\d{1,2})", time):
        return _window(int(found[1]), int(found[2]), now, zone)
    else:
        at = _moment(time, zone)
    return at if at > now else None


class _BadTime(ValueError):
    pass


def _absolute(time: str) -> bool:
    """DDMMYYhhmm has ten digits, 0 and a Unix time has eleven."""
    return (len(time) == 10 and time.isdigit()) or "." in time


def _moment(time: str, zone: tzinfo) -> float:
    for form in ("%d%m%y%H%M", "%d.%m.%y %H:%M"):
        try:
            return datetime.strptime(time, form).replace(tzinfo=zone).timestamp()
        except ValueError:
            continue
    raise _BadTime(time)


def _window(low: int, high: int, now: float, zone: tzinfo) -> float | None:
    """h1-h2 read literally: before h1 at h1, within now, after h2 at h1 tomorrow."""
    if low > 23 or high > 24:
        raise _BadTime
    here = datetime.fromtimestamp(now, zone)
    if low <= here.hour < high:
        return None
    day = here if here.hour < low else here + timedelta(days=1)
    return day.replace(hour=low, minute=0, second=0, microsecond=0).timestamp()


def _unfit(wish: Wish) -> str:
    silent = wish.kind in ("hlr", "ping")
    if not (wish.phones or wish.lines) or not (wish.text or wish.lines or silent):
        return "1"
    if len(wish.text) > MOST_CHARACTERS and "bin" not in wish.options:
        return "1"
    if wish.id and not re.fullmatch(r"[A-Za-z0-9.\-_]{1,40}", wish.id):
        return "1"
    if wish.cost not in ("0", "1", "2", "3"):
        return "1"
    return ""


def _binary(wish: Wish, *, hexed: bool) -> Wish:
    """Header and body; the header's first octet is its length, and 00 stands for none."""
    text = wish.text
    options = dict(wish.options)
    if found := FOLLOWS.search(text):
        text = text[: found.start()]
        options |= {"pid": found[1], "dcs": found[2]}
    try:
        whole = bytes.fromhex(text) if hexed else text.encode("latin-1")
    except ValueError:
        return msgspec.structs.replace(wish, error="1")
    length = whole[0] if whole else 0
    if length + 1 > len(whole):
        return msgspec.structs.replace(wish, error="1")
    return msgspec.structs.replace(
        wish,
        kind="binary",
        text="",
        udh=whole[1 : 1 + length].hex(),
        data=whole[1 + length :].hex(),
        options=options,
    )


def _validity(valid: str) -> int | None:
    """Minutes."""
    if not valid:
        return None
    if found := re.fullmatch(r"(\d\d):(\d\d)", valid):
        minutes = 60 * int(found[1]) + int(found[2])
    else:
        minutes = 60 * int(valid)
    if not 1 <= minutes <= 24 * 60:
        raise ValueError(valid)
    return minutes


def _list(whole: str, *, multi_line: bool) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """`sender,tz|phones:text` a line; with `nl` a line without numbers belongs to the text before it."""
    found: list[tuple[str, str, tuple[str, ...], str]] = []
    for row in whole.split("\n"):
        line = re.match(r"(?:([^|:;]*)\|)?([+\d][+\d, ]*)[:;](.*)", row, re.DOTALL)
        if line is None:
            if multi_line and found:
                sender, tz, phones, text = found[-1]
                found[-1] = (sender, tz, phones, f"{text}\n{row}")
            continue
        sender, _, tz = (line[1] or "").partition(",")
        phones = tuple(part.strip() for part in line[2].split(",") if part.strip())
        found.append((sender, tz, phones, line[3] if multi_line else line[3].replace("\\n", "\n")))
    yield from found


def _digits(phone: str) -> str:
    """A number without `+` is put right: 8 in front of ten digits is Russia's own way to write 7."""
    digits = re.sub(r"[ ()\-]", "", phone)
    if digits.startswith("+"):
        return digits[1:] if re.fullmatch(r"\+[1-9]\d{8,14}", digits) else ""
    if re.fullmatch(r"8\d{10}", digits):
        digits = "7" + digits[1:]
    return digits if re.fullmatch(r"[1-9]\d{8,14}", digits) else ""
