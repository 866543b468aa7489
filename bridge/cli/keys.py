"""`key create | ls | revoke`: by the service when it runs, else in the store itself, which holds an exclusive lock."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bridge.cli.exits import Exit, Stop
from bridge.cli.options import ConfigOption, KeyFileOption, OutputOption, UrlOption
from bridge.cli.output import Form

if TYPE_CHECKING:
    from bridge.model import ApiKey
    from bridge.store import Store

__all__ = ["create", "ls", "revoke"]

T = TypeVar("T")


def create(
    name: Annotated[str, typer.Argument(help="What it is for, e.g. the program that will use it.")],
    scope: Annotated[str, typer.Option(help="read, send or admin; each contains the ones before it.")] = "send",
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the key into this new file (mode 0600), do not print it.")
    ] = None,
    window: Annotated[
        list[str] | None,
        typer.Option(metavar="HOURS", help='Texts ordered with it go only within, e.g. "mon-fri 9-18"; repeatable.'),
    ] = None,
    tz: Annotated[str | None, typer.Option(metavar="ZONE", help="Zone of --window. Default: the recipient's.")] = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Make an API key. It is shown once and kept nowhere; the store knows only its SHA-256."""
    from bridge.cli.output import document, pairs
    from bridge.model import Scope

    if scope not in list(Scope):
        raise Stop(Exit.USAGE, f"--scope: there is no scope {scope!r}", f"There are {', '.join(Scope)}.")
    if not 1 <= len(name) <= 64 or not name.isprintable():
        raise Stop(Exit.USAGE, "a key's name has 1 to 64 printable characters")
    file = _new_file(save) if save else None
    try:
        made = _create(name, scope, window or [], tz, config, url, key_file)
        if file is not None:
            os.write(file, made["secret"].encode() + b"\n")
            os.fsync(file)
    except BaseException:
        if save is not None:
            save.unlink(missing_ok=True)
        raise
    finally:
        if file is not None:
            os.close(file)
    if save is not None:
        made = {**made, "secret": None, "file": str(save)}
    if output is Form.JSON:
        document(made)
    elif save is not None:
        pairs({"id": made["id"], "name": made["name"], "scope": made["scope"], "file": str(save)})
    else:
        pairs({"id": made["id"], "name": made["name"], "scope": made["scope"], "key": made["secret"]})
        typer.echo("Keep it now: it is not shown again.", err=True)


def ls(
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List the API keys, without their secrets."""
    from bridge.cli.client import connect
    from bridge.cli.output import document, moment, table

    if _offline(config, url):
        found = [_plain(key) for key in _in_store(config, lambda store: store.read(lambda view: view.keys()))]
    else:
        with connect(config, url, key_file) as service:
            found = service.get("/v1/keys")["items"]
    if output is Form.JSON:
        document({"keys": found})
        return
    table(
        ("ID", "NAME", "SCOPE", "BEGINS WITH", "MADE", "REVOKED", "HOURS"),
        (
            (
                k["id"],
                k["name"],
                k["scope"],
                f"gsmb_{k['hint']}",
                moment(k["created_at"]),
                moment(k.get("revoked_at")),
                ", ".join(window for hours in k["windows"] for window in hours["windows"]),
            )
            for k in found
        ),
        empty="There is no key. Make one with: gsmbridge key create NAME",
    )


def revoke(
    id: Annotated[str, typer.Argument(help="key_..., see `gsmbridge key ls`.")],
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Revoke a key. It stops working within a second."""
    from bridge.cli.client import connect
    from bridge.cli.output import document
    from bridge.model import parse_id

    number = parse_id("key", id)
    if number is None:
        raise Stop(
            Exit.USAGE, f"{id} is no identifier of a key", "They begin with key_; `gsmbridge key ls` shows them."
        )
    if _offline(config, url):
        from bridge.clock import wall

        at = wall()
        if not _in_store(config, lambda store: store.write(lambda changes: changes.revoke_key(number, at))):
            raise Stop(Exit.NO_INPUT, f"there is no key {id}", "`gsmbridge key ls` shows them.")
    else:
        with connect(config, url, key_file) as service:
            service.post(f"/v1/keys/{id}/revoke")
    if output is Form.JSON:
        document({"id": id, "revoked": True})
    else:
        print(f"{id} is revoked.")


def _create(
    name: str,
    scope: str,
    windows: list[str],
    tz: str | None,
    config: Path | None,
    url: str | None,
    key_file: Path | None,
) -> dict[str, Any]:
    from bridge.cli.client import connect

    if not _offline(config, url):
        with connect(config, url, key_file) as service:
            hours = {"windows": windows, "tz": tz} if windows else {}
            answer: dict[str, Any] = service.post("/v1/keys", {"name": name, "scope": scope, **hours})
            return answer
    from random import SystemRandom

    from bridge.api.auth import new_key
    from bridge.clock import wall
    from bridge.model import ApiKey, Ids, Scope

    new = new_key(os.urandom)
    row = ApiKey(
        id=Ids(wall, SystemRandom()).next(),
        name=name,
        scope=Scope(scope),
        digest=new.digest,
        hint=new.hint,
        created_at=wall(),
        windows=_hours(windows, tz, config),
    )
    _in_store(config, lambda store: store.write(lambda changes: changes.add_key(row)))
    return {**_plain(row), "secret": new.secret}


def _hours(windows: list[str], tz: str | None, config: Path | None) -> str | None:
    """As the service would store them."""
    if not windows:
        return None
    from bridge.cli.client import settings_for
    from bridge.clock import wall
    from bridge.config.hours import timing
    from bridge.policy.timing import Timetable
    from bridge.policy.timing.placing import windows_of_key

    found = windows_of_key(tuple(windows), tz, Timetable(timing(settings_for(config))), wall())
    if isinstance(found, str):
        return found
    raise Stop(Exit.DATA, "\n  ".join(f"{at}: {detail}" for at, _, detail in found))


def _plain(key: ApiKey) -> dict[str, Any]:
    """A key as the API shows it."""
    import msgspec

    from bridge.clock import rfc3339
    from bridge.model import show_id
    from bridge.policy.timing.gates import unpacked

    return {
        "id": show_id("key", key.id),
        "name": key.name,
        "scope": key.scope.value,
        "hint": key.hint,
        "created_at": rfc3339(key.created_at),
        "revoked_at": rfc3339(key.revoked_at) if key.revoked_at is not None else None,
        "windows": [] if key.windows is None else msgspec.to_builtins(unpacked(key.windows)),
    }


def _offline(config: Path | None, url: str | None) -> bool:
    from bridge.cli.client import is_running, settings_for

    return not url and not is_running(settings_for(config).service.socket)


def _in_store(config: Path | None, work: Callable[[Store], Awaitable[T]]) -> T:
    """Do it in the store itself; nobody else can have it open meanwhile."""
    import asyncio

    from bridge.cli.client import settings_for
    from bridge.clock import wall
    from bridge.opening import StateDirectoryError, open_database
    from bridge.store import StoreError, StoreInUse

    settings = settings_for(config)

    async def run() -> T:
        store = await open_database(settings, wall)
        try:
            return await work(store)
        finally:
            await store.close()

    try:
        return asyncio.run(run())
    except StateDirectoryError as error:
        raise Stop(Exit.CANT_CREATE, str(error)) from None
    except StoreInUse as error:
        raise Stop(Exit.TEMPFAIL, str(error), "The service is just starting or stopping; try again.") from None
    except StoreError as error:
        raise Stop(Exit.IO, str(error)) from None


def _new_file(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise Stop(Exit.CANT_CREATE, f"{path} exists already", "Name another file, or remove that one.") from None
    except OSError as error:
        raise Stop(Exit.CANT_CREATE, f"{path} cannot be made: {error.strerror}") from None
