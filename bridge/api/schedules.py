"""/v1/schedules: orders that are placed again and again."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Response, delete, get, patch, post
from msgspec import UNSET, Meta, UnsetType

from bridge.api import body, cursor
from bridge.api.body import Head, Shape
from bridge.api.fast import once_of
from bridge.api.operation import Operation
from bridge.api.orders import Options, Time, To, instant, order
from bridge.api.problems import Refusal
from bridge.api.query import CURSOR, LIMIT, Query
from bridge.api.routing import OPERATION, AnyRequest, CallerOf, PartsOf
from bridge.api.shapes import Page, shown_time
from bridge.api.shapes import Time as ShownTime
from bridge.model import LOCAL_CLIENT, Instant, Occurrence, Schedule, Scope, parse_id, show_id
from bridge.policy.scheduling import Wish, coming, order_of
from bridge.store import View

__all__ = ["ROUTES", "OccurrenceOut", "ScheduleIn", "ScheduleOut"]

SCHEDULES = "/v1/schedules"
_LIST, _OCCURRENCES = "schedules", "occurrences"
SHOWN = 10  # coming times

T = TypeVar("T")

Rule = Annotated[
    str,
    Meta(description='a string: when, such as "every weekday at 08:00" or a cron expression "0 8 * * 1-5"'),
]
Recipients = Annotated[list[To], Meta(description='an array of recipients, such as ["+48600700800"]')]
Content = Annotated[Options, Meta(description='an object: what each recipient gets, such as {"text": "Good morning"}')]
Zone = Annotated[str, Meta(description='a string: the time zone of the rule, such as "Europe/Warsaw"')]
Begin = Annotated[Time, Meta(description='a time with its zone, such as "2030-01-31T12:00:00Z": nothing runs before')]
End = Annotated[Time, Meta(description='a time with its zone, such as "2030-01-31T12:00:00Z": nothing runs after')]
Count = Annotated[int, Meta(ge=1, le=2**31, description="1 or more: it ends when so many were sent")]
Day = Annotated[str, Meta(max_length=10, description='a day, such as "2026-12-25"')]
Days = Annotated[list[Day], Meta(description="an array of days in its zone on which nothing runs")]
Grace = Annotated[
    int, Meta(ge=0, le=604_800, description="0..604800 seconds: a missed one is sent when so late at most")
]
Name = Annotated[str, Meta(max_length=64, description="a string: a name of yours, at most 64 characters")]


class ScheduleIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message to one or many, and when. null and absent mean the default."""

    rule: Rule
    to: Recipients
    message: Content
    tz: Zone | None = None
    start: Begin | None = None
    end: End | None = None
    count: Count | None = None
    exceptions: Days | None = msgspec.field(name="except", default=None)
    misfire_grace: Grace | None = None
    name: Name | None = None
    paused: Annotated[bool | None, Meta(description="true: made, and not running yet")] = None


class ScheduleChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be otherwise. Absent: it stays; null: back to the default."""

    rule: Rule | UnsetType = UNSET
    to: Recipients | UnsetType = UNSET
    message: Content | UnsetType = UNSET
    tz: Zone | UnsetType | None = UNSET
    start: Begin | UnsetType | None = UNSET
    end: End | UnsetType | None = UNSET
    count: Count | UnsetType | None = UNSET
    exceptions: Days | UnsetType | None = msgspec.field(name="except", default=UNSET)
    misfire_grace: Grace | UnsetType | None = UNSET
    name: Name | UnsetType | None = UNSET
    paused: Annotated[bool, Meta(description="true or false: as by pause and resume")] | UnsetType = UNSET


class ScheduleOut(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule. `state`: active, paused or ended. `next`: its next ten times, or what they would be. `sent`: how
    often it has sent. `message`: what was asked for, without what is usual."""

    id: str
    name: str | None
    state: str
    rule: str
    tz: str
    start: ShownTime
    end: ShownTime | None
    count: int | None
    exceptions: list[str] = msgspec.field(name="except")
    misfire_grace: int
    to: list[str]
    message: dict[str, Any]
    sent: int
    next: list[ShownTime]
    client: str | None
    created_at: ShownTime
    updated_at: ShownTime


class OccurrenceOut(msgspec.Struct, frozen=True, kw_only=True):
    """One time at which it ran, or should have. `state`: sent, late, skipped or refused, and `reason` why. `message`:
    its message where there is one recipient, `batch`: where there are several; `count`: of messages."""

    id: str
    due_at: ShownTime
    made_at: ShownTime
    state: str
    reason: str | None
    message: str | None
    batch: str | None
    count: int


@post(
    SCHEDULES,
    status_code=201,
    opt={
        OPERATION: Operation(
            summary="Make a schedule",
            description="Answered when it is on disk. Each occurrence is an order of its own, made once.",
            scope=Scope.SEND,
            body=ScheduleIn,
            answer=ScheduleOut,
            status=201,
            idempotent=True,
            codes=(
                *("rule_not_valid", "never_fires", "unknown_zone", "conflict", "out_of_range", "number_not_valid"),
                *(
                    "text_too_long",
                    "empty_batch",
                    "too_many_recipients",
                    "idempotency_key_reuse",
                    "draining",
                    "disk_full",
                ),
            ),
        )
    },
)
async def post_schedule(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> Response[bytes]:
    head = Head.of(request.scope["headers"])
    raw = await body.read(head, request.receive, parts.max_body)
    given = _NEW.decode(raw)
    _few(given.to, parts.max_recipients)
    wish = Wish(
        rhythm=given.rule,
        recipients=tuple(given.to),
        order=order(given.message, ""),
        zone=given.tz,
        start=_instant(given.start),
        end=_instant(given.end),
        count=given.count,
        exceptions=tuple(given.exceptions or ()),
        grace=given.misfire_grace,
        name=given.name or "",
        paused=given.paused or False,
    )
    accepted = await parts.schedules.add(
        wish,
        caller.client,
        render=lambda schedule: msgspec.json.encode(schedule_out(schedule, schedule.created_at)),
        once=once_of(head, SCHEDULES, raw),
    )
    id = msgspec.json.decode(accepted.answer)["id"]
    headers = {"location": f"{SCHEDULES}/{id}"}
    if accepted.replayed:
        headers["idempotent-replay"] = "true"
    return Response(content=accepted.answer, status_code=201, headers=headers, media_type="application/json")


@get(
    SCHEDULES,
    opt={
        OPERATION: Operation(
            summary="List schedules, newest first",
            description="A key sees those made with it; an admin key sees all.",
            scope=Scope.READ,
            answer=Page[ScheduleOut],
            query=(LIMIT, CURSOR),
            codes=("bad_parameter",),
        )
    },
)
async def list_schedules(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> Page[ScheduleOut]:
    query = Query(request.scope["query_string"], (LIMIT, CURSOR))
    before, limit = query.cursor(_LIST), query.limit()
    query.done()
    found = await parts.store.read(lambda view: view.schedules(client=caller.sees, before=before, limit=limit + 1))
    page, now = found[:limit], parts.now()
    return Page(
        items=[schedule_out(schedule, now) for schedule in page],
        next=cursor.show(_LIST, page[-1].id) if len(found) > limit else None,
    )


@get(
    f"{SCHEDULES}/{{id:str}}",
    opt={
        OPERATION: Operation(
            summary="One schedule and its next ten times",
            scope=Scope.READ,
            answer=ScheduleOut,
            codes=("schedule_not_found",),
        )
    },
)
async def get_schedule(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> ScheduleOut:
    number = _number(request)
    found = await parts.store.read(lambda view: _own(view, number, caller.sees))
    return _shown(found, parts.now())


@patch(
    f"{SCHEDULES}/{{id:str}}",
    opt={
        OPERATION: Operation(
            summary="Change a schedule",
            description="What is absent stays. What was sent stays sent, and counted.",
            scope=Scope.SEND,
            body=ScheduleChange,
            answer=ScheduleOut,
            codes=("schedule_not_found", "rule_not_valid", "never_fires", "unknown_zone", "conflict"),
        )
    },
)
async def patch_schedule(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> ScheduleOut:
    number = _number(request)
    given = _CHANGE.decode(await body.read(Head.of(request.scope["headers"]), request.receive, parts.max_body))
    if given.to is not UNSET:
        _few(given.to, parts.max_recipients)
    return _shown(await parts.schedules.change(number, caller.sees, lambda s: _changed(s, given)), parts.now())


@delete(
    f"{SCHEDULES}/{{id:str}}",
    status_code=200,
    opt={
        OPERATION: Operation(
            summary="Remove a schedule",
            description="Nothing more comes of it. Messages that it made stay; cancel them one by one.",
            scope=Scope.SEND,
            answer=ScheduleOut,
            codes=("schedule_not_found",),
        )
    },
)
async def delete_schedule(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> ScheduleOut:
    return _shown(await parts.schedules.remove(_number(request), caller.sees), parts.now())


@post(
    f"{SCHEDULES}/{{id:str}}/pause",
    status_code=200,
    opt={
        OPERATION: Operation(
            summary="Pause a schedule",
            description="Nothing runs until it is resumed. Pausing twice is no mistake.",
            scope=Scope.SEND,
            answer=ScheduleOut,
            codes=("schedule_not_found",),
        )
    },
)
async def pause_schedule(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> ScheduleOut:
    return _shown(await parts.schedules.set_paused(_number(request), caller.sees, True), parts.now())


@post(
    f"{SCHEDULES}/{{id:str}}/resume",
    status_code=200,
    opt={
        OPERATION: Operation(
            summary="Resume a schedule",
            description="It runs from now on; what it would have sent while it was paused is not made up for.",
            scope=Scope.SEND,
            answer=ScheduleOut,
            codes=("schedule_not_found",),
        )
    },
)
async def resume_schedule(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> ScheduleOut:
    return _shown(await parts.schedules.set_paused(_number(request), caller.sees, False), parts.now())


@get(
    f"{SCHEDULES}/{{id:str}}/occurrences",
    opt={
        OPERATION: Operation(
            summary="The occurrences of a schedule, newest first",
            description="Each with its message or batch, or why there is none.",
            scope=Scope.READ,
            answer=Page[OccurrenceOut],
            query=(LIMIT, CURSOR),
            codes=("schedule_not_found", "bad_parameter"),
        )
    },
)
async def list_occurrences(request: AnyRequest, parts: PartsOf, caller: CallerOf) -> Page[OccurrenceOut]:
    number = _number(request)
    query = Query(request.scope["query_string"], (LIMIT, CURSOR))
    before, limit = query.cursor(_OCCURRENCES), query.limit()
    query.done()

    def look(view: View) -> list[Occurrence]:
        if _own(view, number, caller.sees) is None:
            raise _no_schedule()
        return view.occurrences(number, before=before, limit=limit + 1)

    found = await parts.store.read(look)
    page = found[:limit]
    return Page(
        items=[_occurrence_out(one) for one in page],
        next=cursor.show(_OCCURRENCES, page[-1].due_at) if len(found) > limit else None,
    )


ROUTES = (
    *(post_schedule, list_schedules, get_schedule, patch_schedule, delete_schedule),
    *(pause_schedule, resume_schedule, list_occurrences),
)

_NEW = Shape(ScheduleIn)
_CHANGE = Shape(ScheduleChange)


def schedule_out(s: Schedule, now: Instant) -> ScheduleOut:
    return ScheduleOut(
        id=show_id("sch", s.id),
        name=s.name or None,
        state="paused" if s.paused else "ended" if s.next_at is None else "active",
        rule=s.rhythm,
        tz=s.zone,
        start=shown_time(s.start),
        end=None if s.ends_at is None else shown_time(s.ends_at),
        count=s.most,
        exceptions=list(s.exceptions),
        misfire_grace=s.grace // 1000,
        to=list(s.recipients),
        message=_message(s),
        sent=s.sent,
        next=[shown_time(at) for at in coming(s, now, SHOWN)],
        client=None if s.client == LOCAL_CLIENT else show_id("key", s.client),
        created_at=shown_time(s.created_at),
        updated_at=shown_time(s.updated_at),
    )


def _shown(schedule: Schedule | None, now: Instant) -> ScheduleOut:
    if schedule is None:
        raise _no_schedule()
    return schedule_out(schedule, now)


def _message(schedule: Schedule) -> dict[str, Any]:
    """The order under the names that it was given with."""
    given: dict[str, Any] = msgspec.json.decode(schedule.orders)
    given.pop("to")
    if "message_class" in given:
        given["class"] = given.pop("message_class")
    if "windows" in given:
        given["windows"] = [window for asked in order_of(schedule).windows for window in asked.windows]
    if "udh" in given:
        given["udh"] = order_of(schedule).udh.hex()
    return given


def _occurrence_out(o: Occurrence) -> OccurrenceOut:
    return OccurrenceOut(
        id=show_id("occ", o.id),
        due_at=shown_time(o.due_at),
        made_at=shown_time(o.made_at),
        state=o.state.value,
        reason=o.reason or None,
        message=None if o.message is None else show_id("msg", o.message),
        batch=None if o.batch is None else show_id("bat", o.batch),
        count=o.count,
    )


def _changed(s: Schedule, given: ScheduleChange) -> Wish:
    return Wish(
        rhythm=_or(given.rule, s.rhythm),
        recipients=s.recipients if given.to is UNSET else tuple(given.to),
        order=order_of(s) if given.message is UNSET else order(given.message, ""),
        zone=_or(given.tz, s.zone),
        start=s.start if given.start is UNSET else _instant(given.start),
        end=s.ends_at if given.end is UNSET else _instant(given.end),
        count=_or(given.count, s.most),
        exceptions=s.exceptions if given.exceptions is UNSET else tuple(given.exceptions or ()),
        grace=_or(given.misfire_grace, s.grace // 1000),
        name=s.name if given.name is UNSET else given.name or "",
        paused=_or(given.paused, s.paused),
    )


def _or(given: T | UnsetType, present: T) -> T:
    return present if isinstance(given, UnsetType) else given


def _instant(time: Any) -> Instant | None:
    return None if time is None else instant(time)


def _few(recipients: list[str], most: int) -> None:
    if len(recipients) > most:
        detail = f"{len(recipients)} recipients in one schedule, the limit is {most}; split it into several"
        raise Refusal("too_many_recipients", detail)


def _own(view: View, number: int, client: int | None) -> Schedule | None:
    found = view.schedule(number)
    return None if found is None or client not in (None, found.client) else found


def _number(request: AnyRequest) -> int:
    number = parse_id("sch", request.path_params["id"])
    if number is None:
        raise _no_schedule()
    return number


def _no_schedule() -> Refusal:
    return Refusal("schedule_not_found", "no schedule of yours has this id; see GET /v1/schedules")
