"""Who may not be written to: those who opted out, and the numbers that the operator denies or does not allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bridge.model import Category, Message, OptOut
from bridge.policy.admission import Complaint

__all__ = ["Gate", "applies", "listed", "passes"]


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """`opt_outs` by number. `allow`: when given, only numbers that begin so. `deny`: none of these."""

    opt_outs: Mapping[str, Sequence[OptOut]] = msgspec.field(default_factory=dict)
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        """There is anything to ask: else it costs nothing."""
        return bool(self.opt_outs or self.allow or self.deny)

    def complaint(self, message: Message) -> Complaint | None:
        if not passes(message.to, self.allow, self.deny):
            return Complaint(
                at="to",
                code="number_denied",
                detail=f"{message.to} is a number that sending.allow_to or sending.deny_to keeps texts from",
            )
        if message.category is not Category.GENERAL:
            return None
        found = next((o for o in self.opt_outs.get(message.to, ()) if applies(o, message)), None)
        if found is None:
            return None
        how = f"wrote {found.word!r}" if found.word else "was put on the list"
        return Complaint(
            at="to",
            code="opted_out",
            detail=f"{message.to} {how} and gets no more texts; one that must go all the same has category"
            ' "transactional", or "otp" for a one-time code',
        )


def applies(opt_out: OptOut, message: Message) -> bool:
    """A message that is free to go by any channel may go by that one."""
    if opt_out.sender and opt_out.sender != message.sender:
        return False
    return not opt_out.channel or message.channel in (None, opt_out.channel)


def passes(number: str, allow: Sequence[str], deny: Sequence[str]) -> bool:
    """Deny goes before allow."""
    return not listed(number, deny) and (not allow or listed(number, allow))


def listed(number: str, patterns: Sequence[str]) -> bool:
    """Numbers by how they begin, names whole."""
    return any(number.startswith(p) if p[:1] in "+0123456789" else number.casefold() == p.casefold() for p in patterns)
