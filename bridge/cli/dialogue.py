"""`modem record | replay | recording`: what is said to and by a modem."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.exits import Exit, Stop
from bridge.cli.options import ConfigOption, OutputOption
from bridge.cli.output import Form

if TYPE_CHECKING:
    from drivers.modems.settings import ModemSettings

__all__ = ["PortOption", "modem_settings", "record", "recording", "replay"]

LAST_WORDS = 1.0  # seconds in which the other side reads what was written last, before the port goes

PortOption = Annotated[
    str | None, typer.Option("--port", "-p", metavar="PORT", help="Or a port, without configuration.")
]


def modem_settings(config: Path | None, id: str | None, port: str | None) -> tuple[str, ModemSettings]:
    """The modem by its id in the configuration, or by its port. Raises `Stop`."""
    from bridge.cli.client import settings_for
    from drivers.modems.settings import ModemSettings

    if (id is None) == (port is None):
        raise Stop(Exit.USAGE, "name the modem: by its id in the configuration, or with --port")
    if port is not None:
        return "modem", ModemSettings(port=port)
    settings = settings_for(config)
    for modem in settings.modems:
        if modem.id == id:
            return modem.id, ModemSettings(
                port=modem.port,
                imei=modem.imei or "",
                iccid=modem.iccid or "",
                profile=modem.profile or "",
                storage=modem.storage or "",
                baudrate=modem.baudrate,
                rtscts=modem.rtscts,
                power_command=modem.power_command,
            )
    known = ", ".join(modem.id for modem in settings.modems) or "none"
    raise Stop(Exit.NO_INPUT, f"no modem is called {id}", f"The configuration has: {known}.")


def record(
    id: Annotated[str | None, typer.Argument(metavar="[ID]", help="The modem's id in the configuration.")] = None,
    port: PortOption = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Default: standard output.")] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", min=1, help="Default: until Ctrl-C.")] = None,
    send: Annotated[str | None, typer.Option("--send", metavar="NUMBER", help="Send a text there meanwhile.")] = None,
    name: Annotated[str, typer.Option("--name", help="Of the transcript: a letter, then letters and digits.")] = "X1",
    config: ConfigOption = None,
) -> None:
    """Bring a modem up and write what is said as a transcript, numbers and texts masked. The service must not run."""
    import re
    import sys

    from bridge.cli.recorder import listen
    from drivers.modems.transcript import transcript

    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name):
        raise Stop(Exit.USAGE, f"--name {name}: a capital letter, then letters and digits")
    channel, settings = modem_settings(config, id, port)
    heard, facts = listen(channel, settings, seconds, send)
    title = f"{facts.model} {facts.firmware}".strip() or "Recorded"
    must = "say here what a gateway has to do."
    profile = facts.profile if facts.profile else "generic"
    text = transcript(heard, name=name, title=re.sub(r"[*\r\n]", " ", title), profile=_simulated(profile), must=must)
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(Exit.CANT_CREATE, f"{out} cannot be written: {error.strerror}") from None
    print(f"{out}: {len(text.splitlines())} lines. Play it with: gsmbridge modem replay {out}", file=sys.stderr)


def _simulated(profile: str) -> str:
    """The simulator's name for a driver's profile."""
    return {"simcom": "sim800", "simcom_lte": "simcom"}.get(profile, profile)


def replay(
    file: Annotated[Path, typer.Argument(help="A transcript.")],
    dir: Annotated[Path | None, typer.Option("--dir", metavar="DIR", help="Where the port is linked.")] = None,
    scale: Annotated[float, typer.Option("--scale", min=0.0, help="1: pauses last as long as they did.")] = 1.0,
    bytewise: Annotated[bool, typer.Option("--bytewise", help="One byte in each write.")] = False,
) -> None:
    """Play a transcript on a pty: any AT software can talk to it. Ends with the last line; exit status 1 when the other
    side did not keep to it."""
    import asyncio
    import tempfile

    from drivers.simulator.scenario import Scenario, ScenarioError

    try:
        scenario = Scenario.parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Stop(Exit.NO_INPUT, f"{file} cannot be read: {error.strerror}") from None
    except (ScenarioError, UnicodeDecodeError) as error:
        raise Stop(Exit.DATA, f"{file}: {error}") from None

    async def play(folder: Path) -> None:
        from drivers.modems.masking import mask_pdu
        from drivers.simulator.player import ScenarioFailed
        from drivers.simulator.stage import Stage

        def happens(stage: Stage, text: str) -> None:
            print(f"! {text}", flush=True)
            if text.startswith("unplug"):
                stage.unplug()
            elif text.startswith("replug"):
                stage.replug()

        try:
            async with Stage(
                scenario,
                directory=folder,
                scale=scale,
                chunk=1 if bytewise else 0,
                happens=happens,
                same_pdu=lambda due, said: said == due or mask_pdu(said) == due,
            ) as stage:
                print(f"{stage.port} plays {scenario.name} {scenario.title}".rstrip(), flush=True)
                if scenario.must:
                    print(f"It must {scenario.must}" if scenario.must[:1].islower() else scenario.must, flush=True)
                stage.begin()
                await stage.finished()
                await asyncio.sleep(LAST_WORDS)
                for extra in stage.extra:
                    print(f"not in the transcript: {extra.line.decode('latin-1')!r}")
        except ScenarioFailed as failure:
            raise Stop(Exit.FAILED, str(failure)) from None
        print("played to its end")

    if dir is not None:
        if not dir.is_dir():
            raise Stop(Exit.NO_INPUT, f"{dir} is no directory")
        asyncio.run(play(dir))
        return
    with tempfile.TemporaryDirectory(prefix="gsmbridge-") as folder:
        asyncio.run(play(Path(folder)))


def recording(
    id: Annotated[str, typer.Argument(help="The modem's id in the configuration.")],
    kept: Annotated[bool, typer.Option("--kept", help="What was kept aside at faults, the newest last.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="At most so many of the last lines; 0: all.")] = 0,
    config: ConfigOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """The last minutes of what was said to and by a modem, numbers and texts masked, as the service has written it."""
    from bridge.cli.client import settings_for
    from bridge.cli.output import clean, document
    from drivers.modems.build import RECORDINGS
    from drivers.modems.flight_recorder import kept_of, recording_of

    settings = settings_for(config)
    if id not in {modem.id for modem in settings.modems}:
        known = ", ".join(modem.id for modem in settings.modems) or "none"
        raise Stop(Exit.NO_INPUT, f"no modem is called {id}", f"The configuration has: {known}.")
    folder = settings.service.state_dir / RECORDINGS
    try:
        if kept:
            found = [(path.name.split(".")[2:], path.read_text(encoding="utf-8")) for path in kept_of(folder, id)]
        else:
            text = recording_of(folder, id)
            found = [([], text)] if text else []
    except PermissionError:
        raise Stop(Exit.NO_PERMISSION, f"{folder} is the service's; run this as its user or with sudo") from None
    except OSError as error:
        raise Stop(Exit.IO, f"{folder} cannot be read: {error.strerror}") from None
    told = [(name, text.splitlines()[-lines:] if lines else text.splitlines()) for name, text in found]
    if output is Form.JSON:
        document({"recordings": [{"at": n[0], "reason": n[1], "lines": t} if n else {"lines": t} for n, t in told]})
        return
    for words, said in told:
        if words:
            print(f"--- {words[0]} {words[1]}")
        for line in said:
            print(clean(line))
    if not told:
        print("Nothing was kept aside." if kept else f"There is no recording of {id} yet: it is written once a minute.")
