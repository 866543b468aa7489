"""/v1/channels/{id}/...: what a provider's account can be asked. Each question goes to the provider."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec
from litestar import get, post
from msgspec import Meta

from bridge.api import body
from bridge.api.body import Head, Shape
from bridge.api.channels import no_channel
from bridge.api.operation import Operation
from bridge.api.orders import OrderIn, order
from bridge.api.parts import Parts
from bridge.api.problems import ProviderSaid, Refusal
from bridge.api.query import Parameter, Query
from bridge.api.routing import OPERATION, AnyRequest, PartsOf
from bridge.api.shapes import Time, shown_time
from bridge.clock import from_datetime
from bridge.model import Instant, Scope, show_id
from bridge.policy import numbers
from bridge.policy.admission import Complaint, Rejected
from drivers.contract import Account, ListedMessage, MessageQuery, NotOffered, SortBy, Submission, SubmitError

__all__ = ["ROUTES", "BalanceOut", "ListedOut", "LookupOut", "QuoteOut", "SenderOut", "Senders", "SentOut", "StatusOut"]

T = TypeVar("T")

Money = Annotated[str, Meta(description="a decimal number", pattern=r"^-?[0-9]+(\.[0-9]+)?$")]
_CODES = ("channel_not_found", "not_offered", "provider_failed")
_NUMBER = Parameter(name="number", description="the number asked about", schema={"type": "string"})
_REFERENCE = Parameter(
    name="reference",
    description="the provider's id of the message: `reference` of an attempt",
    schema={"type": "string"},
)
_TO = Parameter(name="to", description="the message's recipient; some providers need it", schema={"type": "string"})

_PAGES = 1_000_000
_TEXT = {"type": "string"}
_WHOLE = {"type": "integer", "minimum": 1}
_SENT = (
    Parameter(name="reference", description="only the message with this id of the provider's", schema=_TEXT),
    Parameter(name="to", description="only to this number", schema=_TEXT),
    Parameter(name="sender", description="only from this sender", schema=_TEXT),
    Parameter(name="text", description="only with this text", schema=_TEXT),
    Parameter(name="status", description="only in this state, by the provider's own word", schema=_TEXT),
    Parameter(name="since", description="sent at or after", schema={"type": "string", "format": "date-time"}),
    Parameter(name="until", description="sent before", schema={"type": "string", "format": "date-time"}),
    Parameter(
        name="where",
        description="NAME=VALUE: a criterion by the provider's own name; may be repeated",
        schema={"type": "array", "items": {"type": "string"}},
    ),
    Parameter(
        name="sort",
        description="FIELD or FIELD:desc, ours or the provider's; several after commas",
        schema={"type": "array", "items": {"type": "string"}},
    ),
    Parameter(name="page", description="counts from 1 (default) with every provider", schema=_WHOLE),
    Parameter(
        name="limit", description="messages a page; what sizes there are is the provider's affair", schema=_WHOLE
    ),
)


class BalanceOut(msgspec.Struct, frozen=True, kw_only=True):
    """`amount`: of `currency` where `unit` is "money", else so many "messages". `at`: when the network said so; a
    provider says it now."""

    amount: Money
    currency: str
    unit: str
    at: Time | None = None


class QuoteOut(msgspec.Struct, frozen=True, kw_only=True):
    """What a message would cost. `parts` as the provider counts them, `part_count` as we do; null: it does not say."""

    cost: Money
    currency: str
    parts: int | None
    part_count: int


class SenderOut(msgspec.Struct, frozen=True, kw_only=True):
    """A sender name and, in the provider's own words, whether it may be used."""

    name: str
    state: str


class Senders(msgspec.Struct, frozen=True, kw_only=True):
    items: list[SenderOut]


class StatusOut(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider says of a message. `fate`: its word in ours; `code`, `detail`: its own."""

    reference: str | None
    to: str | None
    fate: str | None
    code: str
    detail: str
    cost: Money | None
    currency: str


class ListedOut(msgspec.Struct, frozen=True, kw_only=True):
    """A message in a provider's own list, whoever ordered it. `code`: the provider's word for its state, `fate`: ours.
    `cost`: of the whole message. `changed_at`: last change of its state. `country`: of the recipient. `facts`: what the
    list says besides, in the provider's words. Null or "": it does not say."""

    reference: str
    to: str
    sender: str
    text: str | None
    fate: str
    code: str
    detail: str
    parts: int | None
    cost: Money | None
    currency: str
    sent_at: Time | None
    changed_at: Time | None
    country: str
    operator: str
    facts: dict[str, str]


class SentOut(msgspec.Struct, frozen=True, kw_only=True):
    """A page. `pages`, `total` null: the provider does not say. `next`: the page behind it; null: there is none."""

    items: list[ListedOut]
    page: int
    pages: int | None
    total: int | None
    next: int | None


class LookupOut(msgspec.Struct, frozen=True, kw_only=True):
    """A subscriber. `reachable` null: not known. `facts`: in the provider's own words."""

    number: str
    reachable: bool | None
    facts: dict[str, str]


@get(
    "/v1/channels/{id:str}/balance",
    opt={
        OPERATION: Operation(
            summary="What is left on an account or a SIM",
            description="A provider is asked; of a SIM the last answer is shown.",
            scope=Scope.READ,
            answer=BalanceOut,
            codes=(*_CODES, "balance_unknown", "bad_parameter"),
        )
    },
)
async def get_balance(request: AnyRequest, parts: PartsOf) -> BalanceOut:
    _query(request).done()
    if parts.account(request.path_params["id"]) is None:
        return await _left(request, parts)
    account = await _account(request, parts)
    found = await _asked(account.balance())
    return BalanceOut(amount=f"{found.amount:f}", currency=found.currency, unit=found.unit)


@get(
    "/v1/channels/{id:str}/senders",
    opt={
        OPERATION: Operation(
            summary="The account's sender names", scope=Scope.READ, answer=Senders, codes=(*_CODES, "bad_parameter")
        )
    },
)
async def get_senders(request: AnyRequest, parts: PartsOf) -> Senders:
    account = await _account(request, parts)
    _query(request).done()
    return Senders(items=[SenderOut(name=s.name, state=s.state) for s in await _asked(account.senders())])


@post(
    "/v1/channels/{id:str}/quote",
    status_code=200,
    opt={
        OPERATION: Operation(
            summary="Ask what a message would cost",
            description="The body is an order; nothing is sent.",
            scope=Scope.READ,
            body=OrderIn,
            answer=QuoteOut,
            codes=(*_CODES, "number_not_valid", "content_not_possible", "text_too_long"),
        )
    },
)
async def post_quote(request: AnyRequest, parts: PartsOf) -> QuoteOut:
    account = await _account(request, parts)
    wanted = _ORDER.decode(await body.read(Head.of(request.scope["headers"]), request.receive, parts.max_body))
    submission = _submission(wanted, parts)
    found = await _asked(account.quote(submission))
    return QuoteOut(cost=f"{found.cost:f}", currency=found.currency, parts=found.parts, part_count=submission.parts)


@get(
    "/v1/channels/{id:str}/status",
    opt={
        OPERATION: Operation(
            summary="Ask the provider what became of a message",
            description="Also of one that was not ordered here. Nothing of the answer is stored.",
            scope=Scope.ADMIN,
            answer=StatusOut,
            query=(_REFERENCE, _TO),
            codes=(*_CODES, "bad_parameter"),
        )
    },
)
async def get_status(request: AnyRequest, parts: PartsOf) -> StatusOut:
    account = await _account(request, parts)
    query = _query(request, _REFERENCE, _TO)
    reference = _needed(query, "reference", query.text("reference"))
    to = query.number("to", parts.region) or ""
    query.done()
    found = await _asked(account.status(reference, to))
    return StatusOut(
        reference=found.reference,
        to=found.recipient or to or None,
        fate=None if found.fate is None else found.fate.value,
        code=found.code,
        detail=found.detail,
        cost=None if found.cost is None else f"{found.cost:f}",
        currency=found.currency,
    )


@get(
    "/v1/channels/{id:str}/sent",
    opt={
        OPERATION: Operation(
            summary="The provider's own list of messages",
            description="Also of those that were not ordered here. Nothing of the answer is stored. What a provider's "
            "list cannot be asked is refused with what it can.",
            scope=Scope.ADMIN,
            answer=SentOut,
            query=_SENT,
            codes=(*_CODES, "bad_parameter"),
        )
    },
)
async def get_sent(request: AnyRequest, parts: PartsOf) -> SentOut:
    account = await _account(request, parts)
    query = _query(request, *_SENT)
    wanted = MessageQuery(
        reference=query.text("reference"),
        to=query.number("to", parts.region),
        sender=query.text("sender"),
        text=query.text("text"),
        status=query.text("status"),
        since=_moment(query.time("since")),
        until=_moment(query.time("until")),
        where=query.named("where"),
        sort=tuple(_sort(query, word) for word in query.words("sort")),
        page=query.whole("page", _PAGES) or 1,
        limit=query.whole("limit", _PAGES),
    )
    query.done()
    found = await _asked(account.messages(wanted))
    return SentOut(
        items=[_listed(one) for one in found.items],
        page=found.page,
        pages=found.pages,
        total=found.total,
        next=found.page + 1 if found.more else None,
    )


@get(
    "/v1/channels/{id:str}/subscriber",
    opt={
        OPERATION: Operation(
            summary="Look a subscriber up (HLR)",
            description="Most providers charge for it; some take up to a minute.",
            scope=Scope.SEND,
            answer=LookupOut,
            query=(_NUMBER,),
            codes=(*_CODES, "bad_parameter"),
        )
    },
)
async def get_subscriber(request: AnyRequest, parts: PartsOf) -> LookupOut:
    account = await _account(request, parts)
    query = _query(request, _NUMBER)
    number = _needed(query, "number", query.number("number", parts.region))
    query.done()
    found = await _asked(account.subscriber(number))
    return LookupOut(number=found.number, reachable=found.reachable, facts=found.facts)


ROUTES = (get_balance, get_senders, post_quote, get_status, get_sent, get_subscriber)

_ORDER = Shape(OrderIn)


async def _account(request: AnyRequest, parts: Parts) -> Account:
    id: str = request.path_params["id"]
    account = parts.account(id)
    if account is not None:
        return account
    channels = await parts.channels()
    if all(one.id != id for one in channels):
        raise no_channel(id, channels)
    raise Refusal("not_offered", f"channel {id} is a modem; only a provider's account can be asked this")


async def _left(request: AnyRequest, parts: Parts) -> BalanceOut:
    """On a SIM."""
    id: str = request.path_params["id"]
    channels = await parts.channels()
    channel = next((one for one in channels if one.id == id), None)
    if channel is None:
        raise no_channel(id, channels)
    left = channel.left
    if left is None:
        raise Refusal("not_offered", f"nobody asks for the balance of {id}; set balance_ussd of this modem")
    if left.amount is None:
        why = left.problem or "It is asked when the modem is up."
        raise Refusal("balance_unknown", f"the balance of {id} is not known yet. {why}")
    at = None if left.at is None else shown_time(left.at)
    return BalanceOut(amount=f"{left.amount:f}", currency=left.currency, unit="money", at=at)


async def _asked(question: Awaitable[T]) -> T:
    try:
        return await question
    except NotOffered as error:
        raise Refusal("not_offered", str(error)) from None
    except SubmitError as error:
        said = ProviderSaid(code=error.code, cause=error.cause.value)
        raise Refusal("provider_failed", f"{error.detail} ({error.code})", provider=said) from None


def _query(request: AnyRequest, *allowed: Parameter) -> Query:
    return Query(request.scope["query_string"], allowed)


def _needed(query: Query, name: str, value: str | None) -> str:
    if value is None and not query.complained(name):
        query.complain(name, "is missing")
    return value or ""


def _sort(query: Query, word: str) -> SortBy:
    field, _, direction = word.partition(":")
    if not field or direction not in ("", "asc", "desc"):
        query.complain("sort", "is not of the form FIELD, FIELD:asc or FIELD:desc")
    return SortBy(field=field, descending=direction == "desc")


def _listed(one: ListedMessage) -> ListedOut:
    return ListedOut(
        reference=one.reference,
        to=one.to,
        sender=one.sender,
        text=one.text,
        fate=one.fate.value,
        code=one.code,
        detail=one.detail,
        parts=one.parts,
        cost=None if one.cost is None else f"{one.cost:f}",
        currency=one.currency,
        sent_at=_shown(one.sent_at),
        changed_at=_shown(one.changed_at),
        country=one.country,
        operator=one.operator,
        facts=one.facts,
    )


def _moment(instant: Instant | None) -> datetime | None:
    return None if instant is None else datetime.fromtimestamp(instant / 1000, UTC)


def _shown(moment: datetime | None) -> str | None:
    instant = from_datetime(moment)
    return None if instant is None else shown_time(instant)


def _submission(wanted: OrderIn, parts: Parts) -> Submission:
    """As it would be handed to the provider. Raises `Rejected` with every complaint."""
    asked = order(wanted, wanted.to)
    complaints: list[Complaint] = []
    number = numbers.normal(wanted.to, parts.region)
    if isinstance(number, numbers.NoNumber):
        complaints.append(Complaint(at="to", code=number.code, detail=number.detail))
    try:
        content = parts.intake.preview(asked)
    except Rejected as error:
        raise Rejected([*complaints, *error.complaints]) from None
    if isinstance(number, numbers.NoNumber):
        raise Rejected(complaints)
    return Submission(
        attempt_id=show_id("att", parts.ids.next()),
        to=number,
        sender=asked.sender,
        text=content.text,
        message_class=asked.message_class,
        validity=asked.valid_for,
        report=True if asked.report is None else asked.report,
        kind=asked.kind.value,
        encoding=content.encoding,
        parts=content.plan.parts,
        data=content.data,
        udh=content.udh,
        options=asked.options if asked.url is None else {**asked.options, "url": asked.url},
    )
