"""What a modem is told and asked after each opening and restart, as a table to be read.

Each step says why, how long it may take, and what it means when the modem refuses: `NEEDED` ends the bring-up with the
sentence given, `WISHED` goes on without it (many modems lack it and still send and receive). Steps that are more than
one command name what is done in `Do`; `startup` carries them out.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from drivers.modems import commands
from drivers.modems.commands import Command, build, integer, storage, word
from drivers.modems.profile import Cnmi, Profile

__all__ = ["SCRIPT", "Do", "Refusal", "Step", "cnmi_candidates", "cnmi_command", "iccid_commands", "pick_storage"]


class Do(Enum):
    ASK = "send the command, learn from its answer"
    ALIVE = "leave a forgotten prompt, wait for AT to be answered"
    ECHO = "words instead of digits, no echo"
    IDENTITY = "maker and model, then the profile's own settings"
    IMEI = "the modem's number, by the commands its maker understands"
    RADIO = "radio on, if it is not"
    SIM = "SIM state; the PIN, at most once"
    ICCID = "the SIM's number, by the commands its maker understands"
    PDU_MODE = "wait until the SMS layer works, then PDU mode"
    STORAGE = "choose where texts are kept"
    NOTIFY = "choose how texts and reports are announced"


class Refusal(Enum):
    WISHED = "go on without"
    NEEDED = "cannot work without"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    do: Do = Do.ASK
    command: Command | None = None
    why: str
    within: str = "ask"  # the name of a `Timing` field
    refusal: Refusal = Refusal.WISHED
    only: str = ""  # the name of a `Profile` flag that must be set


AT = Command(text="AT")
SCRIPT = (
    Step(do=Do.ALIVE, why="is a modem there", refusal=Refusal.NEEDED),
    Step(do=Do.ECHO, why="echo comes back after every reset"),
    Step(command=build("AT+CMEE", integer(1)), why="errors as numbers; words differ by vendor"),
    Step(do=Do.IDENTITY, why="choose the profile, stop periodic notifications"),
    Step(do=Do.IMEI, why="a modem is its IMEI, not its port"),
    Step(do=Do.RADIO, why="CFUN=1 when it is 1 already restarts the stack of some modems: ask first", within="radio"),
    Step(do=Do.SIM, why="is the SIM there and open", refusal=Refusal.NEEDED),
    Step(do=Do.ICCID, why="a SIM is its ICCID"),
    Step(command=build("AT+CIMI", bare=True, informs=True), why="the SIM's subscriber", within="sim"),
    Step(command=build("AT+CREG", integer(2)), why="tell changes of registration"),
    Step(command=build("AT+CREG?", informs=True), why="registered with the network"),
    Step(command=build("AT+CEREG", integer(1)), why="the same for LTE"),
    Step(command=build("AT+CEREG?", informs=True), why="LTE modems are registered here only"),
    Step(command=build("AT+COPS", integer(3), integer(2)), why="operators as numbers"),
    Step(command=build("AT+COPS?", informs=True), why="operator", within="operator"),
    Step(command=build("AT+CSQ", informs=True), why="signal"),
    Step(command=build("AT+CSCS", word("GSM")), why="plain text in names and in +CSCA"),
    Step(command=build("AT+CSCA?", informs=True, sms=True), why="without a service centre every send fails"),
    Step(command=build("AT+CSMS?", informs=True, sms=True), why="with service 1 we must acknowledge +CMT and +CDS"),
    Step(do=Do.PDU_MODE, why="text mode loses reports, headers and ports", within="sim_ready", refusal=Refusal.NEEDED),
    Step(do=Do.STORAGE, why="texts must land where we look", within="storage"),
    Step(do=Do.NOTIFY, why="be told of texts and reports"),
    Step(command=build("AT+CMMS", integer(2), sms=True), why="keep the radio link for bursts", only="keep_link"),
    Step(command=build("AT+CLIP", integer(1)), why="know who calls"),
    Step(command=build("ATS0", integer(0)), why="never answer calls"),
)

_CNMI_GENERAL: tuple[Cnmi, ...] = (
    (2, 1, 0, 2, 0),
    (2, 1, 0, 1, 0),
    (2, 1, 2, 2, 0),
    (1, 1, 0, 1, 0),
    (2, 1, 0, 0, 0),
    (1, 1, 0, 0, 0),
)


def cnmi_candidates(
    profile: Profile, choices: tuple[frozenset[int], ...], *, direct: bool = False, no_stored_reports: bool = False
) -> list[Cnmi]:
    """Settings of +CNMI to try, best first. `choices`: what AT+CNMI=? allows, empty when unknown.

    `direct`: no storage takes texts, so they must come as +CMT. `no_stored_reports`: +CDSI has lied on this modem.
    """
    wanted: list[Cnmi] = [*profile.cnmi]
    if len(choices) == 5:
        mode = next((m for m in (2, 1, 3) if m in choices[0]), 2)
        bm = 0 if 0 in choices[2] else min(choices[2], default=0)
        wanted += [(mode, 1, bm, ds, _buffer(choices)) for ds in (2, 1, 0) if ds in choices[3] and 1 in choices[1]]
    wanted += [_with_buffer(c, choices) for c in _CNMI_GENERAL]
    if direct:
        wanted = [(c[0], 2, c[2], c[3], c[4]) for c in wanted]
    if no_stored_reports:
        wanted = [c if c[3] != 2 else (c[0], c[1], c[2], 1, c[4]) for c in wanted]
    allowed = [c for c in wanted if _allowed(c, choices)]
    return list(dict.fromkeys(allowed + wanted))


def cnmi_command(candidate: Cnmi) -> Command:
    return build("AT+CNMI", *(integer(item) for item in candidate), sms=True)


def pick_storage(wanted: str, profile: Profile, offered: tuple[str, ...]) -> list[str]:
    """Storages to try for incoming texts, best first. `offered`: what AT+CPMS=? says, empty when it says nothing."""
    order = [wanted] if wanted else []
    order += [name for name in profile.storages if name not in order]
    return [name for name in order if not offered or name in offered]


def storage_commands(name: str) -> tuple[Command, ...]:
    """All three memories, then only those that very old modems and the MC75i let us choose."""
    one = storage(name)
    return tuple(build("AT+CPMS", *[one] * count, sms=True) for count in (3, 2, 1))


def iccid_commands(profile: Profile) -> tuple[Command, ...]:
    """The profile's own, then what most understand; +CRSM reads EF_ICCID (31.102 §4.2.1) nearly everywhere."""
    texts = [*profile.iccid, "AT+CCID", "AT+CRSM=176,12258,0,0,10", "AT+QCCID", "AT+ICCID"]
    owned = ("+CCID:", "+ICCID:", "^ICCID:", "+QCCID:", "#CCID:", "!ICCID:", "^SCID:", "+CRSM:", "+ZGETICCID:", "SCID:")
    return tuple(commands.vendor(text, bare=True, informs=True, owns=owned) for text in dict.fromkeys(texts))


def imei_commands() -> tuple[Command, ...]:
    owned = ("+CGSN:", "+GSN:")
    return tuple(
        commands.vendor(text, bare=True, informs=True, owns=owned) for text in ("AT+CGSN", "AT+GSN", "AT+CGSN=1")
    )


def _buffer(choices: tuple[frozenset[int], ...]) -> int:
    return 0 if 0 in choices[4] or not choices[4] else min(choices[4])


def _with_buffer(candidate: Cnmi, choices: tuple[frozenset[int], ...]) -> Cnmi:
    """Siemens and Cinterion allow only 1 for the fifth argument."""
    return (*candidate[:4], _buffer(choices)) if len(choices) == 5 else candidate


def _allowed(candidate: Cnmi, choices: tuple[frozenset[int], ...]) -> bool:
    return len(choices) != 5 or all(value in allowed for value, allowed in zip(candidate, choices, strict=True))
