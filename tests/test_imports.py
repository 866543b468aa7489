"""Who may import whom, and what the pure modules keep out of. Read from the syntax trees, so that an import inside a
function counts too."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STANDARD = frozenset(sys.stdlib_module_names)

# Part of the tree -> the parts it may import beside itself. The longest prefix holds; what is not listed fails.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "drivers": (),
    "drivers.contract": (),
    "drivers.gsm": ("drivers.contract",),
    "drivers.registry": ("drivers.contract",),
    "drivers.modems": ("drivers.contract", "drivers.gsm", "drivers.registry"),
    "drivers.modems.profiles": ("drivers.modems.profile",),
    "drivers.providers": ("drivers.contract", "drivers.gsm", "drivers.registry"),
    "drivers.simulator": ("drivers.contract", "drivers.gsm"),
    "drivers.simulator.providers": ("drivers.contract", "drivers.gsm", "drivers.simulator.clock"),
    "bridge": (),
    "bridge.model": ("drivers.contract",),
    "bridge.states": ("bridge.model",),
    "bridge.clock": ("bridge.model", "bridge.policy"),
    "bridge.timekeeping": (
        "bridge.clock", "bridge.events", "bridge.model", "bridge.policy", "bridge.pulse", "bridge.store",
        "bridge.telemetry",
    ),
    "bridge.events": ("bridge.clock", "bridge.model", "drivers.contract"),
    "bridge.endpoints": ("bridge.events", "bridge.model"),
    "bridge.config": ("bridge.model", "bridge.policy.balance", "bridge.policy.quota", "bridge.policy.timing"),
    "bridge.service_manager": (),
    "bridge.logs": (),
    "bridge.pulse": (),
    "bridge.watchdog": (),
    "bridge.latency": (),
    "bridge.metrics": ("bridge.latency", "bridge.model", "bridge.policy.storage", "drivers.contract"),
    "bridge.telemetry": ("bridge.model",),
    "bridge.policy": ("bridge.model", "drivers.contract", "drivers.gsm"),
    "bridge.store": (
        "bridge.clock", "bridge.endpoints", "bridge.events", "bridge.model", "bridge.policy.storage",
        "bridge.policy.urgency", "bridge.states", "drivers.contract",
    ),
    "bridge.outbound": (
        "bridge.clock", "bridge.events", "bridge.latency", "bridge.model", "bridge.policy", "bridge.pulse",
        "bridge.states", "bridge.store", "bridge.telemetry",
        "drivers.contract", "drivers.gsm",
    ),
    "bridge.inbound": (
        "bridge.clock", "bridge.events", "bridge.model", "bridge.policy", "bridge.pulse", "bridge.store",
        "bridge.telemetry",
        "drivers.contract",
        "drivers.gsm",
    ),
    "bridge.webhooks": (
        "bridge.clock", "bridge.endpoints", "bridge.events", "bridge.latency", "bridge.model", "bridge.policy",
        "bridge.pulse", "bridge.store", "bridge.telemetry",
    ),
    "bridge.delivering": (
        "bridge.api", "bridge.config", "bridge.endpoints", "bridge.model", "bridge.store", "bridge.telemetry",
        "bridge.webhooks",
    ),
    "bridge.health": (
        "bridge.clock", "bridge.events", "bridge.model", "bridge.outbound", "bridge.policy", "bridge.pulse",
        "bridge.store", "bridge.telemetry", "drivers.contract",
    ),
    "bridge.checking": ("bridge.model",),
    "bridge.draining": ("bridge.outbound",),
    "bridge.schedule": ("bridge.inbound", "bridge.model", "bridge.pulse", "bridge.store", "bridge.telemetry"),
    "bridge.api": (
        "bridge.clock", "bridge.endpoints", "bridge.events", "bridge.inbound", "bridge.model", "bridge.outbound",
        "bridge.policy", "bridge.states", "bridge.store", "bridge.telemetry", "bridge.webhooks", "drivers.contract",
        "drivers.gsm",
    ),
    "bridge.doctor": ("bridge.config", "bridge.policy.storage", "drivers.modems"),
    "bridge.room": (
        "bridge.events", "bridge.model", "bridge.outbound", "bridge.policy", "bridge.store", "bridge.telemetry",
    ),
    "bridge.opening": ("bridge.config", "bridge.model", "bridge.policy", "bridge.store"),
    "bridge.tasks": (),
    "bridge.configured": (
        "bridge.clock", "bridge.config", "bridge.health", "bridge.model", "bridge.opening", "bridge.outbound",
        "bridge.policy", "drivers.modems.settings", "drivers.registry",
    ),
    "bridge.service": ("bridge",),
    "bridge.surface": ("bridge", "drivers.contract"),
    "bridge.app": ("bridge", "drivers"),
    "bridge.cli": ("bridge", "drivers"),
}  # fmt: skip

# The protocol of the store is everybody's, what stands behind it is named by the composition root and the command line.
CONCRETE = ("bridge.store.",)
NAMES_CONCRETE = ("bridge.app", "bridge.cli", "bridge.opening", "bridge.service", "bridge.store")

# No I/O, clock, randomness, threads or tasks.
PURE = (
    "bridge.endpoints",
    "bridge.events",
    "bridge.latency",
    "bridge.model",
    "bridge.states",
    "bridge.policy",
    "bridge.doctor.checks",
    "bridge.doctor.facts",
    "bridge.doctor.findings",
    "bridge.doctor.modems",
    "bridge.doctor.redact",
    "bridge.doctor.thresholds",
    "bridge.config.channels",
    "bridge.config.declared",
    "bridge.config.hours",
    "bridge.config.parse",
    "bridge.config.readers",
    "bridge.config.settings",
    "bridge.config.walk",
    "bridge.store.rows",
    "drivers.contract",
    "drivers.gsm",
    "drivers.modems.chat",
    "drivers.modems.commands",
    "drivers.modems.profile",
    "drivers.modems.profiles",
    "drivers.modems.repair",
    "drivers.modems.replies",
    "drivers.modems.ringing",
    "drivers.modems.ussd",
)
PURE_WITH_FILES = ("drivers.modems.profiles",)  # its __init__ lists the folder and imports what is in it
IMPURE_MODULES = frozenset(
    [
        "asyncio",
        "concurrent",
        "ctypes",
        "fcntl",
        "glob",
        "http",
        "httpx",
        "logging",
        "mmap",
        "multiprocessing",
        "os",
        "queue",
        "sched",
        "secrets",
        "select",
        "selectors",
        "serial",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "tempfile",
        "termios",
        "threading",
        "time",
        "tty",
        "urllib",
        "uuid",
        "uvloop",
    ]
)
IMPURE_NAMES = {"random": frozenset({"Random"})}  # a generator that is passed in may be named as a type
CLOCK_CALLS = frozenset({"now", "today", "utcnow", "monotonic", "perf_counter", "time_ns"})
CLOCK_OWNERS = frozenset({"datetime", "date", "time"})

# Third-party libraries and the only places that may know them.
ONLY_IN = {
    "prometheus_client": ("bridge.metrics", "bridge.cli.watch"),
    "serial": ("drivers.modems.link",),
    "pyudev": ("drivers.modems.ports",),
    "gsmmodem": ("drivers.gsm",),
    "phonenumbers": ("bridge.policy", "bridge.config"),
    "litestar": ("bridge.api",),
    "uvicorn": ("bridge.api", "drivers.simulator.providers.hosting"),
    "sqlite3": ("bridge.store",),
    "apscheduler": ("bridge.policy.recurrence", "bridge.schedule"),
    "typer": ("bridge.cli",),
    "rich": ("bridge.cli",),
    "httpx": ("bridge.cli", "bridge.webhooks.guard", "drivers.providers.http"),
    "httpcore": ("bridge.webhooks",),
    "standardwebhooks": ("bridge.webhooks.signing",),
    "aiosmtplib": ("bridge.webhooks.mail",),
    "cryptography": ("bridge.webhooks.sealing",),
    "zeep": ("drivers.providers.soap",),
}


def files() -> Iterator[tuple[str, Path]]:
    for package in ("bridge", "drivers"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


EVERY = list(files())
NAMES = {name for name, _ in EVERY}


def imports(path: Path) -> Iterator[tuple[str, str, int]]:
    """(module, name out of it or "", line). A submodule imported by name counts as that module."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, "", node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            assert node.module is not None
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole, "", node.lineno) if whole in NAMES else (node.module, alias.name, node.lineno)


def within(name: str, part: str) -> bool:
    return name == part or name.startswith(part + ".")


def rule_for(name: str) -> str:
    return max((part for part in MAY_IMPORT if within(name, part)), key=len)


def edges_not_allowed(name: str, path: Path) -> list[str]:
    rule = rule_for(name)
    allowed = MAY_IMPORT[rule]
    found = []
    for module, _, line in imports(path):
        if module.split(".")[0] not in ("bridge", "drivers"):
            continue
        # `bridge` itself holds the version and nothing else; a package's own parts know each other, but a profile
        # does not know its neighbours.
        own = within(module, rule) and (rule != "drivers.modems.profiles" or name == rule)
        if module == "bridge" or own or any(within(module, part) for part in allowed):
            continue
        found.append(f"{name}:{line} imports {module}")
    return found


def test_every_edge_is_one_the_architecture_lists() -> None:
    assert [edge for name, path in EVERY for edge in edges_not_allowed(name, path)] == []


def test_only_the_root_and_the_command_line_name_the_concrete_store() -> None:
    found = [
        f"{name} imports {module}"
        for name, path in EVERY
        if not any(within(name, part) for part in NAMES_CONCRETE)
        for module, _, _ in imports(path)
        if module.startswith(CONCRETE)
    ]
    assert found == []


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_known_in_one_place(library: str) -> None:
    users = {name for name, path in EVERY if any(within(module, library) for module, _, _ in imports(path))}
    assert users, f"nobody imports {library}: is it still a dependency?"
    assert {u for u in users if not any(within(u, part) for part in ONLY_IN[library])} == set()


def test_drivers_below_the_link_need_nothing_but_the_standard_library_and_msgspec() -> None:
    found = [
        f"{name} imports {module}"
        for name, path in EVERY
        if within(name, "drivers.contract") or within(name, "drivers.gsm")
        for module, _, _ in imports(path)
        if module.split(".")[0] not in STANDARD | {"msgspec", "drivers", "gsmmodem"}
    ]
    assert found == []


def test_the_helper_with_privileges_is_standard_library_alone() -> None:
    path = next(path for name, path in EVERY if name == "drivers.modems.usb_helper")
    assert {module.split(".")[0] for module, _, _ in imports(path)} <= STANDARD


def impurities(name: str, path: Path) -> list[str]:
    found = []
    for module, imported, line in imports(path):
        head = module.split(".")[0]
        if head in IMPURE_MODULES or (head in IMPURE_NAMES and imported not in IMPURE_NAMES[head]):
            found.append(f"{name}:{line} imports {module}")
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.AsyncFunctionDef) and not within(name, "drivers.contract"):
            found.append(f"{name}:{node.lineno} is asynchronous")
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id="open" | "print" | "input" | "exec" | "eval" as called):
                    found.append(f"{name}:{node.lineno} calls {called}")
                case ast.Attribute(value=ast.Name(id=owner), attr=attr) if (
                    owner in CLOCK_OWNERS and attr in CLOCK_CALLS
                ):
                    found.append(f"{name}:{node.lineno} asks the clock")
    return found


@pytest.mark.parametrize("part", PURE)
def test_a_pure_part_does_no_io_and_asks_no_clock(part: str) -> None:
    modules = [(name, path) for name, path in EVERY if within(name, part)]
    assert modules, f"there is no {part}"
    assert [i for name, path in modules if name not in PURE_WITH_FILES for i in impurities(name, path)] == []


def test_the_checks_see_what_they_forbid(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(
        "import time\nfrom random import choice\nfrom datetime import datetime\n"
        "async def f():\n    import sqlite3\n    open('x')\n    return datetime.now()\n"
    )
    assert len(impurities("bridge.policy.bad", bad)) == 6
    worse = tmp_path / "worse.py"
    worse.write_text("def f():\n    from bridge.api import auth\n\nimport bridge.store.sqlite, bridge.model\n")
    assert edges_not_allowed("bridge.policy.bad", worse) == [
        "bridge.policy.bad:4 imports bridge.store.sqlite",
        "bridge.policy.bad:2 imports bridge.api.auth",
    ]
    assert len(edges_not_allowed("drivers.simulator.bad", worse)) == 3
    assert edges_not_allowed("bridge.cli.bad", worse) == []
    assert rule_for("drivers.modems.profiles.acme") == "drivers.modems.profiles"
    assert not within("drivers.gsmx", "drivers.gsm")
