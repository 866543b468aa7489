"""What an incoming message holds, as the API and the events show it: a flat object with a `type`. Pure.

`text`, `flash`, `binary`, `vcard`, `vcalendar`, `mms_notification`, `service_indication`, `service_loading`,
`wap_push`, `message_waiting`, `silent`, `sim_data`, `undecodable`. Addresses in it are shown and never fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from bridge.model import Inbound
from drivers.contract import IncomingKind, Indication
from drivers.gsm import PduError, push

__all__ = ["Content", "content_of"]

Content = dict[str, str | int | bool | None]

# Application ports with names (WAP-259 appendix A, Nokia Smart Messaging 3.0).
_PORTS = {
    226: "vcard",
    228: "vcalendar",
    2948: "wap-push",
    2949: "wap-push-secure",
    5505: "ringing-tone",
    5506: "operator-logo",
    5507: "caller-icon",
    9200: "wap-wsp",
    9204: "vcard",
    9205: "vcalendar",
    9206: "vcard-secure",
    9207: "vcalendar-secure",
    49_999: "ota-settings",
}
_CARDS = {"vcard": "vcard", "vcard-secure": "vcard", "vcalendar": "vcalendar", "vcalendar-secure": "vcalendar"}


def content_of(inbound: Inbound, *, indications: Sequence[Indication] = (), pdu: str = "") -> Content:
    """`pdu`: as it came, for what could not be decoded."""
    match inbound.kind:
        case IncomingKind.UNDECODABLE:
            return {"type": "undecodable", "hex": pdu, "reason": inbound.note}
        case IncomingKind.SILENT:
            return {"type": "silent", "hex": inbound.data.hex()}
        case IncomingKind.SIM_DATA:
            return {"type": "sim_data", "hex": inbound.data.hex(), "class": inbound.message_class}
        case IncomingKind.MWI:
            return _waiting(indications)
        case IncomingKind.WAP_PUSH:
            return _push(inbound)
        case IncomingKind.BINARY:
            return _binary(inbound)
        case IncomingKind.TEXT:
            kind = "flash" if inbound.message_class == 0 else "text"
            return {"type": kind, "text": inbound.text, **(_waiting(indications, prefix=True) if indications else {})}


def _waiting(indications: Sequence[Indication], *, prefix: bool = False) -> Content:
    """The first one; of several the others as `waiting_2` and so on."""
    found: Content = {} if prefix else {"type": "message_waiting"}
    for place, one in enumerate(indications, 1):
        suffix = "" if place == 1 else f"_{place}"
        found |= {f"waiting{suffix}": one.waiting, f"active{suffix}": one.active, f"count{suffix}": one.count}
    return found


def _binary(inbound: Inbound) -> Content:
    application = _PORTS.get(inbound.port or -1)
    found: Content = {
        "type": _CARDS.get(application or "", "binary"),
        "hex": inbound.data.hex(),
        "port": inbound.port,
        "source_port": inbound.source_port,
        "application": application,
    }
    text = inbound.text
    if text is None and application in _CARDS:
        text = inbound.data.decode("utf-8", "replace")
    return found if text is None else {**found, "text": text}


def _push(inbound: Inbound) -> Content:
    if inbound.missing:
        return {"type": "wap_push", "content_type": None, "hex": inbound.data.hex(), "reason": "parts are missing"}
    try:
        found = push.read(inbound.data)
    except PduError as error:
        return {"type": "wap_push", "content_type": None, "hex": inbound.data.hex(), "reason": str(error)}
    match found.content:
        case push.MmsNotification():
            return {"type": "mms_notification", **_fields(found.content)}
        case push.ServiceIndication():
            return {"type": "service_indication", **_fields(found.content)}
        case push.ServiceLoading():
            return {"type": "service_loading", **_fields(found.content)}
        case None:
            return {"type": "wap_push", "content_type": found.content_type, "hex": found.body.hex()}


def _fields(value: msgspec.Struct) -> Content:
    return {name: _plain(given) for name, given in msgspec.structs.asdict(value).items()}


def _plain(value: object) -> str | int | bool | None:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value if isinstance(value, str | int) else None
