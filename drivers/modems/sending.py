"""How a send ended, as the contract says it: a receipt, or one of the three errors. Pure."""

from __future__ import annotations

from typing import assert_never

from drivers.contract import Cause, MaybeSent, NotSent, Receipt, Refused, SubmitError
from drivers.gsm.outcome import classify
from drivers.modems import replies
from drivers.modems.events import Late
from drivers.modems.line import End, SendEnd
from drivers.modems.profile import Profile
from drivers.modems.vocabulary import Final, Result

__all__ = ["RETRY_AFTER", "error_of", "judge", "late_result"]

RETRY_AFTER = {Cause.BUSY: 5.0, Cause.MEM: 5.0}
"""Seconds after which the same message may be tried here again; other causes are the bridge's to pace."""


def judge(end: SendEnd, profile: Profile) -> Receipt | SubmitError:
    """What the bridge is told about this send."""
    match end.end:
        case End.ANSWERED:
            return _answered(end, profile)
        case End.NO_PROMPT:
            return NotSent(
                "The modem gave no prompt; nothing was sent.", code="no_prompt", cause=Cause.MODEM, retry_after=5.0
            )
        case End.NOT_WRITTEN:
            return NotSent(
                "The port did not take the message; nothing was sent.", code="write_blocked", cause=Cause.LINK
            )
        case End.NO_RESULT:
            return MaybeSent(
                f"No answer {end.elapsed:.0f} s after the message was handed to the modem.",
                code="no_result",
                cause=Cause.DOUBT,
            )
        case End.DOWN if end.committed:
            return MaybeSent(
                f"The modem was lost after it had taken the message: {end.detail}", code="link_lost", cause=Cause.DOUBT
            )
        case End.DOWN:
            return NotSent(f"The modem is not there: {end.detail}", code="link_lost", cause=Cause.LINK)
        case _:
            assert_never(end.end)


def error_of(final: Final, profile: Profile, *, after_data: bool, elapsed: float) -> Receipt | SubmitError:
    """A +CMS ERROR, +CME ERROR or ERROR as the contract says it; 197 means that it was accepted before."""
    cms = final.number if final.result is Result.CMS else None
    cme = final.number if final.result is Result.CME else None
    verdict = classify(
        cms=cms,
        cme=cme,
        vendor=profile.error_table,
        elapsed=elapsed,
        after_data=after_data,
        trusted=profile.trusted,
    )
    if verdict.accepted:
        return Receipt(reference="", raw=final.text)
    detail = verdict.meaning[:1].upper() + verdict.meaning[1:]
    match verdict.cause:
        case Cause.DOUBT:
            return MaybeSent(detail, code=verdict.code, cause=Cause.DOUBT, cms=cms, cme=cme, raw=final.text)
        case Cause.DEST | Cause.BUG:
            return Refused(
                detail,
                code=verdict.code,
                cause=verdict.cause,
                cms=cms,
                cme=cme,
                raw=final.text,
                everywhere=verdict.cause is Cause.BUG,
            )
        case Cause.SIM | Cause.NET | Cause.MODEM | Cause.BUSY | Cause.MEM | Cause.LINK:
            return NotSent(
                detail,
                code=verdict.code,
                cause=verdict.cause,
                cms=cms,
                cme=cme,
                raw=final.text,
                retry_after=RETRY_AFTER.get(verdict.cause),
                channel_unusable=verdict.cause is Cause.SIM,
            )
        case _:
            assert_never(verdict.cause)


def late_result(late: Late, profile: Profile) -> Receipt | SubmitError:
    """The result of a send that had been given up. It is late by definition, so doubtful numbers stay doubtful."""
    if late.final is None:
        return _receipt((late.line,), late.line)
    return error_of(late.final, profile, after_data=True, elapsed=profile.result_timeout)


def _answered(end: SendEnd, profile: Profile) -> Receipt | SubmitError:
    answer = end.answer
    assert answer is not None
    if not answer.final.ok:
        return error_of(answer.final, profile, after_data=answer.sent, elapsed=end.elapsed)
    if answer.lines:
        return _receipt(answer.lines, answer.lines[-1])
    # TC35, Quectel and Telit say OK without a reference also for an aborted message.
    return MaybeSent("The modem said OK without a message reference.", code="ok_only", cause=Cause.DOUBT, raw="OK")


def _receipt(lines: tuple[str, ...], raw: str) -> Receipt:
    reference = replies.message_reference(lines)
    return Receipt(reference="" if reference is None else str(reference), tp_mr=reference, raw=raw)
