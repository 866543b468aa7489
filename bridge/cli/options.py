"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from bridge.cli.output import Form

__all__ = ["ConfigOption", "KeyFileOption", "OutputOption", "UrlOption"]

ConfigOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="FILE", help="The configuration. Default: $GSMBRIDGE_CONFIG, then the usual places."
    ),
]
UrlOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        envvar="GSMBRIDGE_URL",
        help="Talk to the service at this address, not over its private socket.",
    ),
]
KeyFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--key-file", metavar="FILE", envvar="GSMBRIDGE_KEY_FILE", help="File with the API key that --url needs."
    ),
]
OutputOption: TypeAlias = Annotated[
    Form,
    typer.Option("--output", "-o", help="table for people, json for programs."),
]
