"""Programs that rules start for an incoming message: without a shell, the message as JSON on standard input.

A run is a row that was written with the message, and is done only when the program has ended. A crash between the end
and the row runs it again, so a program must bear that (its input has the message's id). Exit status 75 (try again) and
a time-out are tried again; any other status is an end.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress

import msgspec

from bridge.events import inbound_data
from bridge.inbound.rules import RuleBook
from bridge.model import Inbound, Instant, ProgramRun, show_id
from bridge.policy.inbound_rules import Rule
from bridge.pulse import Pulse
from bridge.store import Store, StoreError
from bridge.telemetry import Telemetry

__all__ = ["Programs"]

log = logging.getLogger("gsmbridge.inbound")

AT_ONCE = 4
RETRY = (60_000, 600_000, 3_600_000)  # milliseconds between tries; then it is given up
STORE_WAIT = 5.0
ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "HOME")  # what a program gets of ours; secrets are in none of them


class Programs:
    def __init__(self, store: Store, book: RuleBook, now: Callable[[], Instant], telemetry: Telemetry) -> None:
        self._store = store
        self._book = book
        self._now = now
        self._telemetry = telemetry
        self._wake = asyncio.Event()
        self._wake.set()
        self.pulse = Pulse(self.wake)  # not while programs run: each has its time

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled. A program that runs then is killed, and run again at the next start."""
        while True:
            self.pulse.beat()
            self._wake.clear()
            try:
                due = await self._store.read(lambda view: view.program_runs(self._now(), AT_ONCE))
                if due:
                    # All of them to their end: one that is left behind would be started beside itself.
                    for ended in await asyncio.gather(*(self._one(run) for run in due), return_exceptions=True):
                        if isinstance(ended, BaseException):
                            raise ended
                    continue
                following = await self._store.read(lambda view: view.next_program_run())
            except StoreError as error:
                log.error("programs_wait detail=%s", error)
                await asyncio.sleep(STORE_WAIT)
                continue
            wait = None if following is None else max(0.0, (following - self._now()) / 1000)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def _one(self, run: ProgramRun) -> None:
        inbound = await self._store.read(lambda view: view.inbound(run.inbound))
        rule = self._book.rule(run.rule)
        if inbound is None or rule is None or not rule.program:
            outcome, again = "the rule is no longer configured", False
        else:
            outcome, again = await _execute(rule, inbound)
        tries, now = run.tries + 1, self._now()
        again = again and tries <= len(RETRY)
        ended = msgspec.structs.replace(
            run,
            tries=tries,
            outcome=outcome,
            due_at=now + RETRY[tries - 1] if again else run.due_at,
            ended_at=None if again else now,
        )
        await self._store.write(lambda changes: changes.change_program_run(ended))
        self._telemetry.notable(
            "program_ended",
            level=logging.INFO if outcome == "exit 0" else logging.WARNING,
            rule=run.rule,
            inbound=show_id("inb", run.inbound),
            outcome=outcome,
            tries=tries,
            again=again,
        )


async def _execute(rule: Rule, inbound: Inbound) -> tuple[str, bool]:
    """How it ended, and whether it is to be tried again."""
    message = msgspec.json.encode({"rule": rule.name, **msgspec.to_builtins(inbound_data(inbound))}) + b"\n"
    try:
        process = await asyncio.create_subprocess_exec(
            *rule.program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        return f"cannot be started: {error.strerror}", True
    try:
        async with asyncio.timeout(rule.program_timeout):
            await process.communicate(message)
    except TimeoutError:
        return f"killed after {rule.program_timeout:g} s", True
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and what it has started
            await process.wait()
    return f"exit {process.returncode}", process.returncode == os.EX_TEMPFAIL
