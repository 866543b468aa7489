"""Endpoints as people order them: checked with every mistake named, secrets sealed, before any is stored."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from bridge.endpoints import Endpoint, EndpointKind
from bridge.events import FAMILIES, EventType
from bridge.model import Instant
from bridge.policy.admission import Complaint
from bridge.webhooks import signing
from bridge.webhooks.guard import Forbidden, Rules, checked_url, resolves_well
from bridge.webhooks.sealing import Seal

__all__ = ["Draft", "Registry"]

OVERLAP = 24 * 3_600_000  # milliseconds that the old secret signs beside the new one
RESERVED = frozenset(
    {
        *(
            "host",
            "content-type",
            "content-length",
            "content-encoding",
            "transfer-encoding",
            "connection",
            "keep-alive",
        ),
        *("te", "trailer", "upgrade", "expect", "proxy-authorization", "proxy-connection"),
    }
)
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,2000}[\x21-\x7e])?")
_PARTY = re.compile(r"[^\x00-\x1f\x7f*]{1,40}\*?")


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """Header values and the secret in clear. Exactly one of `url` and `mail`."""

    url: str | None = None
    mail: tuple[str, ...] = ()
    description: str = ""
    events: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    parties: tuple[str, ...] = ()
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    ordered: bool = False
    secret: str | None = None  # None: one is made


class Registry:
    def __init__(
        self,
        rules: Rules,
        seal: Seal,
        random_bytes: Callable[[int], bytes],
        *,
        channels: frozenset[str],
        mails: bool,
    ) -> None:
        """`channels`: those that are configured. `mails`: a mail server is."""
        self._rules = rules
        self._seal = seal
        self._random_bytes = random_bytes
        self._channels = channels
        self._mails = mails

    async def complaints(self, draft: Draft) -> list[Complaint]:
        """Every mistake in it."""
        found: list[Complaint] = []

        def complain(at: str, detail: str, code: str = "wrong_value") -> None:
            found.append(Complaint(at=at, code=code, detail=detail))

        if (draft.url is None) == (not draft.mail):
            complain("url", 'give either "url" or "mail": one of the two', "conflict")
        if draft.url is not None:
            try:
                await resolves_well(checked_url(draft.url, self._rules), self._rules)
            except Forbidden as error:
                complain("url", str(error), "url_not_allowed")
        for at, address in enumerate(draft.mail):
            if not _MAIL.fullmatch(address):
                complain(f"mail[{at}]", 'is no mail address; write it like "ops@example.org"')
        if draft.mail:
            if not self._mails:
                complain("mail", "no mail server is configured; write [mail] in the configuration", "no_mail_server")
            if draft.headers or draft.secret is not None:
                complain("mail", "mail bears no headers of yours and no secret; leave them out", "conflict")
        for at, type in enumerate(draft.events):
            if type not in FAMILIES and type not in list(EventType):
                complain(
                    f"events[{at}]",
                    f"{type[:40]!r} is no event; see the list in webhooks.md, or take a family: message.*",
                )
        for at, channel in enumerate(draft.channels):
            if channel not in self._channels:
                there = ", ".join(sorted(self._channels)) or "none is configured"
                complain(f"channels[{at}]", f"there is no channel {channel[:40]!r}; there are: {there}")
        for at, party in enumerate(draft.parties):
            if not _PARTY.fullmatch(party):
                complain(
                    f"numbers[{at}]", f'{party[:40]!r} is no number or sender; write "+48600700800", "+48*" or "Bank"'
                )
        found += _header_complaints(draft.headers)
        if draft.secret is not None:
            try:
                signing.checked(draft.secret)
            except signing.SecretForm as error:
                complain("secret", str(error))
        return found

    def made(self, id: int, draft: Draft, now: Instant) -> tuple[Endpoint, str]:
        """The endpoint, and its secret, which is shown once."""
        secret = "" if draft.mail else draft.secret or self.new_secret()
        endpoint = Endpoint(
            id=id,
            kind=EndpointKind.MAIL if draft.mail else EndpointKind.WEBHOOK,
            created_at=now,
            url=draft.url or "",
            recipients=draft.mail,
            description=draft.description,
            events=draft.events,
            channels=draft.channels,
            parties=draft.parties,
            headers=self.sealed(draft.headers),
            ordered=draft.ordered,
            secret=self._seal.seal(secret) if secret else b"",
        )
        return endpoint, secret

    def new_secret(self) -> str:
        return signing.new_secret(self._random_bytes)

    def sealed(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {name: self._seal.seal(value).decode() for name, value in headers.items()}

    def rotated(self, endpoint: Endpoint, secret: str, now: Instant) -> Endpoint:
        """The new secret signs from now on, the old one beside it for a day."""
        return msgspec.structs.replace(
            endpoint,
            secret=self._seal.seal(secret),
            old_secret=endpoint.secret,
            old_secret_until=now + OVERLAP,
        )


def _header_complaints(headers: Mapping[str, str]) -> Sequence[Complaint]:
    found = []
    for name, value in headers.items():
        lower = name.lower()
        wrong = ""
        if not _HEADER.fullmatch(name):
            wrong = "is no name of a header"
        elif lower in RESERVED or lower.startswith("webhook-"):
            wrong = "is set by the service itself; leave it out"
        elif not _VALUE.fullmatch(value):
            wrong = "has a value that a header cannot have: visible ASCII characters and spaces between them"
        if wrong:
            found.append(
                Complaint(at=f"headers.{name[:100] if name.isprintable() else '?'}", code="wrong_value", detail=wrong)
            )
    return found
