"""WAP push as it comes in (WAP-230): what kind it is, and what it says. Nothing it points to is ever fetched.

`read` knows MMS notifications (OMA-MMS-ENC), service indications (WAP-167) and service loadings (WAP-168); anything
else keeps its content type and its octets. Whatever the octets are, the one error is `PduError`.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from drivers.gsm import PduError, wbxml
from drivers.gsm.octets import Octets

__all__ = ["MmsNotification", "Push", "ServiceIndication", "ServiceLoading", "read"]


class MmsNotification(msgspec.Struct, frozen=True, kw_only=True):
    """A picture message waits at `url`. `size`: octets. `expires_in` seconds, or `expires_at`."""

    transaction: str = ""
    sender: str = ""
    subject: str = ""
    size: int | None = None
    url: str = ""
    message_class: str = ""
    expires_in: int | None = None
    expires_at: datetime | None = None


class ServiceIndication(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    text: str = ""
    action: str = "signal-medium"
    id: str = ""
    created: datetime | None = None
    expires: datetime | None = None


class ServiceLoading(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    action: str = "execute-low"


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """`body`: the octets behind the headers. `content`: what they say, where that is known."""

    content_type: str
    body: bytes
    content: MmsNotification | ServiceIndication | ServiceLoading | None = None


def read(data: bytes) -> Push:
    """The octets after the user-data header, of all parts."""
    octets = Octets(data)
    octets.octet()  # transaction
    if octets.octet() not in (0x06, 0x07):  # push, confirmed push
        raise PduError("no WAP push begins so")
    headers = Octets(octets.take(octets.uintvar()))
    content_type, body = _content_type(headers), octets.rest()
    match content_type:
        case "application/vnd.wap.mms-message":
            return Push(content_type=content_type, body=body, content=_notification(Octets(body)))
        case "application/vnd.wap.sic":
            return Push(content_type=content_type, body=body, content=_indication(wbxml.read(body, wbxml.SI)))
        case "application/vnd.wap.slc":
            return Push(content_type=content_type, body=body, content=_loading(wbxml.read(body, wbxml.SL)))
        case _:
            return Push(content_type=content_type, body=body)


# WAP-230 table 40 and its later numbers, those that come by push.
_TYPES = {
    0x03: "text/plain",
    0x27: "application/xml",
    0x29: "application/vnd.wap.wbxml",
    0x2D: "text/vnd.wap.si",
    0x2E: "application/vnd.wap.sic",
    0x2F: "text/vnd.wap.sl",
    0x30: "application/vnd.wap.slc",
    0x31: "text/vnd.wap.co",
    0x32: "application/vnd.wap.coc",
    0x36: "application/vnd.wap.connectivity-wbxml",
    0x3E: "application/vnd.wap.mms-message",
    0x42: "application/vnd.oma.drm.rights+xml",
    0x43: "application/vnd.oma.drm.rights+wbxml",
    0x44: "application/vnd.syncml.notification",
}
_CLASSES = {0x80: "personal", 0x81: "advertisement", 0x82: "informational", 0x83: "auto"}
_NOTIFICATION = 0x82  # m-notification-ind
_LATEST = 253_402_300_799  # the last second a datetime can say


def _content_type(headers: Octets) -> str:
    first = headers.peek()
    if first >= 0x80:
        return _known(headers.octet() & 0x7F)
    if first >= 32:
        return headers.text().lower()
    inner = Octets(headers.take(headers.length()))
    if inner.peek() >= 0x80 or inner.peek() < 32:
        return _known(inner.number())
    return inner.text().lower()


def _known(number: int) -> str:
    return _TYPES.get(number, f"type {number:#04x}")


def _notification(octets: Octets) -> MmsNotification | None:
    """None: another of the MMS messages."""
    found: dict[str, object] = {}
    kind = 0
    while octets:
        if octets.peek() < 0x80:  # a header with a name of its own
            octets.string()
            octets.string()
            continue
        match octets.octet():
            case 0x8C:
                kind = octets.octet()
            case 0x98:
                found["transaction"] = octets.text()
            case 0x89:
                found["sender"] = _sender(Octets(octets.take(octets.length())))
            case 0x96:
                found["subject"] = octets.encoded()
            case 0x8E:
                found["size"] = octets.number()
            case 0x83:
                found["url"] = octets.text()
            case 0x8A:
                token = octets.peek()
                found["message_class"] = _CLASSES.get(octets.octet(), "") if token >= 0x80 else octets.text()
            case 0x88:
                found |= _expiry(Octets(octets.take(octets.length())))
            case _:
                octets.value()
    return msgspec.convert(found, MmsNotification) if kind == _NOTIFICATION else None


def _sender(octets: Octets) -> str:
    if octets.octet() != 0x80:  # 0x81: the network was to insert it
        return ""
    address = octets.encoded()
    return address.partition("/TYPE=")[0]


def _expiry(octets: Octets) -> dict[str, object]:
    absolute = octets.octet() == 0x80
    seconds = octets.number()
    if not absolute:
        return {"expires_in": seconds}
    return {"expires_at": datetime.fromtimestamp(seconds, UTC)} if seconds <= _LATEST else {}


def _indication(found: wbxml.Element) -> ServiceIndication:
    values = found.attributes
    return ServiceIndication(
        url=_text(values.get("href")),
        text=found.text,
        action=_text(values.get("action")) or "signal-medium",
        id=_text(values.get("si-id")),
        created=_date(values.get("created")),
        expires=_date(values.get("si-expires")),
    )


def _loading(found: wbxml.Element) -> ServiceLoading:
    return ServiceLoading(
        url=_text(found.attributes.get("href")), action=_text(found.attributes.get("action")) or "execute-low"
    )


def _text(value: str | bytes | None) -> str:
    return value if isinstance(value, str) else ""


def _date(value: str | bytes | None) -> datetime | None:
    """%DATETIME, WAP-167 §9.2: BCD from the century down, zero octets at the end left out. None: not to be read."""
    if not isinstance(value, bytes):
        return None
    try:
        return datetime.strptime(value.hex().ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
