"""`backup` and `restore`: the database as one file, and back."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.exits import Exit, Stop
from bridge.cli.options import ConfigOption, OutputOption
from bridge.cli.output import Form

__all__ = ["backup", "restore"]


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; it gets mode 0600.")],
    force: Annotated[bool, typer.Option("--force", help="Also where that file is there already.")] = False,
    config: ConfigOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Write the whole database into one file, also while the service runs. The file is whole and synced, or not
    there."""
    from bridge.cli.client import settings_for
    from bridge.cli.output import count, document
    from bridge.clock import rfc3339, wall
    from bridge.opening import DATABASE
    from bridge.store import StoreError, StoreFull
    from bridge.store.backup import back_up

    if file.exists() and not force:
        raise Stop(Exit.CANT_CREATE, f"{file} exists already", "Name another file, or say --force.")
    now = wall()
    try:
        made = back_up(settings_for(config).service.state_dir / DATABASE, file, now)
    except StoreFull:
        raise Stop(Exit.IO, f"the disk of {file} is full", "Make room there, or name a file elsewhere.") from None
    except StoreError as error:
        raise Stop(Exit.IO, str(error)) from None
    except OSError as error:
        raise Stop(Exit.CANT_CREATE, f"{error.filename or file} cannot be written: {error.strerror}") from None
    if output is Form.JSON:
        document(
            {
                "file": str(file),
                "octets": made.octets,
                "messages": made.messages,
                "schema": made.schema,
                "made_at": rfc3339(now),
            }
        )
        return
    print(f"{file}: {made.octets / 1_000_000:.1f} MB, {count(made.messages, 'message')}. Texts and numbers are in it.")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    config: ConfigOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Put a backup in the place of the database, which is kept aside. The service must not run. Nothing that was due is
    sent again by itself: nobody knows whether it was sent since."""
    import asyncio

    from bridge.cli.client import settings_for
    from bridge.cli.output import count, document, moment
    from bridge.clock import rfc3339, wall
    from bridge.opening import DATABASE, StateDirectoryError, open_database, private
    from bridge.store import StoreError, StoreInUse
    from bridge.store.backup import NoBackup, put_back

    if not file.is_file():
        raise Stop(Exit.NO_INPUT, f"there is no file {file}")
    settings = settings_for(config)
    directory = settings.service.state_dir

    async def close_what_was_due() -> int:
        store = await open_database(settings, wall)
        closed = store.recovered.closed
        await store.close()
        return closed or 0

    try:
        private(directory)
        done = put_back(directory / DATABASE, file, wall())
        closed = asyncio.run(close_what_was_due())
    except StateDirectoryError as error:
        raise Stop(Exit.CANT_CREATE, str(error)) from None
    except StoreInUse as error:
        raise Stop(Exit.TEMPFAIL, str(error), "Stop the service first: sudo systemctl stop gsmbridge") from None
    except NoBackup as error:
        raise Stop(Exit.DATA, str(error), "Nothing was changed.") from None
    except StoreError as error:
        raise Stop(Exit.IO, str(error)) from None
    finally:
        _to_the_owner(directory)
    if output is Form.JSON:
        document(
            {
                "file": str(file),
                "made_at": rfc3339(done.made_at) if done.made_at else None,
                "messages": done.messages,
                "closed": closed,
                "aside": str(done.aside) if done.aside else None,
            }
        )
        return
    made = f", made {moment(rfc3339(done.made_at))}" if done.made_at else ""
    print(f"Restored from {file}{made}: {count(done.messages, 'message')}.")
    if closed:
        print(
            f"What waited or was being sent ({count(closed, 'message')}) may have been sent since. It is not sent "
            'again, and is now "unknown" with the code "restored": gsmbridge ls --status unknown'
        )
    if done.aside:
        print(f"The former database is kept as {done.aside}; remove it when you need it no more.")


def _to_the_owner(directory: Path) -> None:
    """What root has made in there belongs to the service's user."""
    if os.geteuid() != 0:
        return
    with suppress(OSError):
        owner = directory.stat()
        for made in directory.glob("gsmbridge.*"):
            os.chown(made, owner.st_uid, owner.st_gid, follow_symlinks=False)
