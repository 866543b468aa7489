"""`doctor`: what is wrong here, and what to do about it."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.exits import Exit, Stop
from bridge.cli.options import ConfigOption, OutputOption
from bridge.cli.output import Form

if TYPE_CHECKING:
    from bridge.config import Settings
    from bridge.doctor import Account, Facts, Trouble
    from drivers.modems.checkup import Checkup

__all__ = ["doctor", "gather"]

_PATIENCE = 30.0  # seconds; a provider that takes longer has trouble of its own


def doctor(
    ask: Annotated[
        bool, typer.Option("--ask/--no-ask", help="Ask the modems themselves while no service runs.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --output json.")] = False,
    config: ConfigOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Look at everything that can be wrong, and say what to do about it. Changes nothing."""
    import msgspec

    from bridge.cli.output import count, document, table
    from bridge.doctor import Severity, examine, worst

    findings = examine(gather(config, ask=ask))
    if as_json or output is Form.JSON:
        document({"worst": worst(findings).value, "findings": msgspec.to_builtins(findings)})
    else:
        mark = {Severity.ERROR: "ERROR", Severity.WARNING: "WARNING"}
        rows = [
            (mark.get(f.severity, f.severity), f.check, f.where, f.what + (f". Remedy: {f.remedy}" if f.remedy else ""))
            for f in findings
        ]
        table(("", "CHECK", "WHERE", "FINDING"), rows, empty="")
        errors, warnings = (sum(f.severity is s for f in findings) for s in (Severity.ERROR, Severity.WARNING))
        print(f"\n{count(errors, 'error')}, {count(warnings, 'warning')}.")
    status = {Severity.ERROR: Exit.UNAVAILABLE, Severity.WARNING: Exit.FAILED}.get(worst(findings), Exit.OK)
    if status:
        raise typer.Exit(status)


def gather(config: Path | None, *, ask: bool = True) -> Facts:
    """All facts that can be had here and now."""
    from bridge import __version__
    from bridge.clock import has_battery, kernel_synchronised, wall
    from bridge.config import Settings, default_paths, default_state_dir
    from bridge.doctor import Clock, Database, Facts, Webhook
    from bridge.doctor.machine import Machine
    from bridge.endpoints import BY_HAND
    from bridge.model import show_id
    from bridge.opening import DATABASE
    from bridge.policy.clocks import BUILD
    from bridge.store.inspect import look
    from bridge.store.space import BALLAST

    machine = Machine()
    settings, troubles = _settings(config)
    directory = settings.service.state_dir if settings else default_state_dir()
    path = directory / DATABASE
    there = os.access(path, os.R_OK)
    seen = look(path) if there else None
    source = config or next((p for p in default_paths() if p.exists()), None)
    ours = settings or Settings()
    patterns = (*(glob.escape(m.port) for m in ours.modems if "://" not in m.port), *ours.service.ports)
    facts = Facts(
        version=__version__,
        user=_user(),
        root=os.geteuid() == 0,
        source=None if source is None else str(source),
        settings=settings,
        troubles=troubles,
        state=machine.state(directory, BALLAST),
        database=Database(
            path=str(path),
            there=there,
            problem=seen.problem if seen else "",
            schema=seen.schema if seen else 0,
            newest=seen.newest if seen else 0,
            checked_at=seen.checked_at if seen else 0,
        ),
        webhooks=tuple(
            Webhook(
                id=show_id("whk", w.id),
                enabled=w.enabled,
                disabled="" if w.enabled or w.disabled_reason == BY_HAND else w.disabled_reason,
                waiting=w.waiting,
                oldest=w.oldest,
                dead=w.dead,
            )
            for w in (seen.webhooks if seen else ())
        ),
        guard=machine.guard(directory / "pin-guard.json"),
        clock=Clock(now=wall(), build=BUILD, synchronised=kernel_synchronised(), battery=has_battery()),
        ports=machine.ports(patterns),
        devices=machine.devices(),
        grabbers=machine.grabbers(),
    )
    if settings is None:
        return facts
    facts = _with_service(facts, settings)
    if facts.service == "stopped" and ask:
        import msgspec

        facts = msgspec.structs.replace(facts, asked=_asked(settings))
    return facts


def _settings(config: Path | None) -> tuple[Settings | None, tuple[Trouble, ...]]:
    """Also of a file whose secrets cannot be read."""
    from bridge.cli.checked import load_checked
    from bridge.config import ConfigError, load
    from bridge.doctor import Trouble

    try:
        return load_checked(config), ()
    except ConfigError as error:
        troubles = tuple(Trouble(at=p.at, detail=p.detail) for p in error.problems)
    try:
        return load(config, secrets=False), troubles
    except ConfigError:
        return None, troubles


def _with_service(facts: Facts, settings: Settings) -> Facts:
    import msgspec

    from bridge.cli.client import Client, Refusal, is_running
    from bridge.doctor import ServiceState

    replace = msgspec.structs.replace
    try:
        if not is_running(settings.service.socket):
            return replace(facts, service=ServiceState.STOPPED)
    except Stop:
        return replace(facts, service=ServiceState.FORBIDDEN)
    try:
        with Client(socket=settings.service.socket, patience=_PATIENCE) as service:
            version = service.get("/healthz")["version"]
            ready, detail = True, ""
            try:
                service.get("/readyz")
            except Refusal as refusal:
                ready, detail = False, refusal.detail
            channels = service.get("/v1/channels")["items"]
            return replace(
                facts,
                service=ServiceState.RUNNING,
                service_version=version,
                ready=ready,
                service_detail=detail,
                channels=tuple(channels),
                canary_ok=_canary(service.text("/metrics")),
                accounts=tuple(_account(service, c, channels) for c in channels if c["driver"] != "modem"),
            )
    except Stop as stop:
        return replace(facts, service=ServiceState.SILENT, service_detail=stop.detail)


def _canary(metrics: str) -> bool | None:
    line = next((line for line in metrics.splitlines() if line.startswith("gsmbridge_canary_ok ")), None)
    return None if line is None else float(line.split()[1]) == 1


def _account(service: Any, channel: dict[str, Any], channels: list[dict[str, Any]]) -> Account:
    from bridge.cli.providers import tested
    from bridge.doctor import Account

    id = channel["id"]
    try:
        found = tested(service, id, {c["id"]: c for c in channels})
    except Stop as stop:
        return Account(id=id, ok=False, detail=stop.detail, remedy=stop.remedy)
    left = found["detail"].partition(" ")[0] if found["detail"].endswith(" left") else ""
    return Account(
        id=id, ok=found["ok"], detail=found["detail"], remedy=found["remedy"], balance=float(left) if left else None
    )


def _asked(settings: Settings) -> tuple[Checkup, ...]:
    """One after the other: the ports of one modem disturb each other."""
    import asyncio

    from bridge.cli.progress import progress
    from drivers.modems.checkup import check_up_modem
    from drivers.modems.ports import Ports

    modems = settings.modems

    async def ask() -> tuple[Checkup, ...]:
        found, ports = [], Ports(patterns=settings.service.ports)
        with progress("Asking modems", len(modems)) as done:
            for m in modems:
                found.append(await check_up_modem(m.id, ports, port=m.port, imei=m.imei or "", iccid=m.iccid or ""))
                done(len(found))
        return tuple(found)

    return asyncio.run(ask()) if modems else ()


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
