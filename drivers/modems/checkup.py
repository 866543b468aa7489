"""A modem asked how it is, while no driver works with it. Nothing is changed but echo and error numbers, no PIN is
entered, and nothing is read from the storage."""

from __future__ import annotations

import msgspec

from drivers.modems import commands, replies
from drivers.modems.discovery import Found, Opener, is_wanted, probe
from drivers.modems.events import Answer
from drivers.modems.facts import Facts, learn
from drivers.modems.line import Line, NoAnswer
from drivers.modems.link import open_link
from drivers.modems.ports import Ports
from drivers.modems.settings import Timing

__all__ = ["Checkup", "check_up", "check_up_modem"]

_QUESTIONS = ("AT+CREG?", "AT+CEREG?", "AT+CSQ", "AT+COPS?", "AT+CSCA?", "AT+CPMS?")
_TIMING = Timing(alive_tries=2, alive=2.0)


class Checkup(msgspec.Struct, frozen=True, kw_only=True):
    """`pin`: READY, SIM PIN ..., "" when it does not say. `pin_tries`, `used`, `size`, `signal_dbm`: None = not known.
    `service_centre`: None = not told, "" = there is none."""

    found: Found
    channel: str = ""
    pin: str = ""
    pin_tries: int | None = None
    registration: str = ""
    operator: str = ""
    signal_dbm: int | None = None
    service_centre: str | None = None
    used: int | None = None
    size: int | None = None


async def check_up(port: str, channel: str = "", *, opener: Opener = open_link) -> Checkup:
    """Who is at this port, and how it is."""
    pin, tries = "", None
    learned: list[Facts] = []

    async def ask(line: Line, facts: Facts) -> None:
        nonlocal pin, tries
        learned.append(facts)
        answer = await _ask(line, "AT+CPIN?")
        if answer is not None:
            number = answer.final.number
            pin = replies.pin_state(answer.lines) or ("NOT INSERTED" if number in _NO_SIM else "")
        for text in facts.profile.pin_counter:
            counted = await _ask(line, text)
            tries = None if counted is None else replies.pin_tries(text, counted.lines)
            if tries is not None:
                break
        for text in _QUESTIONS:
            told = await _ask(line, text)
            if told is not None:
                learn(facts, told)

    found = await probe(port, opener=opener, timing=_TIMING, more=ask)
    if not learned:
        return Checkup(found=found, channel=channel)
    facts = learned[0]
    return Checkup(
        found=found,
        channel=channel,
        pin=pin,
        pin_tries=tries,
        registration=facts.registration,
        operator=facts.operator,
        signal_dbm=facts.signal_dbm,
        service_centre=facts.service_centre,
        used=facts.used if facts.used >= 0 else None,
        size=facts.size if facts.size >= 0 else None,
    )


async def check_up_modem(
    channel: str, ports: Ports, *, port: str = "", imei: str = "", iccid: str = "", opener: Opener = open_link
) -> Checkup:
    """The modem of a channel, wherever it is: at its port, or, where `imei` or `iccid` says which one it is, at any
    other. What is wrong at its port is told when it is nowhere else."""
    there = await check_up(port, channel, opener=opener) if port else None
    if there is not None and (not (imei or iccid) or is_wanted(there.found, imei, iccid)):
        return there
    elsewhere = await ports.find(imei=imei, iccid=iccid, skip=port)
    if elsewhere is not None:
        return await check_up(elsewhere, channel, opener=opener)
    wanted = f"modem {imei}" if imei else f"modem with SIM {iccid}"
    if there is None:
        code, problem = "port_missing", f"The {wanted} is on no port. Is it plugged in and powered?"
    elif there.found.code:
        code, problem = there.found.code, f"{there.found.problem} The {wanted} is on no other port."
    else:
        code = "wrong_modem" if imei else "wrong_sim"
        which = there.found.imei if imei else there.found.iccid or "without a SIM that can be read"
        problem = f"{port} is the {'modem' if imei else 'modem with SIM'} {which}. The {wanted} is on no other port."
    return Checkup(found=Found(port=port, code=code, problem=problem), channel=channel)


_NO_SIM = frozenset({10, 13, 310, 313})  # SIM not inserted, SIM failure (27.007 §9.2, 27.005 §3.2.5)


async def _ask(line: Line, text: str) -> Answer | None:
    try:
        return await line.ask(commands.vendor(text, informs=True), 5.0)
    except NoAnswer:
        return None
