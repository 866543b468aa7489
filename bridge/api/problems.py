"""Refusals as problem details (RFC 9457): a stable code, whether to try the same again, and every complaint."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bridge.outbound.intake import Closed, Conflict, NotCancellable, NotChangeable
from bridge.policy.admission import Complaint, Rejected
from bridge.store import StoreError, StoreFull

__all__ = [
    "CATALOGUE",
    "MOST_ERRORS",
    "Answer",
    "Gsm",
    "Problem",
    "ProviderSaid",
    "Refusal",
    "Sort",
    "answer",
    "known",
    "sort_of",
]

MOST_ERRORS = 100  # complaints listed in one answer; the rest is counted. A batch may hold 10,000 wrong numbers
RETRY_AFTER = b"5"  # seconds; a restart of the service takes about that long


class Sort(msgspec.Struct, frozen=True):
    """What all problems of one code have in common. `retryable`: the same request may succeed later."""

    status: int
    title: str
    retryable: bool = False


CATALOGUE: dict[str, Sort] = {
    # The request cannot be read.
    "json_malformed": Sort(400, "The body is not JSON"),
    "wrong_type": Sort(400, "A field has the wrong type"),
    "wrong_value": Sort(400, "A field has a value that it cannot have"),
    "unknown_field": Sort(400, "There is no such field"),
    "missing_field": Sort(400, "A field is missing"),
    "bad_parameter": Sort(400, "A query parameter cannot be used"),
    "bad_idempotency_key": Sort(400, "The Idempotency-Key header cannot be used"),
    "bad_request": Sort(400, "The request cannot be read"),
    "body_timeout": Sort(408, "The body did not arrive in time", retryable=True),
    "body_too_large": Sort(413, "The body is too large"),
    "too_many_recipients": Sort(413, "Too many recipients in one request"),
    "media_type": Sort(415, "The body must be JSON"),
    # Who asks.
    "key_missing": Sort(401, "A key is needed"),
    "key_unknown": Sort(401, "The key is not known"),
    "key_revoked": Sort(401, "The key was revoked"),
    "forged": Sort(401, "The call is not from the provider"),
    "scope_missing": Sort(403, "The key may not do this"),
    # What is asked for.
    "not_found": Sort(404, "There is nothing at this address"),
    "message_not_found": Sort(404, "There is no such message"),
    "batch_not_found": Sort(404, "There is no such batch"),
    "inbound_not_found": Sort(404, "There is no such incoming message"),
    "schedule_not_found": Sort(404, "There is no such schedule"),
    "channel_not_found": Sort(404, "There is no such channel"),
    "conversation_not_found": Sort(404, "There is no such conversation"),
    "opt_out_not_found": Sort(404, "There is no such opt-out"),
    "key_not_found": Sort(404, "There is no such key"),
    "webhook_not_found": Sort(404, "There is no such endpoint"),
    "event_not_found": Sort(404, "There is no such event"),
    "method_not_allowed": Sort(405, "This address does not know the method"),
    "not_offered": Sort(409, "This channel cannot do this"),
    "not_answerable": Sort(409, "The message cannot be answered"),
    "webhook_disabled": Sort(409, "The endpoint is switched off"),
    "ussd_open": Sort(409, "A USSD session is open"),
    "ussd_not_open": Sort(409, "No USSD session waits for a reply"),
    "not_cancellable": Sort(409, "The message can no longer be cancelled"),
    "not_changeable": Sort(409, "The message can no longer be changed"),
    # The order cannot be taken.
    "empty_batch": Sort(422, "The batch holds no message"),
    "number_missing": Sort(422, "The recipient is missing"),
    "number_not_possible": Sort(422, "The recipient is not a number"),
    "number_without_country": Sort(422, "The recipient has no country code"),
    "number_not_valid": Sort(422, "The recipient fits no numbering plan"),
    "text_too_long": Sort(422, "The message takes too many parts"),
    "content_not_possible": Sort(422, "The content cannot be sent"),
    "field_not_for_kind": Sort(422, "A field does not belong to this kind of message"),
    "out_of_range": Sort(422, "A value is out of range"),
    "window_never_opens": Sort(422, "The windows are never open"),
    "expires_in_quiet_hours": Sort(422, "The message would expire before it may go"),
    "conflict": Sort(422, "Two fields contradict each other"),
    "unknown_channel": Sort(422, "There is no such channel"),
    "url_not_allowed": Sort(422, "The URL must not be called"),
    "no_mail_server": Sort(422, "No mail server is configured"),
    "unknown_route": Sort(422, "There is no such route"),
    "kind_not_offered": Sort(422, "No channel can carry this kind of message"),
    "rule_not_valid": Sort(422, "The rule of a schedule cannot be read"),
    "never_fires": Sort(422, "The schedule would never run"),
    "unknown_zone": Sort(422, "There is no such time zone"),
    "sender_not_legal": Sort(422, "The sender is not legal"),
    "opted_out": Sort(422, "The recipient wants no more texts"),
    "number_denied": Sort(422, "The operator keeps texts from this number"),
    "ussd_not_possible": Sort(422, "The USSD text cannot be said"),
    "order_not_possible": Sort(422, "The order cannot be taken"),
    "idempotency_key_reuse": Sort(422, "The idempotency key was used for another request"),
    # The service.
    "internal_error": Sort(500, "The service made a mistake"),
    "provider_failed": Sort(502, "The provider did not do it"),
    "ussd_failed": Sort(502, "The network gave no answer of use"),
    "balance_unknown": Sort(503, "The balance is not known yet", retryable=True),
    "channel_down": Sort(503, "The channel is down", retryable=True),
    "webhook_busy": Sort(503, "The endpoint has not answered yet", retryable=True),
    "draining": Sort(503, "The service is stopping", retryable=True),
    "not_ready": Sort(503, "The service is not ready", retryable=True),
    "store_unavailable": Sort(503, "The store cannot be used", retryable=True),
    "ussd_no_answer": Sort(504, "The network did not answer in time"),
    "disk_full": Sort(507, "The disk is full", retryable=True),
}


class Gsm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the network said. `cms`: number of +CMS ERROR. `tp_status`: TP-ST of the delivery report."""

    cms: int | None = None
    tp_status: int | None = None


class ProviderSaid(msgspec.Struct, frozen=True, kw_only=True):
    """Why a provider did not do what it was asked. `code`: the driver's stable word. `cause`: whose fault it is."""

    code: str
    cause: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Problem details (RFC 9457). `errors_left`: complaints beyond those listed in `errors`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    errors: list[Complaint] = []
    errors_left: int = 0
    gsm: Gsm | None = None
    provider: ProviderSaid | None = None


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer in the form that ASGI wants it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Refusal(Exception):
    """The request is refused; nothing was changed."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[Complaint] = (),
        left: int = 0,
        gsm: Gsm | None = None,
        provider: ProviderSaid | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(code)  # not the detail: it may hold a number or a text, and exceptions end in logs
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.left = left
        self.gsm = gsm
        self.provider = provider
        self.headers = list(headers)

    @classmethod
    def of(cls, complaints: Sequence[Complaint], left: int = 0) -> Refusal:
        """All complaints in one answer, which bears the code of the first."""
        first = complaints[0]
        more = len(complaints) - 1 + left
        detail = f"{first.at}: {first.detail}" + (f" (and {more} more)" if more else "")
        left += max(0, len(complaints) - MOST_ERRORS)
        return cls(first.code, detail, errors=complaints[:MOST_ERRORS], left=left)


def known(error: Exception) -> Refusal | None:
    """The refusal behind an error of the service's own, or None when it is a mistake of ours."""
    match error:
        case Refusal():
            return error
        case Rejected():
            return Refusal.of(error.complaints)
        case Conflict():
            return Refusal("idempotency_key_reuse", str(error))
        case NotCancellable():
            return Refusal("not_cancellable", str(error))
        case NotChangeable():
            return Refusal("not_changeable", str(error))
        case Closed():
            return Refusal(error.code, str(error), headers=[(b"retry-after", RETRY_AFTER)])
        case StoreFull():
            return Refusal("disk_full", f"{error}; nothing of this request was kept")
        case StoreError():
            return Refusal("store_unavailable", str(error), headers=[(b"retry-after", RETRY_AFTER)])
        case _:
            return None


def sort_of(code: str, *, closed: bool = False) -> Sort:
    """A code that this page does not list comes from a later rule about orders, or about closing."""
    return CATALOGUE.get(code) or CATALOGUE["draining" if closed else "order_not_possible"]


def answer(refusal: Refusal) -> Answer:
    sort = sort_of(refusal.code, closed=any(name == b"retry-after" for name, _ in refusal.headers))
    body = _encode(
        Problem(
            type=f"urn:gsm-bridge:problem:{refusal.code}",
            title=sort.title,
            status=sort.status,
            detail=refusal.detail,
            code=refusal.code,
            retryable=sort.retryable,
            errors=refusal.errors,
            errors_left=refusal.left,
            gsm=refusal.gsm,
            provider=refusal.provider,
        )
    )
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *refusal.headers,
    ]
    return Answer(sort.status, headers, body)


_encode = msgspec.json.Encoder().encode
