"""What a configuration says, as values."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import msgspec

from bridge.model import DoubtPolicy

__all__ = [
    "DEFAULT_STATE_DIR",
    "GROUPS",
    "READY_MADE",
    "SOCKET_NAME",
    "Canary",
    "ConfigError",
    "InboundRule",
    "InboundSettings",
    "Limits",
    "Mail",
    "Modem",
    "Problem",
    "Provider",
    "Route",
    "Secret",
    "SecretKind",
    "SecretProblem",
    "Sending",
    "Service",
    "Settings",
    "Timing",
    "Webhooks",
]

DEFAULT_STATE_DIR = Path("/var/lib/gsmbridge")
SOCKET_NAME = "gsmbridge.sock"
GROUPS = ("modems", "providers")  # names that stand for channels in a route
READY_MADE = ("modem-first", "cloud-first", "modems-only", "clouds-only", "cheapest")  # routes that need no table


class Secret:
    """A value that does not show itself in logs, tracebacks or dumps."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


class SecretKind(StrEnum):
    FILE = "file"
    CREDENTIAL = "credential"  # a name in systemd's $CREDENTIALS_DIRECTORY


class Service(msgspec.Struct, frozen=True, kw_only=True):
    state_dir: Path = DEFAULT_STATE_DIR
    listen: str = "127.0.0.1:8025"  # address:port; port 0 takes any free one
    allow_remote: bool = False
    region: str | None = None  # ISO country of numbers without "+"
    log_level: str = "info"
    socket: Path = DEFAULT_STATE_DIR / SOCKET_NAME
    clock: str = "auto"  # see bridge.policy.clocks.Trust
    clock_settle: float = 600
    usb_helper: Path = Path("/run/gsmbridge-usb.sock")
    ports: tuple[str, ...] = ("/dev/serial/by-path/*", "/dev/serial/by-id/*", "/dev/ttyUSB*", "/dev/ttyACM*")

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """A text from one SIM of ours to another, to know that texts go and come. Times in seconds."""

    channel: str | None = None  # sends it; None: there is none
    number: str | None = None  # of the SIM that gets it, here
    every: float = 3600.0
    within: float = 300.0
    alarm_to: tuple[str, ...] = ()


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    max_parts: int = 10
    max_recipients: int = 10_000
    max_body: int = 16 << 20  # octets


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds."""

    policy: DoubtPolicy = DoubtPolicy.AT_LEAST_ONCE
    evidence_window: float = 600.0
    evidence_window_priority: float = 60.0  # for priority 100 and above
    validity: int | None = 86_400  # None: the network's default
    report: bool = True
    retry: tuple[float, ...] = (30.0, 120.0, 600.0)  # the last one repeats
    max_tries: int = 10
    route: str = "modem-first"  # of messages for which no other one is meant
    allow_to: tuple[str, ...] = ()  # beginnings of numbers; () = all
    deny_to: tuple[str, ...] = ()


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """When texts may go. Windows and holidays as `bridge.policy.timing` reads them."""

    zone: str | None = None  # None: the machine's
    by_recipient: bool = True  # windows are read on the recipient's clock where it is known
    windows: tuple[str, ...] = ()
    holidays: tuple[str, ...] = ()


class Modem(msgspec.Struct, frozen=True, kw_only=True):
    """One modem with its SIM: one channel."""

    id: str
    port: str = ""  # device path, socket://host:port or rfc2217://host:port; "": found by imei or iccid
    baudrate: int = 115_200
    rtscts: bool = False
    imei: str | None = None
    iccid: str | None = None
    pin: Secret | None = None
    smsc: str | None = None
    storage: str | None = None  # "SM", "ME" or "MT"
    profile: str | None = None
    poll: float = 30.0  # seconds
    result_timeout: float | None = None  # seconds; None: the profile's
    trace: bool = False
    windows: tuple[str, ...] = ()
    prices: dict[str, Decimal] = msgspec.field(default_factory=dict)  # of a part, by beginning of the number
    per_minute: int | None = None
    per_hour: int | None = None
    per_day: int | None = None
    per_month: int | None = None
    recipients_per_day: int | None = None
    recipients_per_month: int | None = None
    count: str = "parts"  # or "messages"
    reset_day: int = 1
    recording: float = 900.0  # seconds; 0: none
    repair: bool = True
    power_command: tuple[str, ...] = ()
    balance_ussd: str | None = None
    balance_pattern: str | None = None  # see bridge.policy.balance; None: the first number
    balance_every: float = 86_400.0  # seconds
    balance_low: Decimal | None = None
    balance_currency: str | None = None
    calls: str = "ignore"  # or "hang_up"


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One account at a provider: one channel. `options`: the driver's own, with the secrets read. `callback_secret`:
    the part of the address by which the provider calls us that nobody else knows; None: it may not call."""

    id: str
    driver: str
    options: dict[str, object] = msgspec.field(default_factory=dict)
    callback_secret: Secret | None = None
    windows: tuple[str, ...] = ()
    prices: dict[str, Decimal] = msgspec.field(default_factory=dict)
    per_minute: int | None = None
    per_hour: int | None = None
    per_day: int | None = None
    per_month: int | None = None
    recipients_per_day: int | None = None
    recipients_per_month: int | None = None
    count: str = "parts"  # or "messages"
    reset_day: int = 1

    def __repr__(self) -> str:
        """No options: among them are secrets."""
        return f"Provider(id={self.id!r}, driver={self.driver!r}, ...)"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("id", self.id), ("driver", self.driver)]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Where messages may go. `channels`: ids and the groups of `GROUPS`, best first. The fields behind `order` are
    rules, and an empty one lets every message through."""

    name: str
    channels: tuple[str, ...]
    order: str = "listed"  # or "least_load", "cheapest"
    sticky: bool = False  # the channel that the recipient knows comes first
    max_cost: Decimal | None = None  # of a whole message
    prefixes: tuple[str, ...] = ()  # of the recipient's number, "+48"
    kinds: tuple[str, ...] = ()
    classes: tuple[int, ...] = ()
    senders: tuple[str, ...] = ()
    min_priority: int | None = None
    keys: tuple[str, ...] = ()  # names of API keys
    countries: tuple[str, ...] = ()
    times: tuple[str, ...] = ()  # windows in which the message is due
    windows: tuple[str, ...] = ()  # not a rule: when its messages may go


class InboundSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds."""

    reply_window: float = 72 * 3600.0
    early_publish: float | None = None
    opt_out_words: tuple[str, ...] = ("STOP", "STOPALL", "UNSUBSCRIBE")
    opt_in_words: tuple[str, ...] = ("START", "UNSTOP")
    opt_out_answer: str = "You will get no more texts from us. Reply START to get them again."
    opt_in_answer: str = "You will get our texts again. Reply STOP to end them."
    answers_per_day: int = 10
    allow_from: tuple[str, ...] = ()
    deny_from: tuple[str, ...] = ()
    own_numbers: tuple[str, ...] = ()
    allow_programs: bool = False


class InboundRule(msgspec.Struct, frozen=True, kw_only=True):
    """What is done with incoming texts that fit. An empty condition lets everything through."""

    name: str
    keywords: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    needs_token: bool = False
    forward: tuple[str, ...] = ()
    reply: str = ""
    daily_cap: int = 3
    program: tuple[str, ...] = ()
    program_timeout: float = 30.0


class Webhooks(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds."""

    allow_private: tuple[str, ...] = ()  # addresses and networks
    allow_http: tuple[str, ...] = ()  # hosts
    ca_file: Path | None = None
    retry: tuple[float, ...] = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
    keep: float = 30 * 86_400.0
    backlog: int = 100_000  # events that wait for one endpoint


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """The server that takes our mail. `host` None: there is none."""

    host: str | None = None
    port: int = 587
    tls: str = "starttls"  # "tls", "none"
    user: str | None = None
    password: Secret | None = None
    sender: str | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    service: Service = Service()
    limits: Limits = Limits()
    sending: Sending = Sending()
    timing: Timing = Timing()
    webhooks: Webhooks = Webhooks()
    mail: Mail = Mail()
    canary: Canary = Canary()
    modems: tuple[Modem, ...] = ()
    providers: tuple[Provider, ...] = ()
    routes: tuple[Route, ...] = ()
    inbound: InboundSettings = InboundSettings()
    inbound_rules: tuple[InboundRule, ...] = ()
    source: Path | None = None  # the file they came from


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """`at`: the setting ("modem[1].port", counted from 0), "" for the file as a whole. `line`: 0 when not known."""

    at: str
    detail: str
    line: int = 0

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.at}: {self.detail}" if self.at else f"{place}{self.detail}"


class ConfigError(Exception):
    """The configuration cannot be used. All problems, in the order of the file."""

    def __init__(self, problems: list[Problem], source: Path | None = None) -> None:
        super().__init__("; ".join(str(p) for p in problems))
        self.problems = problems
        self.source = source


class SecretProblem(Exception):
    """A secret cannot be used. The message says what to do."""
