"""What to do about a modem in trouble: diagnose, then climb the ladder one rung at a time. Pure.

Nothing here acts, waits or asks the clock. `diagnose` turns signs into a cause, since a reset does not cure an empty
account; `decide` chooses the next step from the rungs that this unit is able to take, what was tried already and when.
A rung that was taken too often within its period is passed over: a modem that needs twenty resets a day is broken, and
each of them disturbs the others on its hub and costs a PIN entry on a locked SIM."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

__all__ = [
    "ALWAYS",
    "BY_COMMAND",
    "LIMITS",
    "Climb",
    "Diagnosis",
    "Leave",
    "Limit",
    "Rung",
    "Signs",
    "Step",
    "Taken",
    "Wait",
    "decide",
    "diagnose",
    "remedy",
]

HUB_LOSS = 2  # other modems of the same hub that went within seconds: it is the hub
RESET_LOOP = 3  # restarts by itself within five minutes
UNREGISTERED_FOR = 120.0  # seconds without a network before anything is done about it
GONE_FOR = 60.0  # seconds a modem that re-enumerates may take
ROUNDS = (900.0, 3600.0, 21600.0)  # seconds from the end of one round up the ladder to the next; the last one repeats


class Rung(StrEnum):
    """From the mildest to the harshest."""

    REOPEN = "reopen"  # close the port, open it, AT three times, ESC, whole bring-up
    OTHER_PORT = "other_port"  # another port of the same modem
    REREGISTER = "reregister"  # AT+COPS=2, AT+COPS=0
    RADIO = "radio"  # AT+CFUN=4, AT+CFUN=1
    RESET = "reset"  # the vendor's reset command
    USB = "usb"  # the kernel forgets the device and configures it anew
    POWER = "power"  # the supply is cut for a while


class Limit(msgspec.Struct, frozen=True):
    """`wait`: seconds until the effect shows. At most `most` times `within` so many seconds."""

    wait: float
    most: int
    within: float


HOUR, DAY = 3600.0, 86400.0
LIMITS: dict[Rung, Limit] = {
    Rung.REOPEN: Limit(10.0, 10, HOUR),
    Rung.OTHER_PORT: Limit(10.0, 10, HOUR),
    Rung.REREGISTER: Limit(60.0, 6, HOUR),
    Rung.RADIO: Limit(60.0, 6, HOUR),
    Rung.RESET: Limit(90.0, 3, HOUR),
    Rung.USB: Limit(60.0, 3, HOUR),
    Rung.POWER: Limit(90.0, 4, DAY),
}
ALWAYS = frozenset({Rung.REOPEN, Rung.OTHER_PORT, Rung.REREGISTER, Rung.RADIO})
"""Rungs that every modem survives: 27.007 commands and what a replug does too. The others must be proven on the unit:
after a reset it may ask for its PIN or come back as a CD-ROM, and many hubs do not switch anything."""
BY_COMMAND = frozenset({Rung.REREGISTER, Rung.RADIO, Rung.RESET})
"""Rungs that the modem itself takes: it has to answer."""


class Diagnosis(StrEnum):
    HEALTHY = "healthy"
    SIM = "sim"  # card or account: a person must act
    SHARED = "shared"  # another program is on the port
    FORBIDDEN = "forbidden"  # the port cannot be opened for a reason outside the modem
    COVERAGE = "coverage"  # no network
    ZOMBIE = "zombie"  # registered, and nothing gets through
    FIRMWARE = "firmware"  # it answers, with errors of its own
    DEAF = "deaf"  # the port opens, nobody answers
    GONE = "gone"  # the port is not there
    HUB = "hub"  # several modems of one hub went together
    OFF = "off"  # it has switched itself off
    WEAK_SUPPLY = "weak_supply"  # it restarts again and again
    BOOT_LOADER = "boot_loader"  # its firmware is gone, perhaps for good


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """What can be seen. `code`: of the last change of the link, or of a streak of failures on a link that is up."""

    code: str
    answers: bool = False  # AT is answered
    registered: bool | None = None
    without_network: float = 0.0  # seconds
    away: float = 0.0  # seconds since the port went
    usb_id: str = ""  # what is plugged in where the modem was; "" = nothing, or it is no USB modem
    powered_down: bool = False  # it said so
    hub_losses: int = 0  # other modems of its hub that went within the same seconds
    restarts: int = 0  # by itself, within five minutes


_BY_CODE: dict[str, Diagnosis] = {
    "port_shared": Diagnosis.SHARED,
    "port_in_use": Diagnosis.SHARED,
    "data_mode": Diagnosis.SHARED,
    "port_forbidden": Diagnosis.FORBIDDEN,
    "port_failed": Diagnosis.FORBIDDEN,
    "not_a_port": Diagnosis.FORBIDDEN,
    "not_a_modem": Diagnosis.FORBIDDEN,
    "wrong_modem": Diagnosis.GONE,
    "port_missing": Diagnosis.GONE,
    "unplugged": Diagnosis.GONE,
    "deaf": Diagnosis.DEAF,
    "no_answer": Diagnosis.DEAF,
    "write_blocked": Diagnosis.DEAF,
    "network_failing": Diagnosis.ZOMBIE,
    "sends_unanswered": Diagnosis.ZOMBIE,
    "modem_errors": Diagnosis.FIRMWARE,
    "not_registered": Diagnosis.COVERAGE,
    "registration_denied": Diagnosis.SIM,
    "two_profiles": Diagnosis.FORBIDDEN,
    "no_pin_guard": Diagnosis.FORBIDDEN,
    "pin_guard_failed": Diagnosis.FORBIDDEN,
}
_LADDERS: dict[Diagnosis, tuple[Rung, ...]] = {
    Diagnosis.COVERAGE: (Rung.REREGISTER, Rung.RADIO),
    Diagnosis.ZOMBIE: (Rung.REREGISTER, Rung.RADIO, Rung.RESET),
    Diagnosis.FIRMWARE: (Rung.REOPEN, Rung.RADIO, Rung.RESET, Rung.USB, Rung.POWER),
    Diagnosis.DEAF: (Rung.REOPEN, Rung.OTHER_PORT, Rung.USB, Rung.POWER),
    Diagnosis.GONE: (Rung.POWER,),
    Diagnosis.HUB: (Rung.POWER,),
    Diagnosis.OFF: (Rung.POWER,),
    Diagnosis.BOOT_LOADER: (Rung.POWER,),
}
_REMEDIES: dict[Diagnosis, str] = {
    Diagnosis.SIM: "It is the SIM or its account, which no reset cures.",
    Diagnosis.SHARED: "Another program uses the port. Stop it.",
    Diagnosis.FORBIDDEN: "It is the machine's set-up, not the modem. `gsmbridge modem scan` shows the ports.",
    Diagnosis.COVERAGE: "It finds no network. Check antenna and coverage.",
    Diagnosis.ZOMBIE: "It is registered and gets no text through.",
    Diagnosis.FIRMWARE: "It answers with errors of its own.",
    Diagnosis.DEAF: "It does not answer. Unplug it and plug it in again.",
    Diagnosis.GONE: "It is not there. Check cable and supply.",
    Diagnosis.HUB: "Several modems of one hub went together. Check the hub and its supply.",
    Diagnosis.OFF: "It has switched itself off. Cut its power and give it back.",
    Diagnosis.WEAK_SUPPLY: "It restarts again and again: its supply is too weak. Use a powered hub.",
    Diagnosis.BOOT_LOADER: "It has fallen into its boot loader. If a power cut does not help, it is broken.",
    Diagnosis.HEALTHY: "",
}


def diagnose(signs: Signs) -> Diagnosis:
    """The most telling sign first."""
    if signs.usb_id == "05c6:9008":
        return Diagnosis.BOOT_LOADER
    if signs.restarts >= RESET_LOOP:
        return Diagnosis.WEAK_SUPPLY
    if signs.powered_down and not signs.answers:
        return Diagnosis.OFF
    found = _BY_CODE.get(signs.code)
    if found is None:
        return Diagnosis.SIM if signs.code.startswith(("sim_", "wrong_sim")) else Diagnosis.HEALTHY
    if found is Diagnosis.GONE and signs.hub_losses >= HUB_LOSS:
        return Diagnosis.HUB
    if found is Diagnosis.ZOMBIE and signs.registered is False:
        return Diagnosis.COVERAGE
    return found


def remedy(diagnosis: Diagnosis) -> str:
    """A sentence for people."""
    return _REMEDIES[diagnosis]


class Taken(msgspec.Struct, frozen=True):
    """A rung that was climbed."""

    rung: Rung
    at: float


class Climb(msgspec.Struct, frozen=True):
    rung: Rung


class Wait(msgspec.Struct, frozen=True):
    """Look again then; the trouble may pass by itself, or the last rung needs its time."""

    until: float


class Leave(msgspec.Struct, frozen=True):
    """Nothing that we may do helps."""

    reason: str


Step = Climb | Wait | Leave


def decide(
    diagnosis: Diagnosis, signs: Signs, taken: Sequence[Taken], able: frozenset[Rung], *, since: float, now: float
) -> Step:
    """The next step of a trouble that began at `since`. `taken`: all rungs climbed since then or within a day,
    oldest first. `able`: what this unit can take now."""
    ladder = [rung for rung in _LADDERS.get(diagnosis, ()) if rung in able or rung in ALWAYS]
    if not signs.answers:
        ladder = [rung for rung in ladder if rung not in BY_COMMAND]
    if not ladder:
        return Leave(remedy(diagnosis))
    patience = _patience(diagnosis, signs)
    if patience > 0:
        return Wait(now + patience)
    mine = [step for step in taken if step.at >= since]
    if mine and now < mine[-1].at + LIMITS[mine[-1].rung].wait:
        return Wait(mine[-1].at + LIMITS[mine[-1].rung].wait)
    counts = {rung: sum(step.rung is rung for step in mine) for rung in ladder}
    rounds = min(counts.values())
    if rounds and len(set(counts.values())) == 1:  # the whole ladder was climbed
        if diagnosis is Diagnosis.BOOT_LOADER:
            return Leave(remedy(diagnosis))
        again = mine[-1].at + ROUNDS[min(rounds, len(ROUNDS)) - 1]
        if now < again:
            return Wait(again)
    free_at = []
    for rung in ladder:
        if counts[rung] > rounds:
            continue
        limit = LIMITS[rung]
        recent = [step.at for step in taken if step.rung is rung and step.at > now - limit.within]
        if len(recent) < limit.most:
            return Climb(rung)
        free_at.append(recent[-limit.most] + limit.within)
    return Wait(min(free_at))


def _patience(diagnosis: Diagnosis, signs: Signs) -> float:
    """Seconds to wait before anything is done: most of this passes by itself."""
    match diagnosis:
        case Diagnosis.COVERAGE:
            return UNREGISTERED_FOR - signs.without_network
        case Diagnosis.GONE | Diagnosis.HUB:
            return GONE_FOR - signs.away
        case _:
            return 0.0
