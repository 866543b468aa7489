"""`run`: the service itself."""

from __future__ import annotations

import typer

from bridge.cli.exits import Exit, Stop
from bridge.cli.options import ConfigOption

__all__ = ["run"]


def run(config: ConfigOption = None) -> None:
    """Run the service in the foreground until SIGTERM or Ctrl-C. It logs to stderr."""
    from bridge.cli.checked import load_checked
    from bridge.cli.client import config_stop
    from bridge.config import ConfigError, default_paths

    try:
        settings = load_checked(config)
    except ConfigError as error:
        raise config_stop(error) from None
    if settings.source is None:
        places = " and ".join(str(p) for p in default_paths())
        raise Stop(
            Exit.CONFIG,
            f"there is no configuration; looked at {places}",
            f"Begin with: gsmbridge config example > {default_paths()[0]}",
        )
    from bridge import app  # after the configuration proved good: the service's libraries take half a second

    raise typer.Exit(app.run(settings))
