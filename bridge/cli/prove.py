"""`modem prove`: which harsh rungs of the repair ladder a modem survives, tried with a person watching."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.dialogue import modem_settings
from bridge.cli.exits import Exit, Stop
from bridge.cli.options import ConfigOption, OutputOption
from bridge.cli.output import Form

if TYPE_CHECKING:
    from drivers.modems.repair import Rung
    from drivers.modems.settings import ModemSettings

__all__ = ["prove"]

BACK = 150.0  # seconds until a modem that was reset must be up again
GONE = 40.0  # seconds in which it must be seen to go
_WHAT = {
    "reset": "The modem is told to restart ({command}).",
    "usb": "The kernel forgets its USB device for five seconds.",
    "power": "Its power is cut for about twenty seconds. Watch its light.",
}


def prove(
    id: Annotated[str, typer.Argument(help="The modem's id in the configuration.")],
    rung: Annotated[
        list[str] | None, typer.Option("--rung", metavar="RUNG", help="reset, usb or power; repeatable. Default: all.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Only where somebody watches.")] = False,
    config: ConfigOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Try the repairs that not every modem survives, one by one, and remember which work on this one. The service must
    not run."""
    from bridge.cli.client import settings_for
    from drivers.modems.repair import ALWAYS, Rung

    harsh = [r for r in Rung if r not in ALWAYS]
    wanted = []
    for name in rung or [r.value for r in harsh]:
        if name not in harsh:
            raise Stop(Exit.USAGE, f"--rung {name}: there are {', '.join(harsh)}")
        wanted.append(Rung(name))
    settings = settings_for(config)
    channel, modem = modem_settings(config, id, None)
    state_dir = settings.service.state_dir
    as_json = output is Form.JSON
    if as_json and not yes:
        raise Stop(Exit.USAGE, "with -o json nobody can be asked", "Add --yes, and watch.")
    told = asyncio.run(_prove(channel, modem, wanted, state_dir, settings.service.usb_helper, yes, quiet=as_json))
    if as_json:
        from bridge.cli.output import document

        document({"channel": channel, "rungs": told})
    if any(one["works"] is False for one in told):
        raise typer.Exit(Exit.FAILED)


async def _prove(
    channel: str, modem: ModemSettings, wanted: list[Rung], state_dir: Path, helper: Path, yes: bool, *, quiet: bool
) -> list[dict[str, Any]]:
    """What came of each rung; `works` is None for what was not tried."""

    def say(text: str) -> None:
        if not quiet:
            print(text)

    def tell(rung: Rung, works: bool | None, seconds: float, why: str) -> None:
        told.append({"rung": rung.value, "works": works, "seconds": round(seconds, 1), "why": why})
        say(f"{rung.value}: works, {seconds:.0f} s" if works else f"{rung.value}: {why}")

    import msgspec

    from bridge.cli.recorder import PATIENCE, brought_up
    from drivers.contract import LinkState
    from drivers.modems.actions import ActionFailed, MachineActions
    from drivers.modems.build import PROOFS
    from drivers.modems.pin_guard import FilePinGuard
    from drivers.modems.profiles import by_name
    from drivers.modems.proofs import Proof, Proofs
    from drivers.modems.repair import Rung

    actions = MachineActions(helper, modem.power_command)
    proofs = Proofs(state_dir / PROOFS)
    guard = FilePinGuard(state_dir / "pin-guard.json")
    modem = msgspec.structs.replace(modem, repair=False)
    told: list[dict[str, Any]] = []
    async with brought_up(channel, modem, actions=actions, guard=guard) as (driver, ear):
        try:
            async with asyncio.timeout(PATIENCE):
                up = await ear.state(LinkState.UP, LinkState.BLOCKED)
        except TimeoutError:
            reason = ear.links[-1].reason if ear.links else "nothing was heard"
            raise Stop(Exit.UNAVAILABLE, f"{channel} does not come up: {reason}") from None
        if up.state is LinkState.BLOCKED:
            raise Stop(Exit.UNAVAILABLE, f"{channel} cannot be used: {up.reason}")
        if not up.imei:
            raise Stop(Exit.UNAVAILABLE, f"{channel} does not tell its IMEI, so nothing can be remembered of it")
        say(f"{channel}: {up.model}, IMEI {up.imei}, on {up.port}")
        for rung in wanted:
            if not driver.can_climb(rung):
                tell(rung, None, 0.0, f"not possible here. {_missing(rung.value)}")
                continue
            say(f"{rung.value}: {_WHAT[rung.value].format(command=by_name(up.profile).reset)}")
            if not yes and not typer.confirm("Try it?"):
                tell(rung, None, 0.0, "left out")
                continue
            seen, started = len(ear.links), time.monotonic()
            works, why = True, ""
            try:
                await driver.climb(rung)
                async with asyncio.timeout(GONE):
                    await ear.state(LinkState.DOWN, LinkState.STARTING, after=seen)
                async with asyncio.timeout(BACK):
                    await ear.state(LinkState.UP, after=seen)
            except ActionFailed as error:
                works, why = False, str(error)
            except TimeoutError:
                gone = len(ear.links) > seen
                works, why = False, "it did not come back" if gone else "nothing happened to the modem"
            seconds = time.monotonic() - started
            if works and rung is Rung.POWER and not yes and not typer.confirm("Did its light go out?"):
                works, why = False, "its power was not really cut"
            proofs.keep(up.imei, rung, Proof(works=works, seconds=round(seconds, 1), at=int(time.time() * 1000)))
            tell(rung, works, seconds, "" if works else f"does not work: {why}")
            if why == "it did not come back":
                raise Stop(
                    Exit.FAILED, f"{channel} did not come back after {rung.value}; unplug it and plug it in again"
                )
    _give_to_owner(state_dir, PROOFS)
    return told


def _missing(rung: str) -> str:
    if rung == "usb":
        return "The USB helper is not there (systemctl enable --now gsmbridge-usb.socket), or it is no USB modem."
    return "Neither the USB helper nor a power_command is there."


def _give_to_owner(state_dir: Path, name: str) -> None:
    """Run as root, what was written must be the service's."""
    path = state_dir / name
    if os.geteuid() == 0 and path.exists():
        status = state_dir.stat()
        os.chown(path, status.st_uid, status.st_gid)
