"""`config check | example | show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.options import ConfigOption, OutputOption
from bridge.cli.output import Form

if TYPE_CHECKING:
    from bridge.config import Settings

__all__ = ["check", "example", "show"]


def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Default: the one the service would use.")
    ] = None,
    config: ConfigOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Read the configuration as `run` would, secrets too, and name every mistake. Exit status 78 if there is one."""
    from bridge.cli.checked import load_checked
    from bridge.cli.client import config_stop
    from bridge.cli.output import count, document
    from bridge.config import ConfigError

    try:
        settings = load_checked(file or config)
    except ConfigError as error:
        stop = config_stop(error)
        if output is Form.JSON:
            problems = [{"at": p.at, "line": p.line or None, "detail": p.detail} for p in error.problems]
            document({"ok": False, "file": str(error.source) if error.source else None, "problems": problems})
            raise typer.Exit(stop.exit) from None
        raise stop from None
    if output is Form.JSON:
        document({"ok": True, "file": str(settings.source) if settings.source else None, "problems": []})
        return
    name = settings.source or "There is no configuration file; the defaults are"
    if not settings.source:
        print(f"{name} good, without a modem.")
        return
    found = [count(len(settings.modems), "modem")]
    if settings.providers:
        found.append(count(len(settings.providers), "provider account"))
    if settings.routes:
        found.append(count(len(settings.routes), "route"))
    print(f"{name}: good, {', '.join(found)}.")


def example(output: OutputOption = Form.TABLE) -> None:
    """Print a complete configuration with comments: the defaults."""
    from bridge.cli.output import document
    from bridge.config import example as text

    if output is Form.JSON:
        document({"toml": text()})
    else:
        print(text(), end="")


def show(config: ConfigOption = None, output: OutputOption = Form.TABLE) -> None:
    """Print the settings in force, defaults included. Secrets are not shown."""
    from bridge.cli.client import settings_for
    from bridge.cli.output import document, pairs

    settings = plain(settings_for(config))
    if output is Form.JSON:
        document(settings)
        return
    print(f"# from {settings['source'] or 'no file: the defaults'}")
    for table in ("service", "limits", "sending"):
        pairs({f"{table}.{name}": value for name, value in settings[table].items()})
    for table in ("modem", "provider", "route"):
        for index, one in enumerate(settings[table]):
            pairs({f"{table}[{index}].{name}": value for name, value in one.items()})


def plain(settings: Settings) -> dict[str, Any]:
    """Settings as a JSON document, times in seconds, sizes in octets."""
    import msgspec

    made: dict[str, Any] = msgspec.to_builtins(settings, enc_hook=_plain_value)
    made["modem"] = [{name: value for name, value in m.items() if name != "pin"} for m in made.pop("modems")]
    made["provider"] = [
        {"id": p["id"], "driver": p["driver"], **p["options"]} for p in made.pop("providers")
    ]  # read without their secrets
    made["route"] = made.pop("routes")
    return made


def _plain_value(value: object) -> str:
    return str(value)  # paths; of secrets the repr, which shows nothing
