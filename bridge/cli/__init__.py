"""The command line `gsmbridge`: a user of the service's API, and what starts the service.

One module holds one group of commands. Whatever is slow to import (httpx, the store, the API) is imported inside the
command that needs it, so that `gsmbridge --help` is quick.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is one of `bridge.cli.exits.Exit`. Shows no traceback."""
    from bridge.cli.exits import Exit, Left, Stop

    try:
        from bridge.cli.program import program

        program(args=None if arguments is None else list(arguments), prog_name="gsmbridge")
    except Stop as stop:
        stop.tell()
        return stop.exit
    except Left as left:
        return left.status
    except SystemExit as ended:
        # typer's own: 2 for a wrong command line, 0 for --help; and whatever a command left with.
        if ended.code == 2:
            return Exit.USAGE
        return ended.code if isinstance(ended.code, int) else Exit.OK
    except OSError as error:
        Stop(Exit.IO, f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")).tell()
        return Exit.IO
    except Exception as error:
        if os.environ.get("GSMBRIDGE_DEBUG"):
            raise
        remedy = "Please report it, with what GSMBRIDGE_DEBUG=1 prints before the same command."
        Stop(Exit.INTERNAL, f"this is a bug of ours: {type(error).__name__}: {error}", remedy).tell()
        return Exit.INTERNAL
    return Exit.OK
