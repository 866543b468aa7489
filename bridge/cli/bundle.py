"""`support-bundle`: what a person who helps needs to see, and nothing private."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.exits import Exit, Stop
from bridge.cli.options import ConfigOption, OutputOption
from bridge.cli.output import Form

if TYPE_CHECKING:
    from bridge.doctor import Facts

__all__ = ["support_bundle"]

_MOST = 1 << 20  # octets of one recording
_HINTS = """The log is not in here, since at level debug it holds numbers and texts. What helps, after a look:
journalctl -u gsmbridge --since -1h
dmesg | tail -n 100
"""


def support_bundle(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="A new file, .tar.gz.")] = Path(
        "gsmbridge-support.tar.gz"
    ),
    config: ConfigOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Collect for support: findings, redacted configuration, channels, metrics, flight recordings. No texts, no
    secrets, numbers masked."""
    from bridge.cli.doctor import gather
    from bridge.cli.output import document
    from bridge.doctor.redact import masked

    facts = gather(config, ask=False)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Stop(Exit.CANT_CREATE, f"{file} cannot be made: {error.strerror}", "Name another file.") from None
    names = []
    with os.fdopen(descriptor, "wb") as raw, tarfile.open(fileobj=raw, mode="w:gz") as bundle:
        for name, text in _pieces(facts):
            data = masked(text).encode()
            entry = tarfile.TarInfo(f"gsmbridge-support/{name}")
            entry.size, entry.mode, entry.mtime = len(data), 0o600, int(time.time())
            bundle.addfile(entry, io.BytesIO(data))
            names.append(name)
    if output is Form.JSON:
        document({"file": str(file), "contents": names})
    else:
        print(f"{file}: {', '.join(names)}. Look into it before you send it.")


def _pieces(facts: Facts) -> Iterator[tuple[str, str]]:
    import platform

    import msgspec

    from bridge.doctor import examine
    from bridge.doctor.redact import configuration

    yield "doctor.json", json.dumps(msgspec.to_builtins(examine(facts)), indent=2)
    versions = {"gsmbridge": facts.version, "python": platform.python_version(), "system": platform.platform()}
    yield "versions.json", json.dumps(versions, indent=2)
    yield "log-hints.txt", _HINTS
    if facts.source is not None:
        try:
            read = tomllib.loads(Path(facts.source).read_text(encoding="utf-8"))
            yield "configuration.json", json.dumps(configuration(read), indent=2, default=str)
        except (OSError, ValueError):
            pass  # doctor.json says so
    if facts.channels:
        yield "channels.json", json.dumps(facts.channels, indent=2)
    yield from _of_service(facts)
    if facts.settings is not None:
        for path in sorted((facts.settings.service.state_dir / "recordings").glob("*")):
            try:
                yield f"recordings/{path.name}", path.read_text(encoding="utf-8")[-_MOST:]
            except (OSError, ValueError):
                continue


def _of_service(facts: Facts) -> Iterator[tuple[str, str]]:
    from bridge.cli.client import Client

    if facts.service == "running" and facts.settings is not None:
        try:
            with Client(socket=facts.settings.service.socket, patience=10.0) as service:
                yield "metrics.txt", service.text("/metrics")
        except Stop:
            return
