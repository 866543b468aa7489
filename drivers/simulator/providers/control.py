"""The address `/-/...` of every fake: faults, fates, replies, the account and the ledger, for demonstrations and tests
that run in another process. It is not part of any provider's interface and meets no faults."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from drivers.simulator.providers.account import Account, Course
from drivers.simulator.providers.faults import Fault
from drivers.simulator.providers.wire import Answer, Request, json_answer

if TYPE_CHECKING:
    from drivers.simulator.providers.service import Seen, Service

__all__ = ["controlled"]


class _Course(msgspec.Struct, forbid_unknown_fields=True):
    course: Course
    number: str = ""


class _Reply(msgspec.Struct, forbid_unknown_fields=True):
    number: str
    text: str
    to: str = ""


def controlled(service: Service, request: Request) -> Answer:
    """200 with what is asked, 400 with the reason, 404 with the list of what there is."""
    try:
        content = _done(service, request)
    except (msgspec.MsgspecError, ValueError) as error:
        return json_answer({"error": str(error)}, status=400)
    if content is None:
        names = ["GET ledger", "GET requests", "GET seen", "GET account", "PATCH account", "PATCH knobs", "PUT faults"]
        return json_answer({"error": "not here", "offered": [*names, "PUT course", "POST reply"]}, status=404)
    return json_answer(content)


def _done(service: Service, request: Request) -> object:
    match request.method, request.path.removeprefix("/-/"):
        case "GET", "ledger":
            return list(service.ledger)
        case "GET", "requests":
            return Counter(seen.operation for seen in service.requests)
        case "GET", "seen":
            return [_told(seen) for seen in service.requests]
        case "GET", "account":
            return service.account
        case "PATCH", "account":
            _patch(service.account, msgspec.json.decode(request.body, type=dict[str, Any]))
            return service.account
        case "PATCH", "knobs":
            changes = msgspec.json.decode(request.body, type=dict[str, Any])
            unknown = changes.keys() - set(service.knobs.__struct_fields__)
            if unknown:
                raise ValueError(f"no such knob: {', '.join(sorted(unknown))}")
            whole = msgspec.to_builtins(service.knobs) | changes
            service.knobs = msgspec.convert(whole, type(service.knobs))
            return service.knobs
        case "PUT", "faults":
            service.set_faults(*msgspec.json.decode(request.body, type=list[Fault]))
            return {}
        case "PUT", "course":
            wanted = msgspec.json.decode(request.body, type=_Course)
            service.set_course(wanted.course, number=wanted.number)
            return {}
        case "POST", "reply":
            reply = msgspec.json.decode(request.body, type=_Reply)
            return service.reply(reply.number, reply.text, to=reply.to)
        case _:
            return None


def _told(seen: Seen) -> dict[str, Any]:
    """When a request arrived and what it said, whatever was answered."""
    return {"operation": seen.operation, "at": seen.at, "body": seen.request.body.decode("utf-8", "replace")}


def _patch(account: Account, changes: dict[str, Any]) -> None:
    unknown = changes.keys() - set(account.__struct_fields__)
    if unknown:
        raise ValueError(f"no such field: {', '.join(sorted(unknown))}")
    changed = msgspec.convert(msgspec.to_builtins(account) | changes, Account)
    for name in changes:
        setattr(account, name, getattr(changed, name))
