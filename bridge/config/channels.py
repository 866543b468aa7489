"""The tables that stand once for each: modems, accounts at providers, and the routes over them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bridge.config import readers as read
from bridge.config.declared import REFUSED, TABLES
from bridge.config.readers import meant, says
from bridge.config.settings import GROUPS, READY_MADE, InboundRule, Modem, Provider, Route, Secret, SecretKind
from bridge.config.walk import Judge, Problems, ReadSecret, no_twins, referred, tables, values

__all__ = ["inbound_rules", "modems", "no_twin_channels", "providers", "routes"]

_PLAIN = frozenset({"ca_file"})  # options that are paths themselves, not references to what they say
_SECRET = re.compile(r"(?:^|_)(?:password|passwd|psw|secret|token|key|apikey)$")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")


def modems(
    document: Mapping[str, object], read_secret: ReadSecret, judge: Judge | None, found: Problems
) -> tuple[Modem, ...]:
    made = []
    listed = tables(document, "modem", found)
    for index, table in enumerate(listed):
        at = f"modem[{index}]"
        taken = values(table, at, TABLES["modem"], found, REFUSED)
        if "id" not in table:
            found.add(f"{at}.id", 'is missing; each modem needs a name, such as id = "gsm1"')
        if not table.keys() & {"port", "imei", "iccid"}:
            found.add(f"{at}.port", "is missing; `gsmbridge modem scan` lists the ports that answer as modems")
        if "balance_ussd" not in table and (idle := next((k for k in table if k.startswith("balance_")), None)):
            found.add(f"{at}.{idle}", 'does nothing without the code, such as balance_ussd = "*101#"')
        key = next((k for k in ("pin_file", "pin_credential") if k in taken), "pin_file")
        pin = referred(at, "pin", taken, read_secret, found)
        if pin is not None and not re.fullmatch(r"[0-9]{4,8}", pin.strip()):  # 31.102: 4 to 8 digits
            found.add(f"{at}.{key}", "does not hold a PIN; a PIN has 4 to 8 digits and stands alone")
            pin = None
        if "id" in taken:
            modem = Modem(pin=None if pin is None else Secret(pin.strip()), **taken)
            made.append(modem)
            for name, detail in judge(modem) if judge else ():
                found.add(f"{at}.{name}", detail)
    for key in ("port", "imei", "iccid"):
        no_twins(key, ((f"modem[{index}]", table) for index, table in enumerate(listed)), found)
    return tuple(made)


def providers(
    document: Mapping[str, object], read_secret: ReadSecret, judge: Judge | None, found: Problems
) -> tuple[Provider, ...]:
    made = []
    for index, table in enumerate(tables(document, "provider", found)):
        at = f"provider[{index}]"
        before = len(found.problems)
        own = {key: value for key, value in table.items() if key in TABLES["provider"]}
        taken = values(own, at, TABLES["provider"], found)
        if "id" not in table:
            found.add(f"{at}.id", 'is missing; each account needs a name, such as id = "cloud1"')
        if "driver" not in table:
            found.add(f"{at}.driver", 'is missing; say whose account it is, such as driver = "serwersms"')
        token = _callback_token(at, taken, read_secret, found)
        others = {key: value for key, value in table.items() if key not in own}
        options = _options(at, others, read_secret, found)
        if "id" in taken and "driver" in taken:
            provider = Provider(options=options, callback_secret=token, **taken)
            made.append(provider)
            sound = len(found.problems) == before
            for name, detail in judge(provider) if judge else ():
                # What is missing may be what was refused above.
                if sound or name in options or name == "driver":
                    found.add(f"{at}.{_written(name, table)}".rstrip("."), detail)
    return tuple(made)


def routes(document: Mapping[str, object], channels: frozenset[str], found: Problems) -> tuple[Route, ...]:
    """`channels`: the ids that there are."""
    made = []
    listed = tables(document, "route", found)
    for index, table in enumerate(listed):
        at = f"route[{index}]"
        taken = values(table, at, TABLES["route"], found)
        for key, what in (
            ("name", 'a name, such as name = "alarms"'),
            ("channels", 'channels = ["gsm1", "providers"]'),
        ):
            if key not in table:
                found.add(f"{at}.{key}", f"is missing; each route needs {what}")
        for id in taken.get("channels", ()):
            if id not in channels and id not in GROUPS:
                known = (*sorted(channels), *GROUPS)
                remedy = meant(id, known) or f"; there are: {', '.join(known)}"
                found.add(f"{at}.channels", f"{says(id)} is neither a channel nor a group{remedy}")
        if "name" in taken and "channels" in taken:
            made.append(Route(**taken))
    no_twins("name", ((f"route[{index}]", table) for index, table in enumerate(listed)), found)
    names = (*READY_MADE, *(r.name for r in made))
    sending = document.get("sending")
    default = sending.get("route") if isinstance(sending, dict) else None
    if isinstance(default, str) and default not in names:
        remedy = meant(default, names) or f"; there are: {', '.join(names)}"
        found.add("sending.route", f"there is no route {says(default)}{remedy}")
    return tuple(made)


def inbound_rules(document: Mapping[str, object], channels: frozenset[str], found: Problems) -> tuple[InboundRule, ...]:
    made = []
    listed = tables(document, "inbound_rule", found)
    inbound = document.get("inbound")
    programs = isinstance(inbound, dict) and inbound.get("allow_programs") is True
    for index, table in enumerate(listed):
        at = f"inbound_rule[{index}]"
        taken = values(table, at, TABLES["inbound_rule"], found)
        if "name" not in table:
            found.add(f"{at}.name", 'is missing; each rule needs a name, such as name = "info"')
        if not table.keys() & {"forward", "reply", "program"}:
            found.add(at, "does nothing; give it forward, reply or program")
        for id in taken.get("channels", ()):
            if id not in channels:
                remedy = meant(id, channels) or f"; there are: {', '.join(sorted(channels)) or 'none'}"
                found.add(f"{at}.channels", f"{says(id)} is no channel{remedy}")
        if "program" in table and not programs:
            found.add(f"{at}.program", "may run only with inbound.allow_programs = true")
        if "program" in table and "senders" not in table:
            found.add(f"{at}.program", "runs for listed senders only; give the rule its senders")
        if taken.get("program") and not taken["program"][0].startswith("/"):
            found.add(f"{at}.program", f"{says(taken['program'][0])} is no absolute path; begin it with /")
        if "name" in taken:
            made.append(InboundRule(**taken))
    no_twins("name", ((f"inbound_rule[{index}]", table) for index, table in enumerate(listed)), found)
    return tuple(made)


def no_twin_channels(document: Mapping[str, object], found: Problems) -> None:
    named = [
        (f"{name}[{index}]", table)
        for name in ("modem", "provider")
        for index, table in enumerate(tables(document, name, Problems({})))
    ]
    no_twins("id", named, found)
    for at, table in named:
        if table.get("id") in GROUPS:
            found.add(f"{at}.id", f"{says(table['id'])} names all {table['id']} in routes; choose another name")


# --- An account -------------------------------------------------------------------------------------------------------


def _callback_token(at: str, taken: dict[str, Any], read_secret: ReadSecret, found: Problems) -> Secret | None:
    name = "callback_token"
    key = next((k for k in (f"{name}_file", f"{name}_credential") if k in taken), "")
    token = referred(at, name, taken, read_secret, found)
    if token is None:
        return None
    if not _TOKEN.fullmatch(token.strip()):
        found.add(
            f"{at}.{key}",
            "does not hold 16 to 128 letters, digits, - and _ and nothing else; `openssl rand -hex 24` makes them",
        )
        return None
    return Secret(token.strip())


def _options(at: str, given: Mapping[str, object], read_secret: ReadSecret, found: Problems) -> dict[str, object]:
    """The driver's own settings, their references followed. Which there are, the driver knows."""
    options: dict[str, object] = {}
    references: dict[str, dict[str, Any]] = {}
    for key, value in given.items():
        name = _referred_name(key)
        try:
            if name is not None:
                reader = read.path if key.endswith(SecretKind.FILE) else read.name("name of a credential")
                references.setdefault(name, {})[key] = reader(value)
            elif _SECRET.search(key):
                raise ValueError(
                    "a secret does not stand in the configuration; write it into a file of mode 0600 and name that "
                    f"with {key}_file, or use {key}_credential with systemd"
                )
            else:
                options[key] = value
        except ValueError as error:
            found.add(f"{at}.{key}", str(error))
    for name, ways in references.items():
        key = next(iter(ways))
        if name in given:
            found.add(f"{at}.{key}", f"stands beside {name}; keep one of the two")
            continue
        value = referred(at, name, ways, read_secret, found)
        if value is None:
            continue
        # Editors end a file with a line feed; whatever else stands there may be meant.
        options[name] = value = value.rstrip("\r\n")
        if not value:
            found.add(f"{at}.{key}", "is empty")
    return options


def _written(name: str, table: Mapping[str, object]) -> str:
    """The key by which the setting stands in the table."""
    return next((key for key in (name, *(f"{name}_{kind}" for kind in SecretKind)) if key in table), name)


def _referred_name(key: str) -> str | None:
    """`password_file` -> "password"."""
    if key in _PLAIN:
        return None
    for kind in SecretKind:
        name = key.removesuffix(f"_{kind}")
        if name and name != key:
            return name
    return None
