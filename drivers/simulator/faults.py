"""What can go wrong, as data: the knobs of a modem, of the network, and of one send among many.

Everything is a plain struct, so that a JSON or TOML file, a control socket or a test can say it. Times are seconds.
"""

from __future__ import annotations

import json
import math
import tomllib
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any, Generic, TypeVar

import msgspec

__all__ = [
    "Answer",
    "Cure",
    "FaultError",
    "Faults",
    "Injection",
    "Latency",
    "NetworkFaults",
    "ReportFault",
    "SendFault",
    "Stage",
    "Tally",
    "Then",
    "UssdForm",
    "changed",
    "load",
    "pick",
]

Latency = float | tuple[float, ...]
"""Seconds: a constant; (lowest, highest) evenly spread; (median, sigma, highest) log-normal, as real networks are."""


class FaultError(ValueError):
    """A knob that does not exist, or a value it cannot take."""


class Answer(StrEnum):
    """What the modem says after Ctrl-Z."""

    REFERENCE = "reference"  # +CMGS: n, OK
    ERROR = "error"  # +CMS ERROR: code; a bare ERROR for code 0
    OK = "ok"  # OK without a reference
    NONE = "none"  # nothing
    TWICE = "twice"  # +CMGS: n, OK, OK


class Stage(StrEnum):
    """Where a send goes wrong."""

    PROMPT = "prompt"  # instead of the prompt; the PDU never comes
    DATA = "data"  # after Ctrl-Z


class Then(StrEnum):
    """What happens to the modem when it has, or has not, answered."""

    NOTHING = "nothing"
    REBOOT = "reboot"
    UNPLUG = "unplug"
    DEAF = "deaf"


class Cure(StrEnum):
    """What brings a modem back, from the mildest to the harshest; each does what those before it do."""

    REREGISTER = "reregister"  # AT+COPS=0
    RADIO = "radio"  # AT+CFUN=0 or 4, then 1
    RESET = "reset"  # a restart
    USB = "usb"  # its USB device is reset from outside
    POWER = "power"  # its power is cut, or it is unplugged

    def does(self, other: Cure | None) -> bool:
        """Whether it cures what `other` would."""
        order = list(Cure)
        return other is not None and order.index(self) >= order.index(other)


class UssdForm(StrEnum):
    """How a modem gives a USSD text."""

    PLAIN = "plain"
    PACKED = "packed"  # septets, in hexadecimal
    UCS2 = "ucs2"
    OCTETS = "octets"  # of plain characters, in hexadecimal


class SendFault(msgspec.Struct, frozen=True, kw_only=True):
    """One rule for sends. The first rule that matches decides; sends that match none go well.

    `to`: the destination's digits end so ("" = any; a rule for the prompt cannot know it). Matching sends are counted:
    the rule acts on the `first` to the `first + times - 1`th of them (`times` 0 = for ever), each with `probability`.
    """

    to: str = ""
    first: int = 1
    times: int = 1
    probability: float = 1.0
    stage: Stage = Stage.DATA
    taken: bool = False  # the network takes the PDU whatever the modem says
    copies: int = 1  # so often, if taken
    answer: Answer = Answer.ERROR
    code: int = 38
    delay: float = 0.0  # from Ctrl-Z to the answer, on top of the modem's own latency
    late: bool = False  # meanwhile the modem answers other commands, as after a timer ran out
    then: Then = Then.NOTHING


class Injection(msgspec.Struct, frozen=True, kw_only=True):
    """An unsolicited line pushed into the bytes of an answer."""

    text: str  # framed with CR LF on both sides
    command: str = ""  # "+CSQ"; "" = any; "prompt" = the prompt
    at: int = 0  # before that byte of the answer; beyond its end = behind it
    times: int = 1  # 0 = for ever


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """Knobs of one modem."""

    latency: dict[
        str, Latency
    ] = {}  # by command ("+CSQ"); "prompt" and "+CMGS" are the two halves of a send; "*" = others
    chunk: int = 0  # bytes in one write: 0 = all at once, 1 = byte by byte
    gap: float = 0.0  # between two writes of a chunk
    prompt: str | None = None  # instead of the profile's; "> " or "\r\n>" are seen too
    newline: str | None = None  # "\n", "\r\r\n"
    leading_newline: bool = True  # before each line of an answer
    echo_pdu: bool = False  # the PDU comes back although echo is off
    inject: tuple[Injection, ...] = ()
    noise: tuple[str, ...] = ()  # lines sent over and over
    noise_every: float = 1.0
    refused: frozenset[str] = frozenset()  # commands that answer ERROR, "" for a bare AT
    silent: frozenset[str] = frozenset()  # commands that never answer
    deaf: bool = False  # nothing is answered or announced
    deaf_after: int | None = None  # from so many commands on
    zombie_until: Cure | None = None  # registered, and every send answers CMS 331, until that is done to the modem
    hung_until: Cure | None = None  # nothing is answered or announced until that is done to it
    sends: tuple[SendFault, ...] = ()
    on_air: bool = False  # what the network took is answered when this is False again; nothing comes in meanwhile
    busy_drops: bool = False  # bytes that come while a command runs are lost; otherwise they wait
    announce: bool = True  # False: no +CMTI although CNMI asks for it
    announce_storage: str | None = None  # +CMTI names this one, whatever is true
    ussd_delay: Latency = 0.05  # from the OK to what the network says
    ussd_form: UssdForm | None = None  # instead of the profile's
    ussd_last: int = 0  # the verdict with the last text: 2 where the network ends the session itself
    ussd_ignored: int = 0  # so many USSD texts get no answer
    ussd_blocks: bool = False  # +CMS ERROR: 302 for sends while a session is open
    readable_after: float = 0.0  # a new record is read as empty that long
    stops_routing: bool = False  # no +CNMA in time, and +CNMI falls back to mt 0, ds 0 (27.005 §3.4.4)
    delete_fails: int = 0  # so many CMGD answer CMS 320
    boot_seconds: float | None = None  # instead of the profile's
    replug_after: float | None = None  # after `then = "unplug"`; None = it stays away

    def __post_init__(self) -> None:
        for latency in self.latency.values():
            pick(latency, Random(0))  # noqa: S311 - only to refuse what is no distribution


class ReportFault(msgspec.Struct, frozen=True, kw_only=True):
    """One rule for status reports; counted and matched like `SendFault`."""

    to: str = ""
    first: int = 1
    times: int = 1
    lost: bool = False
    copies: int = 1
    status: int = 0  # TP-ST, 23.040 §9.2.3.15
    delay: float | None = None  # instead of the network's
    before_result: bool = False  # ahead of the modem's +CMGS


class NetworkFaults(msgspec.Struct, frozen=True, kw_only=True):
    """Knobs of the network."""

    reports: Latency | None = 2.0  # from the modem's answer to the report; None = no reports at all
    report_status: int = 0
    report_faults: tuple[ReportFault, ...] = ()
    national: str = ""  # reports and texts name numbers of this country ("+44") in their national form, type 81
    clock_error: float = 0.0  # of the centre's time stamps
    zone_quarters: int = 0  # of the time stamps, in quarters of an hour east of Greenwich
    transit: Latency = 0.05  # from taking a PDU to the other SIM
    redeliver_after: float = 60.0  # a text or report that was not acknowledged comes again
    refuse: int | None = None  # +CMS ERROR for every send
    silence: bool = False  # sends are neither taken nor answered

    def __post_init__(self) -> None:
        for latency in (self.reports, self.transit):
            if latency is not None:
                pick(latency, Random(0))  # noqa: S311


def pick(latency: Latency, random: Random) -> float:
    """One value of a distribution."""
    if not isinstance(latency, tuple):
        return latency
    match latency:
        case (low, high):
            return random.uniform(low, high)
        case (median, sigma, highest) if median > 0:
            return min(highest, random.lognormvariate(math.log(median), sigma))
        case _:
            raise FaultError(f"a latency is a number, [lowest, highest] or [median, sigma, highest], not {latency!r}")


Knobs = TypeVar("Knobs", Faults, NetworkFaults)


def changed(knobs: Knobs, changes: dict[str, Any]) -> Knobs:
    """A copy with some knobs set, from plain values. Raises FaultError naming the knob."""
    unknown = sorted(set(changes) - set(knobs.__struct_fields__))
    if unknown:
        raise FaultError(f"no such knob: {', '.join(unknown)}; there are {', '.join(knobs.__struct_fields__)}")
    try:
        return msgspec.convert(msgspec.to_builtins(knobs) | msgspec.to_builtins(changes), type(knobs))
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise FaultError(str(error)) from error


def load(path: Path | None, *, reports: Latency | None) -> tuple[Faults, NetworkFaults]:
    """Read a JSON or TOML file: a modem's knobs at the top, the network's under `network`. Raises FaultError.

    `reports` is used where the file does not say.
    """
    start = NetworkFaults(reports=reports)
    if path is None:
        return Faults(), start
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise FaultError(f"{path}: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("network", {}), dict):
        raise FaultError(f"{path}: expected a table of knobs, and a table named network")
    network = content.pop("network", {})
    return changed(Faults(), content), changed(start, network)


Rule = TypeVar("Rule", SendFault, ReportFault)


class Tally(Generic[Rule]):
    """Which rule acts now: remembers how often each has matched."""

    def __init__(self) -> None:
        self._matched: dict[Rule, int] = {}

    def clear(self) -> None:
        self._matched.clear()

    def match(self, rules: tuple[Rule, ...], destination: str) -> Rule | None:
        """The first rule that acts on a send to `destination`; each rule that fits it is counted."""
        acting = None
        for rule in rules:
            if destination.endswith(rule.to.removeprefix("+")):
                count = self._matched[rule] = self._matched.get(rule, 0) + 1
                if acting is None and rule.first <= count and (rule.times == 0 or count < rule.first + rule.times):
                    acting = rule
        return acting
