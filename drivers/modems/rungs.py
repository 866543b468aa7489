"""The rungs of the repair ladder that the modem takes itself, as commands. Nothing here writes to flash: no AT&W, no
setting that outlives a restart."""

from __future__ import annotations

import asyncio

from drivers.modems import commands
from drivers.modems.commands import Command, build, integer
from drivers.modems.line import Line, LineDown, NoAnswer
from drivers.modems.repair import Rung
from drivers.modems.settings import Timing

__all__ = ["climb"]


async def climb(rung: Rung, line: Line, timing: Timing) -> bool:
    """Carry it out; whether the modem took the commands. Raises `LineDown` when it goes away by this, as a reset makes
    USB modems do."""
    match rung:
        case Rung.REREGISTER:
            await _ask(line, build("AT+COPS", integer(2)), timing.radio)
            await asyncio.sleep(timing.radio_rest)
            return await _ask(line, build("AT+COPS", integer(0)), timing.radio)
        case Rung.RADIO:
            if not await _ask(line, build("AT+CFUN", integer(4)), timing.radio):
                await _ask(line, build("AT+CFUN", integer(0)), timing.radio)  # Wavecom and some ZTE know no 4
            await asyncio.sleep(timing.radio_rest)
            return await _ask(line, build("AT+CFUN", integer(1)), timing.radio)
        case Rung.RESET:
            return await _reset(line, timing)
        case _:
            raise ValueError(f"{rung} is no command")


async def _reset(line: Line, timing: Timing) -> bool:
    """Silence is what a reset may well answer with."""
    for text in dict.fromkeys((line.profile.reset, "AT+CFUN=1,1")):
        try:
            answer = await line.ask(commands.vendor(text), timing.reset)
        except NoAnswer:
            return True
        except LineDown as down:
            if down.code == "rebooted":
                return True
            raise
        if answer.final.ok:
            await asyncio.sleep(timing.reset_rest)
            return True
    return False


async def _ask(line: Line, command: Command, timeout: float) -> bool:
    try:
        return (await line.ask(command, timeout)).final.ok
    except NoAnswer:
        return False
