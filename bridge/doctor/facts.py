"""What is looked at. Everything may be absent: None or empty is "not known"."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from bridge.config import Settings
from drivers.modems.checkup import Checkup

__all__ = ["Account", "Clock", "Database", "Facts", "Guard", "Port", "ServiceState", "State", "Trouble", "Webhook"]


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """A mistake in the configuration: `at` is the setting."""

    at: str
    detail: str


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The state directory. `mode`: permission bits, None when it is not there. `free` and `size` in octets, of the file
    system that it is on or would be on."""

    path: str
    mode: int | None = None
    owner: str = ""
    mine: bool = True  # we may look into it
    free: int | None = None
    size: int | None = None
    ballast: int = 0  # octets in reserve beside what is free
    files_free: int | None = None  # inodes; None where the file system has no such limit
    files: int | None = None
    read_only: bool = False
    wide: tuple[str, ...] = ()  # files in it that others may read


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """`problem`: a sentence, "" for a sound one. `schema`: number of its last migration. `newest`: that we know."""

    path: str
    there: bool = False
    problem: str = ""
    schema: int = 0
    newest: int = 0
    checked_at: int = 0  # when the whole of it was last checked and found sound; 0: never


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint for events. `disabled`: why it went off; "" where it is on, or off by hand. `oldest`: when the oldest
    event that waits for it happened."""

    id: str
    enabled: bool = True
    disabled: str = ""
    waiting: int = 0
    oldest: int | None = None
    dead: int = 0  # events that were given up


class Port(msgspec.Struct, frozen=True, kw_only=True):
    port: str
    device: str = ""
    usb: str = ""  # "12d1:1506"; "" for one that is not on USB
    group: str = ""
    allowed: bool = True  # we may open it
    service_allowed: bool = True  # the service's user may, where there is one
    holders: tuple[str, ...] = ()  # "ModemManager (process 812)"
    remedy: str = ""  # how to make the holder go
    silent: bool = False  # never answers AT


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    now: int  # the wall clock
    build: int  # no clock that says less is right
    synchronised: bool | None = None
    battery: bool = True


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """The record of PIN entries. `refused`: PINs that were entered once and opened nothing."""

    path: str
    refused: int = 0
    problem: str = ""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    ok: bool
    detail: str = ""
    remedy: str = ""
    balance: float | None = None  # of accounts that tell it
    unit: str = ""


class ServiceState(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    FORBIDDEN = "forbidden"  # it may run: we may not ask
    SILENT = "silent"  # it listens and does not answer


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    user: str = ""
    root: bool = False
    source: str | None = None  # the configuration file
    troubles: tuple[Trouble, ...] = ()
    settings: Settings | None = None
    state: State | None = None
    database: Database | None = None
    webhooks: tuple[Webhook, ...] = ()
    guard: Guard | None = None
    clock: Clock | None = None
    ports: tuple[Port, ...] = ()
    devices: dict[str, str] = {}  # USB path -> "vendor:product"
    grabbers: tuple[str, ...] = ()  # programs that run here and take modems
    service: ServiceState = ServiceState.STOPPED
    service_detail: str = ""
    service_version: str = ""
    ready: bool = True
    channels: tuple[dict[str, Any], ...] = ()  # as the API shows them
    canary_ok: bool | None = None  # None: there is none, or nothing is known of it yet
    accounts: tuple[Account, ...] = ()
    asked: tuple[Checkup, ...] = ()  # modems asked by ourselves, since no service runs
