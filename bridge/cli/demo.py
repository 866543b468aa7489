"""`demo`: the main job on two simulated modems, told line by line as it happens; then the modems are pulled out and the
cloud takes over, then the internet is cut and a modem does.

All is real but the radio and the provider: the service with its store, the modem driver on ptys, the HTTP API with a
key, a provider's driver on HTTP. The simulated network delivers, reports, and its subscriber answers.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.exits import Exit, Stop
from bridge.cli.options import OutputOption
from bridge.cli.output import Form

if TYPE_CHECKING:
    from bridge.app import App
    from bridge.telemetry import Occurrence
    from drivers.simulator import Simulation
    from drivers.simulator.providers import ProviderSimulation

__all__ = ["demo"]

_PATIENCE = 30.0  # seconds; it takes about 5
_TOKEN = "demo-token-of-the-callback-address"  # noqa: S105 - the provider is simulated too
_CLOUD, _PROVIDER = "cloud", "smsc"
_SEND, _REPORT = 0.3, 0.5  # seconds that the simulated network takes, about what a good day gives
_PHONE = "+447700900999"  # a number that Ofcom keeps free for fiction; its owner answers
_QUESTION = "Hello from gsm-bridge! Does this reach you?"
_REPLY = "It does. Greetings from the other side."
_TO_MODEM = "From one modem to the other."
_BY_CLOUD = "The modems are gone, so the cloud carries this one."
_BY_MODEM = "The internet is gone, so a modem carries this one."
_LONG = "A long text is cut into parts, and the phone joins them again, emoji and all: 📡🐝👍 żółw, 你好."


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running until Ctrl-C, to try the API.")] = False,
    output: OutputOption = Form.TABLE,
) -> None:
    """Send and receive on two simulated modems, and tell what happens. No modem needed; leaves nothing behind."""
    import uvloop

    directory = Path(tempfile.mkdtemp(prefix="gsmbridge-demo-"))
    try:
        uvloop.run(_play(directory, keep, output))
    except Stop:
        raise  # the directory stays, with the log that tells why
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    shutil.rmtree(directory, ignore_errors=True)


async def _play(directory: Path, keep: bool, output: Form) -> None:
    from bridge import app as service
    from bridge.config import load
    from drivers.simulator import Simulation
    from drivers.simulator.providers import ProviderSimulation

    _log_to(directory / "gsmbridge.log")
    tell = _Teller(output)
    simulation = Simulation(modems=2, delay=_SEND, reports=_REPORT, directory=directory / "modems")
    config = directory / "config.toml"
    internet = AsyncExitStack()
    clouds = await internet.enter_async_context(ProviderSimulation([_PROVIDER]))
    config.write_text(_configuration(directory, simulation, clouds))
    async with internet, simulation, service.running(load(config)) as app:
        clouds.account(_PROVIDER).callback = f"{app.url}/v1/callbacks/{_CLOUD}/{_TOKEN}"
        tell.line("start", f"the service listens on {app.url}, its store is new, in {directory}/state")
        key_file = await _make_key(app, directory)
        with app.telemetry.listen() as events:
            play = _Play(app, simulation, internet, tell, events, key_file)
            try:
                async with asyncio.timeout(_PATIENCE):
                    await play.run()
            except TimeoutError:
                raise Stop(
                    Exit.FAILED,
                    f"the demo did not get through in {_PATIENCE:g} s; missing: {', '.join(sorted(play.missing))}",
                    f"Its log is {directory}/gsmbridge.log.",
                ) from None
            if keep:
                _explain(app.url, key_file, config, simulation)
                await play.go_on()
        url = app.url
    if not keep:
        tell.last(
            f"That was all of it, on {url}. To keep it running and try it: make demo KEEP=1, or gsmbridge demo --keep"
        )


class _Teller:
    def __init__(self, output: Form) -> None:
        self._output = output

    def line(self, what: str, story: str, at: int | None = None) -> None:
        from bridge.cli.output import clean, clock, line
        from bridge.clock import rfc3339, wall

        when = rfc3339(wall() if at is None else at)
        if self._output is Form.JSON:
            line({"at": when, "what": what, "story": story})
        else:
            print(f"{clock(when)}  {what:<9}  {clean(story)}", flush=True)

    def last(self, story: str) -> None:
        if self._output is Form.JSON:
            self.line("end", story)
        else:
            print(f"\n{story}", flush=True)


class _Play:
    """Orders three texts, answers the first, and tells every event until all have arrived."""

    def __init__(
        self,
        app: App,
        simulation: Simulation,
        internet: AsyncExitStack,
        tell: _Teller,
        events: asyncio.Queue[Occurrence],
        key_file: Path,
    ) -> None:
        self._internet = internet
        self._app = app
        self._simulation = simulation
        self._tell = tell
        self._events = events
        self._key_file = key_file
        self._names: dict[str, str] = {}  # message id -> "text 1"
        self._by_text = {
            _QUESTION: "text 1",
            _TO_MODEM: "text 2",
            _LONG: "text 3",
            _BY_CLOUD: "text 4",
            _BY_MODEM: "text 5",
        }
        self._first_by = ""  # the channel that sent text 1
        self.missing = {"text 1", "text 2", "text 3", "the text from modem to modem", "the reply"}

    async def run(self) -> None:
        await self._wait_for_modems()
        await self._order({"to": _PHONE, "text": _QUESTION})
        await self._order({"to": self._simulation.modems[1].number, "text": _TO_MODEM, "channel": "gsm1"})
        await self._order({"to": _PHONE, "text": _LONG})
        await self._until_none_is_missing()
        await self._without_modems()
        await self._without_internet()

    async def _without_modems(self) -> None:
        self._tell.line("trouble", "both modems are pulled out")
        for modem in self._simulation.modems:
            modem.unplug()
        await self._until({("channel_down", "gsm1"), ("channel_down", "gsm2")})
        self.missing = {"text 4"}
        await self._order({"to": _PHONE, "text": _BY_CLOUD})
        await self._until_none_is_missing()

    async def _without_internet(self) -> None:
        self._simulation.modems[0].replug()
        await self._until({("channel_up", "gsm1")})
        self._tell.line("trouble", "the internet is cut; text 5 asks for the route cloud-first")
        await self._internet.aclose()
        self.missing = {"text 5"}
        await self._order({"to": _PHONE, "text": _BY_MODEM, "route": "cloud-first"})
        await self._until_none_is_missing()

    async def _until_none_is_missing(self) -> None:
        while self.missing:
            self._tell_of(await self._events.get())

    async def _until(self, wanted: set[tuple[str, str]]) -> None:
        while wanted:
            event = await self._events.get()
            self._tell_of(event)
            wanted.discard((event.name, str(event.fields.get("channel"))))

    async def go_on(self) -> None:
        """Tell what happens until somebody stops it."""
        import signal

        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        telling = asyncio.create_task(self._tell_forever())
        await stop.wait()
        telling.cancel()

    async def _tell_forever(self) -> None:
        while True:
            self._tell_of(await self._events.get())

    async def _wait_for_modems(self) -> None:
        from drivers.contract import LinkState

        # Looked at and listened to without a pause between: no change is missed.
        down = {id for id, channel in self._app.channels.items() if channel.state is not LinkState.UP}
        for id in sorted(self._app.channels.keys() - down):
            self._tell.line("modem", f"{id} is ready")
        while down:
            event = await self._events.get()
            if event.name == "channel_up":
                down.discard(str(event.fields["channel"]))
            self._tell_of(event)

    async def _order(self, order: dict[str, str]) -> None:
        import httpx

        headers = {"Authorization": f"Bearer {self._key_file.read_text().strip()}"}
        async with httpx.AsyncClient(base_url=self._app.url, headers=headers, trust_env=False) as client:
            answer = await client.post("/v1/messages", json=order)
        if answer.status_code != 202:
            raise Stop(Exit.FAILED, f"the service refused {self._by_text[order['text']]}: {answer.text}")

    def _tell_of(self, event: Occurrence) -> None:
        told = self._story(event.name, event.fields)
        if told is not None:
            self._tell.line(*told, at=event.at)

    def _story(self, name: str, fields: dict[str, Any]) -> tuple[str, str] | None:
        from bridge.cli.output import count

        text = self._names.get(str(fields.get("message")), str(fields.get("message")))
        by = fields.get("channel")
        match name:
            case "channel_up":
                what = "cloud" if by == _CLOUD else "modem"
                return what, f"{by} is ready ({fields.get('model') or 'unknown model'})"
            case "channel_down":
                return "down", f"{by}: {fields.get('reason')}"
            case "accepted":
                self._names[fields["message"]] = self._by_text.get(fields["text"], fields["message"])
                return "accepted", (
                    f"{self._names[fields['message']]} for {fields['to']}, {count(fields['parts'], 'part')}, stored as "
                    f"{fields['message']}: {_quoted(fields['text'])}"
                )
            case "armed":
                return "armed", f"{text}{_part(fields)}: the intent to send it by {by} is on disk"
            case "sent" | "part_sent":
                if text == "text 1":
                    self._first_by = str(by)
                if fields["tp_mr"] is None:
                    return "sent", f"{text}: the provider behind {by} took it, as {fields['reference']}"
                return "sent", f"{text}{_part(fields)}: the network took it from {by}, TP-MR {fields['tp_mr']}"
            case "report" if fields.get("status") == "delivered":
                self._delivered(text)
                return "delivered", f"{text}: the network reports that the phone has it"
            case "report":
                return "report", f"{text}: {fields.get('fate')} for one of its parts"
            case "received":
                self._received(fields)
                return "received", (
                    f"by {by} from {fields['sender']}, stored as {fields['inbound']}: {_quoted(fields['text'])}"
                )
            case "in_doubt" | "not_sent" | "late_result" | "resend" | "expired":
                return name.replace("_", " "), f"{text}: {fields.get('reason') or fields.get('status') or ''}"
            case _:
                return None

    def _delivered(self, text: str) -> None:
        self.missing.discard(text)
        if text == "text 1":
            # The subscriber answers to the number that wrote to him.
            index = list(self._app.channels).index(self._first_by)
            self._simulation.network.inject(self._simulation.modems[index].number, _REPLY, sender=_PHONE)

    def _received(self, fields: dict[str, Any]) -> None:
        self.missing.discard("the reply" if fields["text"] == _REPLY else "the text from modem to modem")


def _part(fields: dict[str, Any]) -> str:
    return f", part {fields['part']} of {fields['parts']}" if fields["parts"] > 1 else ""


def _quoted(text: str | None) -> str:
    return "(no text)" if text is None else f"“{text}”"


def _configuration(directory: Path, simulation: Simulation, clouds: ProviderSimulation) -> str:
    account = clouds.account(_PROVIDER)
    password = directory / "provider.password"
    with os.fdopen(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(account.password)
    token = directory / "callback.token"
    with os.fdopen(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(_TOKEN)
    provider = (
        f'\n[[provider]]\nid = "{_CLOUD}"\ndriver = "{_PROVIDER}"\nurl = "{clouds.url(_PROVIDER)}/sys/soap.php"\n'
        f'login = "{account.login}"\npassword_file = "{password}"\ncallback_token_file = "{token}"\n'
    )
    modems = "".join(
        f'\n[[modem]]\nid = "gsm{index}"\nport = "{modem.port}"\n' for index, modem in enumerate(simulation.modems, 1)
    )
    return f'[service]\nstate_dir = "{directory}/state"\nlisten = "127.0.0.1:0"\n{modems}{provider}'


async def _make_key(app: App, directory: Path) -> Path:
    """As the operator would: over the private socket."""
    import httpx

    transport = httpx.AsyncHTTPTransport(uds=str(app.settings.service.socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://gsmbridge") as client:
        answer = await client.post("/v1/keys", json={"name": "demo", "scope": "send"})
    answer.raise_for_status()
    file = directory / "key"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(answer.json()["secret"] + "\n")
    return file


def _explain(url: str, key_file: Path, config: Path, simulation: Simulation) -> None:
    number = simulation.modems[0].number
    print(
        f"""
It goes on at {url}, until Ctrl-C. The API key of this demo is in {key_file}. Try, in another terminal:

  KEY=$(cat {key_file})
  curl -H "Authorization: Bearer $KEY" --json '{{"to":"{_PHONE}","text":"Hello"}}' {url}/v1/messages
  curl -H "Authorization: Bearer $KEY" {url}/v1/messages
  curl -H "Authorization: Bearer $KEY" {url}/v1/inbound

  export GSMBRIDGE_CONFIG={config}
  gsmbridge send --to {number} --wait delivered "From the command line"
  gsmbridge ls
  gsmbridge inbox
""",
        flush=True,
    )


def _log_to(file: Path) -> None:
    import logging

    handler = logging.FileHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("gsmbridge")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
