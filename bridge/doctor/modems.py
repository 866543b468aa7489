"""Checks of ports, modems and SIM cards. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bridge.doctor.facts import Facts
from bridge.doctor.findings import Finding, Severity
from drivers.modems.checkup import Checkup
from drivers.modems.generations import only_2g
from drivers.modems.usb import mode_problem

__all__ = ["asked", "grabbers", "pin", "ports", "running", "usb"]

OK, NOTE, WARNING, ERROR = Severity
WEAK = -105  # dBm; below it registration comes and goes
_REGISTERED = frozenset({"home", "roaming"})
_REGISTER = {
    "denied": "The network refuses the SIM: is it activated, paid, allowed to roam? Try it in a phone",
    "searching": "Look at the antenna and the place; a phone with the same SIM shows whether there is coverage",
    "not searching": "Does the modem know a network that still runs here? A 2G modem without 2G finds none",
    "emergency only": "The SIM is not accepted: is it activated and paid? Try it in a phone",
}
_PINS = {
    "SIM PIN": "Put the PIN into a file of mode 0600 and name it with pin_file, or switch the PIN off in a phone",
    "SIM PUK": "Too many wrong PINs: enter the PUK in a phone. No machine tries it",
    "NOT INSERTED": "Insert a SIM, check its contacts",
}


def usb(facts: Facts) -> Iterator[Finding]:
    for path, id in facts.devices.items():
        code, sentence = mode_problem(id)
        if code:
            what, _, remedy = sentence.partition(". ")
            yield Finding(severity=ERROR, check=code, what=what, where=f"usb {path} ({id})", remedy=remedy)


def ports(facts: Facts) -> Iterator[Finding]:
    ours = _configured(facts)
    in_service = {c["modem"]["port"] for c in facts.channels if c["state"] in ("up", "starting")}
    seen = [p for p in facts.ports if not p.silent]
    if not seen and facts.settings is not None and any("://" not in m.port for m in facts.settings.modems):
        yield Finding(
            severity=ERROR,
            check="ports",
            what="there is no serial port on this machine, and a modem is configured",
            remedy="Plug the modem in; dmesg | tail says what the system makes of it",
        )
    good = 0
    for port in seen:
        matters = port.port in ours or port.device in ours
        if not port.allowed:
            yield Finding(
                severity=NOTE if facts.channels else WARNING,
                check="permissions",
                what=f"{facts.user} may not open it",
                where=port.port,
                remedy=f"sudo usermod --append --groups {port.group or 'dialout'} {facts.user}; then log in anew",
            )
        if not port.service_allowed:
            yield Finding(
                severity=ERROR if matters else WARNING,
                check="permissions",
                what="the service's user gsmbridge may not open it",
                where=port.port,
                remedy=f"sudo usermod --append --groups {port.group or 'dialout'} gsmbridge; then restart the service",
            )
        if port.holders and port.port not in in_service and port.device not in in_service:
            yield Finding(
                severity=ERROR if matters else WARNING,
                check="holders",
                what=f"held by {', '.join(port.holders)}",
                where=port.port,
                remedy=port.remedy or "Stop that program",
            )
        good += port.allowed and port.service_allowed
    if good:
        names = ", ".join(p.port for p in seen[:4]) + (" ..." if len(seen) > 4 else "")
        yield Finding(severity=OK, check="ports", what=f"{good} of {len(seen)} serial ports can be opened", where=names)


def grabbers(facts: Facts) -> Iterator[Finding]:
    """Programs that have a way of taking modems, also while they hold none."""
    remedies = {
        "ModemManager": "gsmbridge install brings the udev rule that keeps it away; or: "
        "sudo systemctl disable --now ModemManager",
        "brltty": "sudo apt purge brltty, if no braille display is used here",
    }
    for name in facts.grabbers:
        yield Finding(
            severity=WARNING,
            check="holders",
            what=f"{name} runs on this machine and takes modems when they are plugged in",
            remedy=remedies.get(name, "Stop it, or keep it away from the modems"),
        )


def pin(facts: Facts) -> Iterator[Finding]:
    found = facts.guard
    if found is None:
        return
    if found.problem:
        yield Finding(
            severity=ERROR,
            check="pin_guard",
            what=f"the record of PIN entries cannot be read, so no PIN is entered: {found.problem}",
            where=found.path,
            remedy="Look at the SIM in a phone, then remove the file",
        )
    if found.refused:
        yield Finding(
            severity=WARNING,
            check="pin_guard",
            what=f"{found.refused} PIN(s) were entered once and opened no SIM; they are not tried again",
            where=found.path,
            remedy="Correct the PIN in its file, and unlock a SIM with fewer than three tries left in a phone",
        )


def running(facts: Facts) -> Iterator[Finding]:
    """What the service says of its channels."""
    for channel in facts.channels:
        if channel["driver"] == "modem":
            yield from _modem(channel)
        elif channel["state"] != "up":
            yield _down(channel)
        yield from _worries(channel)
    if facts.canary_ok is False:
        yield Finding(
            severity=ERROR,
            check="canary",
            what="the last canary did not arrive in time",
            remedy="gsmbridge ls names it (ref canary), gsmbridge show says where it stands; look at both its modems",
        )
    elif facts.canary_ok:
        yield Finding(severity=OK, check="canary", what="the last canary arrived in time")


def _modem(channel: dict[str, Any]) -> Iterator[Finding]:
    id, modem = channel["id"], channel["modem"]
    if channel["state"] != "up":
        yield _down(channel)
    if channel["paused_until"]:
        yield Finding(
            severity=WARNING,
            check="paused",
            what=f"paused after failures ({channel['code']}): {channel['reason'] or 'texts go by other channels'}",
            where=id,
            remedy="Look at the SIM's account; see routing.md. It is tried again by itself",
        )
    known = list(
        _card(
            id,
            model=modem["model"],
            registration=modem["registration"],
            service_centre=modem["service_centre"] if channel["state"] == "up" else None,
            used=modem["storage_used"],
            size=modem["storage_size"],
            signal=modem["signal_dbm"],
        )
    )
    yield from known
    if channel["state"] == "up" and not known and not channel["paused_until"]:
        signal = f", {modem['signal_dbm']} dBm" if modem["signal_dbm"] is not None else ""
        what = f"up: {modem['model'] or 'modem'}, {modem['operator'] or 'registered'}{signal}"
        yield Finding(severity=OK, check="modem", what=what, where=id)


def _worries(channel: dict[str, Any]) -> Iterator[Finding]:
    """What only shows after a while."""
    arrived, left = channel["arrivals"], channel["balance"]
    if arrived["silent_block"]:
        yield Finding(
            severity=ERROR,
            check="silent_block",
            what=f"its texts are accepted, but only {arrived['delivered']} of the last {arrived['due']} were delivered",
            where=channel["id"],
            remedy="The network may block it in silence: ask its operator; spread what is sent over more SIMs",
        )
    if left is not None and left["low"]:
        yield Finding(
            severity=WARNING,
            check="balance",
            what=f"little is left on the SIM: {left['amount']} {left['currency']}".rstrip(),
            where=channel["id"],
            remedy="Top it up",
        )
    if left is not None and left["problem"]:
        yield Finding(
            severity=WARNING,
            check="balance",
            what="what is left on the SIM could not be asked",
            where=channel["id"],
            remedy=left["problem"],
        )


def asked(facts: Facts) -> Iterator[Finding]:
    """What modems answered that we asked ourselves."""
    for one in facts.asked:
        where = one.channel or one.found.port
        found = list(_answered(one, where))
        yield from found
        if not found:
            signal = f", {one.signal_dbm} dBm" if one.signal_dbm is not None else ""
            network = one.operator or one.registration or "no network told"
            at = f" at {one.found.port}" if one.channel else ""
            what = f"answers{at}: {one.found.model or 'modem'}, {network}{signal}"
            yield Finding(severity=OK, check="modem", what=what, where=where)


def _answered(one: Checkup, where: str) -> Iterator[Finding]:
    if one.found.code:
        yield Finding(
            severity=ERROR,
            check=one.found.code,
            what=" ".join(one.found.problem.split()),
            where=where,
            remedy='See "When one does not come up" in modems.md',
        )
        return
    if one.pin not in ("", "READY") and not (one.pin == "SIM PIN" and one.channel and one.pin_tries == 3):
        remedy = _PINS.get(one.pin, "Unlock it in a phone; no machine tries it")
        yield Finding(severity=ERROR, check="pin", what=f"the SIM is not open: {one.pin}", where=where, remedy=remedy)
    if one.pin_tries is not None and one.pin_tries < 3:
        yield Finding(
            severity=ERROR,
            check="pin_tries",
            what=f"the SIM has {one.pin_tries} PIN tries left; with fewer than three none is used by a machine",
            where=where,
            remedy="Enter the PIN in a phone, which sets the counter back, then plug the modem in again",
        )
    opened = one.pin in ("", "READY")
    yield from _card(
        where,
        model=one.found.model,
        registration=one.registration if opened else "",
        service_centre=one.service_centre if opened else None,
        used=one.used,
        size=one.size,
        signal=one.signal_dbm if opened else None,
    )


def _card(
    where: str,
    *,
    model: str,
    registration: str,
    service_centre: str | None,
    used: int | None,
    size: int | None,
    signal: int | None,
) -> Iterator[Finding]:
    """What is judged alike, whoever asked the modem."""
    if only_2g(model):
        yield Finding(
            severity=NOTE,
            check="only_2g",
            what=f"{model} knows 2G only",
            where=where,
            remedy="Ask the operator how long its 2G network runs; an LTE modem works longer",
        )
    if registration and registration not in _REGISTERED:
        yield Finding(
            severity=ERROR,
            check="registration",
            what=f"not registered with a network: {registration}",
            where=where,
            remedy=_REGISTER.get(registration, "Try the SIM in a phone at the same place"),
        )
    if service_centre == "":
        yield Finding(
            severity=ERROR,
            check="service_centre",
            what="the SIM has no service centre, so every send fails",
            where=where,
            remedy='Ask the operator for its number and write smsc = "+..." at this modem',
        )
    if used is not None and size and used >= size:
        yield Finding(
            severity=ERROR,
            check="storage",
            what=f"the storage is full ({used} of {size}): no text can come in",
            where=where,
            remedy="The service empties it when it runs; what stays there another program has put there",
        )
    elif used is not None and size and used * 10 >= size * 8:
        what = f"the storage is nearly full ({used} of {size})"
        yield Finding(severity=WARNING, check="storage", what=what, where=where, remedy="Start the service")
    if signal is not None and signal < WEAK:
        yield Finding(
            severity=WARNING,
            check="signal",
            what=f"the signal is weak: {signal} dBm",
            where=where,
            remedy="A better antenna or place, away from the computer",
        )


def _down(channel: dict[str, Any]) -> Finding:
    """Its reason ends with the remedy, as all of the driver's do."""
    coming = channel["state"] == "starting"
    return Finding(
        severity=NOTE if coming else ERROR,
        check=channel["code"] or channel["state"],
        what=f"{channel['state']}: {' '.join((channel['reason'] or 'no reason is told').split())}",
        where=channel["id"],
        remedy="" if coming else 'See "When one does not come up" in modems.md, or provider test for an account',
    )


def _configured(facts: Facts) -> frozenset[str]:
    return frozenset(m.port for m in facts.settings.modems if m.port) if facts.settings else frozenset()
