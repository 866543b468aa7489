"""Every check: facts in, findings out. Pure. One that finds nothing wrong says so in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bridge.doctor import modems
from bridge.doctor.facts import Facts, ServiceState
from bridge.doctor.findings import Finding, Severity
from bridge.policy.storage import Level, judge, marks

__all__ = ["CHECKS", "examine"]

Check = Callable[[Facts], Iterator[Finding]]

OK, NOTE, WARNING, ERROR = Severity
_MIB = 1 << 20
LARGE = 1 << 40  # octets: a file system that does not say its size
FEW_FILES = 200  # inodes
DAY = 86_400_000  # milliseconds
UNCHECKED = 15  # days
LATE = 600_000  # milliseconds a webhook may lag behind
LITTLE_MONEY = 0.0


def examine(facts: Facts, checks: Sequence[Check] | None = None) -> list[Finding]:
    """All findings, in the order of the checks."""
    return [finding for check in checks or CHECKS for finding in check(facts)]


def version(facts: Facts) -> Iterator[Finding]:
    yield Finding(severity=OK, check="version", what=f"gsm-bridge {facts.version}")
    if facts.service_version not in ("", facts.version):
        yield Finding(
            severity=WARNING,
            check="version",
            what=f"the running service is {facts.service_version}, this command {facts.version}",
            remedy="Restart the service: sudo systemctl restart gsmbridge",
        )


def service(facts: Facts) -> Iterator[Finding]:
    socket = "" if facts.settings is None else str(facts.settings.service.socket)
    match facts.service:
        case ServiceState.RUNNING if facts.ready:
            yield Finding(severity=OK, check="service", what="the service runs and takes orders", where=socket)
        case ServiceState.RUNNING:
            yield Finding(
                severity=ERROR,
                check="service",
                what=f"the service runs and takes no orders: {facts.service_detail or 'it does not say why'}",
                where=socket,
                remedy="Its log says more: journalctl -u gsmbridge -n 50",
            )
        case ServiceState.FORBIDDEN:
            yield Finding(
                severity=NOTE,
                check="service",
                what="you may not ask the service",
                where=socket,
                remedy="Run this as the service's user or with sudo, and more can be said.",
            )
        case ServiceState.SILENT:
            yield Finding(
                severity=ERROR,
                check="service",
                what=f"the service does not answer: {facts.service_detail}",
                where=socket,
                remedy="Look at journalctl -u gsmbridge -n 50, then: sudo systemctl restart gsmbridge",
            )
        case ServiceState.STOPPED:
            yield Finding(
                severity=WARNING,
                check="service",
                what="the service does not run",
                where=socket,
                remedy="Start it: sudo systemctl start gsmbridge, or gsmbridge run",
            )


def configuration(facts: Facts) -> Iterator[Finding]:
    where = facts.source or ""
    for trouble in facts.troubles:
        unread = "Permission denied" in trouble.detail and not facts.root
        elsewhere = "$CREDENTIALS_DIRECTORY is not set" in trouble.detail
        yield Finding(
            severity=NOTE if unread or elsewhere else ERROR,
            check="configuration",
            what=f"{trouble.at}: {trouble.detail}" if trouble.at else trouble.detail,
            where=where,
            remedy="Run this as the service's user or with sudo."
            if unread
            else ""
            if elsewhere
            else "Correct it, then: gsmbridge config check",
        )
    if facts.source is None:
        yield Finding(
            severity=WARNING,
            check="configuration",
            what="there is no configuration file",
            remedy="Begin with: gsmbridge config example > /etc/gsmbridge/config.toml",
        )
        return
    if facts.settings is None or facts.troubles:
        return
    found = facts.settings
    if not found.modems and not found.providers:
        yield Finding(
            severity=WARNING,
            check="configuration",
            what="neither a modem nor a provider account is configured, so nothing can be sent",
            where=where,
            remedy="gsmbridge modem scan proposes what to write",
        )
        return
    yield Finding(
        severity=OK,
        check="configuration",
        what=f"good: modems {len(found.modems)}, provider accounts {len(found.providers)}, routes {len(found.routes)}",
        where=where,
    )


def state(facts: Facts) -> Iterator[Finding]:
    found = facts.state
    if found is None:
        return
    where = found.path
    if found.mode is None:
        if found.mine:
            what = "the state directory is not there yet; the service makes it"
            yield Finding(severity=NOTE, check="state", what=what, where=where)
        else:
            yield Finding(
                severity=NOTE,
                check="state",
                what="you may not look into the state directory",
                where=where,
                remedy="Run this as the service's user or with sudo.",
            )
        return
    if found.read_only:
        yield Finding(
            severity=ERROR,
            check="state",
            what="its file system is read-only: nothing can be stored, so nothing is taken",
            where=where,
            remedy="dmesg says why, often a worn card: replace it, then mount -o remount,rw",
        )
    if found.mode & 0o077:
        yield Finding(
            severity=ERROR,
            check="state",
            what=f"the state directory is open to others (mode {found.mode:04o}); the service does not start so",
            where=where,
            remedy=f"chmod 700 {where}",
        )
    for name in found.wide:
        yield Finding(
            severity=WARNING,
            check="state",
            what="this file is open to others; it may hold numbers and texts",
            where=f"{where}/{name}",
            remedy=f"chmod 600 {where}/{name}",
        )
    if not found.mode & 0o077 and not found.wide and not found.read_only:
        yield Finding(severity=OK, check="state", what=f"private, of {found.owner or 'its owner'}", where=where)


def disk(facts: Facts) -> Iterator[Finding]:
    found = facts.state
    if found is None or found.free is None:
        return
    left = f"{found.free // _MIB:,} MiB free"
    level = judge(Level.AMPLE, free=found.free, held=found.ballast, at=marks(found.size or LARGE))
    remedy = "Make room: journalctl --vacuum-size=100M, apt clean; du -xh / | sort -h | tail names what is large"
    if level is Level.CRITICAL:
        what = f"the disk is full ({left}): orders are refused and texts wait until there is room"
        yield Finding(severity=ERROR, check="disk", what=what, where=found.path, remedy=remedy)
    elif level is Level.LOW:
        yield Finding(severity=WARNING, check="disk", what=f"little room: {left}", where=found.path, remedy=remedy)
    else:
        yield Finding(severity=OK, check="disk", what=left, where=found.path)
    if found.files and found.files_free is not None and found.files_free < FEW_FILES:
        yield Finding(
            severity=ERROR,
            check="disk",
            what=f"the file system has room for {found.files_free} more files only",
            where=found.path,
            remedy="Remove small files that nobody needs: df -i, then look below /tmp and /var",
        )


def database(facts: Facts) -> Iterator[Finding]:
    found = facts.database
    if found is None or not found.there:
        return
    if found.problem:
        yield Finding(
            severity=ERROR,
            check="database",
            what=found.problem,
            where=found.path,
            remedy="Stop the service, keep a copy of the file, and put a backup back: gsmbridge restore FILE",
        )
    elif found.schema > found.newest:
        yield Finding(
            severity=ERROR,
            check="database",
            what=f"it has schema {found.schema}, and this version knows up to {found.newest}",
            where=found.path,
            remedy="Install the newer version that wrote it",
        )
    else:
        old = "" if found.schema == found.newest else f", brought up to {found.newest} at the next start"
        what = f"sound, schema {found.schema}{old}"
        yield Finding(severity=OK, check="database", what=what, where=found.path)
        days = 0 if facts.clock is None or not found.checked_at else (facts.clock.now - found.checked_at) // DAY
        if days > UNCHECKED:
            yield Finding(
                severity=NOTE,
                check="database",
                what=f"the whole of it, indexes too, was last checked {days} days ago",
                where=found.path,
                remedy="The service does it each week when there is little to send; let it run through a quiet night",
            )


def webhooks(facts: Facts) -> Iterator[Finding]:
    for one in facts.webhooks:
        seen = f"gsmbridge webhook deliveries {one.id}"
        if one.disabled:
            yield Finding(
                severity=WARNING,
                check="webhooks",
                what=f"nothing is sent there any more: {one.disabled}",
                where=one.id,
                remedy=f"If it is there again: gsmbridge webhook enable {one.id}; "
                f"if it has gone for good: gsmbridge webhook rm {one.id}",
            )
        if one.dead:
            yield Finding(
                severity=WARNING,
                check="webhooks",
                what=f"{one.dead} events were given up: the receiver did not take them",
                where=one.id,
                remedy=f"See what it answered: {seen}; mend it, then: gsmbridge webhook replay {one.id} --all",
            )
        late = 0 if one.oldest is None or facts.clock is None else facts.clock.now - one.oldest
        if late > LATE and one.enabled:
            yield Finding(
                severity=WARNING,
                check="webhooks",
                what=f"{one.waiting} events wait for the receiver, the oldest for {late // 60_000} minutes",
                where=one.id,
                remedy=f"See what it answers: {seen}; nothing is lost meanwhile",
            )


def clock(facts: Facts) -> Iterator[Finding]:
    found = facts.clock
    if found is None:
        return
    remedy = "Let a time server keep it: sudo timedatectl set-ntp true; see schedules.md"
    if found.now < found.build:
        what = "the clock lies in the past: texts that are due later are held until it is right"
        yield Finding(severity=ERROR, check="clock", what=what, remedy=remedy)
    elif found.synchronised is False and not found.battery:
        what = "no time server keeps the clock, and this machine has no clock that runs while it is off"
        yield Finding(severity=WARNING, check="clock", what=what, remedy=remedy)
    elif found.synchronised is False:
        yield Finding(severity=NOTE, check="clock", what="no time server keeps the clock", remedy=remedy)
    else:
        yield Finding(
            severity=OK, check="clock", what="kept by a time server" if found.synchronised else "its time is plausible"
        )


def accounts(facts: Facts) -> Iterator[Finding]:
    for found in facts.accounts:
        if not found.ok:
            yield Finding(severity=ERROR, check="provider", what=found.detail, where=found.id, remedy=found.remedy)
        elif found.balance is not None and found.balance <= LITTLE_MONEY:
            yield Finding(
                severity=ERROR,
                check="provider",
                what=f"the account is empty: {found.detail}",
                where=found.id,
                remedy="Pay money in at the provider",
            )
        else:
            yield Finding(severity=OK, check="provider", what=found.detail, where=found.id)
    if facts.settings is not None and facts.settings.providers and not facts.accounts:
        yield Finding(
            severity=NOTE,
            check="provider",
            what="logins and balances are asked through the running service only",
            remedy="Start the service, then: gsmbridge provider test",
        )


CHECKS: tuple[Check, ...] = (
    version,
    configuration,
    state,
    disk,
    database,
    clock,
    service,
    modems.usb,
    modems.ports,
    modems.grabbers,
    modems.pin,
    modems.running,
    modems.asked,
    accounts,
    webhooks,
)
