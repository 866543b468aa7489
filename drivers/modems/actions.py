"""Repair steps that act on the hardware. The service has no privileges: USB steps are asked of the helper behind its
socket, a power switch of one's own (relay, smart plug, GPIO) is a command of the operator's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

__all__ = ["ActionFailed", "Actions", "MachineActions", "NoActions"]

HELPER_TIMEOUT = 120.0  # power off for twenty seconds, and uhubctl asks twice
COMMAND_TIMEOUT = 120.0


class ActionFailed(Exception):
    """The hardware was not touched, or did not obey; the text says why."""


class Actions(Protocol):
    def can_reset_usb(self, path: str) -> bool: ...

    def can_cut_power(self, path: str) -> bool: ...

    async def reset_usb(self, path: str) -> None:
        """The kernel forgets the device and configures it anew. Raises `ActionFailed`."""

    async def cut_power(self, path: str) -> None:
        """Off for a while, and on. Raises `ActionFailed`."""


class NoActions:
    """A modem whose hardware nobody can reach."""

    def can_reset_usb(self, path: str) -> bool:
        return False

    def can_cut_power(self, path: str) -> bool:
        return False

    async def reset_usb(self, path: str) -> None:
        raise ActionFailed("nothing can reset this modem's USB device")

    async def cut_power(self, path: str) -> None:
        raise ActionFailed("nothing can cut this modem's power")


class MachineActions:
    """`helper`: the socket of the USB helper. `power_command`: program and arguments, run without a shell; it cuts the
    power, waits, gives it back and exits with 0."""

    def __init__(self, helper: Path | None, power_command: Sequence[str] = ()) -> None:
        self._helper = helper
        self._power_command = tuple(power_command)

    def can_reset_usb(self, path: str) -> bool:
        return bool(path) and self._helper is not None and self._helper.is_socket()

    def can_cut_power(self, path: str) -> bool:
        return bool(self._power_command) or self.can_reset_usb(path)

    async def reset_usb(self, path: str) -> None:
        await self._ask(f"authorize {path}")

    async def cut_power(self, path: str) -> None:
        if self._power_command:
            await self._run()
        else:
            await self._ask(f"power {path}")

    async def _ask(self, request: str) -> None:
        if self._helper is None:
            raise ActionFailed("no USB helper is configured")
        writer = None
        try:
            async with asyncio.timeout(HELPER_TIMEOUT):
                reader, writer = await asyncio.open_unix_connection(self._helper)
                writer.write(request.encode("ascii") + b"\n")
                answer = (await reader.read(400)).decode("utf-8", "replace").strip()
        except (OSError, TimeoutError) as error:
            raise ActionFailed(f"the USB helper at {self._helper} cannot be asked: {error or 'no answer'}") from error
        finally:
            if writer is not None:
                writer.close()
        if answer != "ok":
            raise ActionFailed(answer.removeprefix("error ") or "the USB helper ended without an answer")

    async def _run(self) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._power_command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env={"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")},
            )
        except OSError as error:
            raise ActionFailed(f"{self._power_command[0]} cannot be run: {error.strerror or error}") from error
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                _, said = await process.communicate()
        except TimeoutError as error:
            raise ActionFailed(f"{self._power_command[0]} did not end within {COMMAND_TIMEOUT:.0f} s") from error
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
        if process.returncode != 0:
            words = said.decode("utf-8", "replace").strip().splitlines()
            raise ActionFailed(
                f"{self._power_command[0]} ended with {process.returncode}: {(words or ['?'])[-1][:200]}"
            )
