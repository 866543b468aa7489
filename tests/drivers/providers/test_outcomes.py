"""Every code and status that the five providers document: what became of the message and what may be done next.

The expectations are written out here a second time, in the providers' order, so that a slip in a table is seen.
"""

from __future__ import annotations

import pytest

from drivers.contract import Cause, MaybeSent, NotSent, Refused, ReportFate
from drivers.providers import clickatell, freshmail, mobizon, serwersms, smsc
from drivers.providers.outcomes import UNLISTED, Alarm, Row, Table, Then, error, look_up, not_expressible, rows

# "fate then flags": flags are ! for an alarm and ? for reconcile.
Words = dict[str, str]

SMSC_SEND: Words = {
    "1": "rejected try-next-provider !", "2": "rejected pause-provider", "3": "rejected pause-provider",
    "4": "rejected pause-provider", "5": "rejected try-next-provider !", "6": "rejected try-next-provider",
    "7": "rejected permanent", "8": "rejected try-next-provider", "9": "rejected retry-later",
    "10": "unknown nothing !?", "": "unknown nothing !?", "x": "unknown nothing !?",
}  # fmt: skip
SMSC_STATUS_CALL: Words = {
    "1": "rejected try-next-provider !", "2": "rejected pause-provider", "4": "rejected pause-provider",
    "9": "rejected retry-later", "5": "unknown nothing !?",
}  # fmt: skip
SMSC_STATUS: Words = {
    "-3": "unknown nothing ?", "-2": "accepted nothing !", "-1": "accepted nothing", "0": "sent nothing",
    "1": "delivered nothing", "2": "delivered nothing", "4": "delivered nothing",
    "3": "expired try-next-provider", "20": "undelivered try-next-provider", "22": "rejected permanent",
    "23": "rejected try-next-provider", "24": "rejected pause-provider", "25": "undelivered try-next-provider",
    "21": "unknown nothing !?",
}  # fmt: skip
SMSC_ERR: Words = {
    "0": "undelivered try-next-provider", "1": "undelivered permanent", "13": "undelivered permanent",
    "21": "undelivered permanent", "249": "undelivered permanent", "11": "undelivered permanent",
    "6": "undelivered retry-later", "12": "undelivered retry-later", "220": "undelivered retry-later",
    "246": "undelivered retry-later", "240": "undelivered retry-later", "237": "undelivered retry-later",
    "242": "undelivered retry-later", "219": "undelivered try-next-provider", "238": "undelivered try-next-provider",
    "241": "undelivered try-next-provider", "248": "undelivered try-next-provider",
    "250": "undelivered try-next-provider", "252": "undelivered try-next-provider",
    "253": "undelivered try-next-provider", "254": "undelivered try-next-provider",
    "255": "undelivered try-next-provider", "239": "undelivered pause-provider", "243": "undelivered pause-provider",
    "244": "undelivered pause-provider", "247": "undelivered pause-provider", "245": "unknown nothing",
    "251": "undelivered try-next-provider", "200": "undelivered try-next-provider !",
    "999": "undelivered try-next-provider !",
}  # fmt: skip
CLICKATELL_ERRORS: Words = {
    "001": "rejected pause-provider", "002": "rejected pause-provider", "004": "rejected pause-provider",
    "007": "rejected pause-provider", "108": "rejected pause-provider", "003": "rejected pause-provider",
    "005": "rejected pause-provider", "100": "rejected try-next-provider !", "101": "rejected try-next-provider !",
    "102": "rejected try-next-provider !", "116": "rejected try-next-provider !",
    "120": "rejected try-next-provider !", "105": "rejected permanent", "106": "rejected try-next-provider",
    "123": "rejected try-next-provider", "107": "rejected permanent", "113": "rejected try-next-provider",
    "114": "rejected try-next-provider", "115": "expired try-next-provider", "121": "rejected try-next-provider",
    "122": "rejected permanent", "128": "rejected permanent", "130": "rejected pause-provider",
    "201": "rejected try-next-provider !", "202": "rejected try-next-provider !", "301": "rejected pause-provider",
    "302": "rejected try-next-provider", "901": "unknown nothing ?", "999": "unknown nothing !?",
    "103": "unknown nothing !?", "104": "unknown nothing !?", "109": "unknown nothing !?",  # not answers to a send
}  # fmt: skip
CLICKATELL_QUESTIONS: Words = {
    "103": "unknown nothing !?", "104": "unknown nothing ?", "109": "unknown nothing !?",
}  # fmt: skip
CLICKATELL_STATUS: Words = {
    "001": "unknown nothing ?", "002": "accepted nothing", "008": "accepted nothing", "011": "accepted nothing",
    "003": "sent nothing", "004": "delivered nothing", "005": "rejected try-next-provider",
    "006": "rejected try-next-provider", "007": "undelivered try-next-provider",
    "009": "undelivered try-next-provider", "010": "expired try-next-provider", "012": "rejected pause-provider",
    "014": "rejected pause-provider", "4": "unknown nothing !?", "013": "unknown nothing !?",
}  # fmt: skip
FRESHMAIL_CALL: Words = {
    "1000": "rejected pause-provider", "1004": "rejected pause-provider", "1001": "rejected try-next-provider !",
    "1002": "rejected try-next-provider !", "1003": "rejected try-next-provider !", "1101": "rejected permanent",
    "1102": "rejected permanent", "1103": "rejected try-next-provider", "1104": "rejected try-next-provider",
    "1105": "rejected try-next-provider", "1106": "rejected try-next-provider",
    "1107": "rejected try-next-provider !", "1108": "rejected try-next-provider",
    "1109": "rejected try-next-provider", "1110": "rejected try-next-provider", "1150": "rejected pause-provider",
    "1999": "unknown nothing !?",
}  # fmt: skip
FRESHMAIL_REPORT: Words = {
    "NOT_FOUND": "unknown nothing ?", "QUEUE": "accepted nothing", "RENEWAL": "accepted nothing",
    "SENT": "sent nothing", "ACCEPTED": "sent nothing", "DELIVERED": "delivered nothing",
    "UNDELIVERED": "undelivered try-next-provider", "REJECTED": "rejected try-next-provider",
    "EXPIRED": "expired try-next-provider", "FAILED": "undelivered try-next-provider", "UNKNOWN": "unknown nothing",
    "STOP": "rejected try-next-provider", "ERROR:INVALID_PHONE_NUMBER": "rejected permanent",
    "ERROR:WRONG_SENDER_NAME": "rejected try-next-provider", "ERROR:UNKNOWN_ERROR": "rejected try-next-provider",
    "ERROR": "rejected try-next-provider", "GONE": "unknown nothing !?",
}  # fmt: skip
MOBIZON_CODE: Words = {
    "0": "accepted nothing", "100": "accepted nothing", "1": "rejected try-next-provider !",
    "2": "rejected try-next-provider !", "3": "unknown nothing ?", "15": "unknown nothing ?",
    "999": "unknown nothing ?", "4": "rejected try-next-provider !", "5": "rejected try-next-provider !",
    "6": "rejected try-next-provider !", "11": "rejected try-next-provider !", "12": "rejected try-next-provider !",
    "8": "rejected pause-provider", "9": "rejected pause-provider", "14": "rejected pause-provider",
    "13": "rejected pause-provider !", "10": "rejected retry-later", "30": "rejected retry-later",
    "98": "unknown nothing ?", "99": "unknown nothing ?", "77": "unknown nothing !?",
}  # fmt: skip
MOBIZON_INVALID: Words = {
    "recipient": "rejected permanent", "from": "rejected try-next-provider", "text": "rejected try-next-provider",
    "params": "rejected try-next-provider !",
}  # fmt: skip
MOBIZON_RECIPIENT: Words = {
    "0": "accepted nothing", "4": "accepted nothing", "1": "rejected permanent", "2": "rejected permanent",
    "3": "rejected permanent", "5": "rejected permanent", "6": "rejected try-next-provider",
    "7": "rejected try-next-provider", "8": "rejected try-next-provider", "99": "rejected retry-later",
}  # fmt: skip
MOBIZON_MESSAGE: Words = {
    "NEW": "accepted nothing", "ENQUEUD": "accepted nothing", "ACCEPTD": "sent nothing", "PDLIVRD": "sent nothing",
    "DELIVRD": "delivered nothing", "UNDELIV": "undelivered try-next-provider",
    "REJECTD": "rejected try-next-provider", "EXPIRED": "expired try-next-provider",
    "DELETED": "rejected try-next-provider", "UNKNOWN": "unknown nothing ?", "delivrd": "unknown nothing !?",
}  # fmt: skip
SERWERSMS_STATUS: Words = {
    "queued": "accepted nothing", "saved": "accepted nothing", "pending": "accepted nothing",
    "in_progress": "accepted nothing", "sent": "sent nothing", "delivered": "delivered nothing",
    "undelivered": "undelivered try-next-provider", "unsent": "rejected try-next-provider",
    "new_word": "unknown nothing !?",
}  # fmt: skip

TABLES: dict[str, tuple[Table, Words]] = {
    "smsc send": (smsc.SEND, SMSC_SEND),
    "smsc status call": (smsc.STATUS_CALL, SMSC_STATUS_CALL),
    "smsc status": (smsc.STATUS, SMSC_STATUS),
    "clickatell errors": (clickatell.ERRORS, CLICKATELL_ERRORS),
    "clickatell questions": (clickatell.QUESTIONS, CLICKATELL_QUESTIONS),
    "clickatell status": (clickatell.STATUS, CLICKATELL_STATUS),
    "freshmail call": (freshmail.CALL, FRESHMAIL_CALL),
    "freshmail report": (freshmail.REPORT, FRESHMAIL_REPORT),
    "mobizon code": (mobizon.CODE, MOBIZON_CODE),
    "mobizon invalid": (mobizon.INVALID, MOBIZON_INVALID),
    "mobizon recipient": (mobizon.RECIPIENT, MOBIZON_RECIPIENT),
    "mobizon message": (mobizon.MESSAGE, MOBIZON_MESSAGE),
    "serwersms status": (serwersms.STATUS, SERWERSMS_STATUS),
}


def shown(row: Row) -> str:
    flags = ("!" if row.alarm else "") + ("?" if row.reconcile else "")
    return f"{row.fate} {row.then} {flags}".strip()


@pytest.mark.parametrize(
    ("table", "word", "expected"),
    [
        pytest.param(table, word, expected, id=f"{name} {word or 'nothing'}")
        for name, (table, words) in TABLES.items()
        for word, expected in words.items()
    ],
)
def test_word(table: Table, word: str, expected: str) -> None:
    assert shown(look_up(table, word)) == expected


@pytest.mark.parametrize("name", TABLES)
def test_every_row_of_a_table_is_tested(name: str) -> None:
    table, words = TABLES[name]
    assert table.keys() <= words.keys()
    assert all(row.meaning for row in table.values() if row.then is not Then.NOTHING)


@pytest.mark.parametrize(("err", "expected"), SMSC_ERR.items())
def test_smsc_err_explains_status_20(err: str, expected: str) -> None:
    assert shown(smsc.fate("20", err)) == expected


def test_smsc_err_with_other_statuses() -> None:
    assert smsc.ERR.keys() <= SMSC_ERR.keys()
    assert shown(smsc.fate("3", "6")) == "expired retry-later"
    assert shown(smsc.fate("3", "245")) == "unknown nothing"
    assert shown(smsc.fate("3", "0")) == "expired try-next-provider"
    assert shown(smsc.fate("1", "6")) == "delivered nothing"


def test_once_and_never_for_codes_are_said_by_the_rows_that_mean_it() -> None:
    every = [(f"{name} {word}", row) for name, (table, _) in TABLES.items() for word, row in table.items()]
    every += [(f"smsc err {word}", row) for word, row in smsc.ERR.items()]
    every += [(f"serwersms reason {word}", row) for word, row in serwersms.REASONS.items()]
    assert {where: row.retries for where, row in every if row.retries is not None} == {"mobizon code 10": 1}
    assert [where for where, row in every if row.bars_codes] == ["smsc err 219"]
    assert smsc.fate("3", "219").bars_codes  # also when it expired because of it


SERWERSMS_CODES: Words = {
    "1000": "rejected try-next-provider !", "1004": "rejected try-next-provider !",
    "1006": "rejected try-next-provider !", "1008": "rejected try-next-provider !",
    "2000": "rejected try-next-provider !", "2002": "rejected try-next-provider !",
    "1001": "rejected pause-provider", "1002": "rejected pause-provider", "1003": "rejected pause-provider",
    "1005": "rejected pause-provider", "1007": "rejected pause-provider", "2001": "rejected permanent",
    # Only that kind of message pauses: the driver sees to it, and this message moves on.
    "3000": "rejected try-next-provider", "3002": "rejected try-next-provider", "3004": "rejected try-next-provider",
    "3006": "rejected try-next-provider", "3001": "rejected try-next-provider", "3003": "rejected try-next-provider",
    "3005": "rejected try-next-provider", "3007": "rejected try-next-provider !",
    "3999": "rejected try-next-provider !", "4000": "unknown nothing !?", "none": "unknown nothing !?",
}  # fmt: skip


@pytest.mark.parametrize(("code", "expected"), SERWERSMS_CODES.items())
def test_serwersms_code(code: str, expected: str) -> None:
    assert shown(serwersms.call_error(code)) == expected


def test_every_serwersms_code_is_tested() -> None:
    assert serwersms.ERRORS.keys() | serwersms.LIMITS.keys() <= SERWERSMS_CODES.keys()


# What the reason makes of "undelivered" and of "unsent".
SERWERSMS_REASONS: dict[str, tuple[str, str]] = {
    "message_expired": ("expired try-next-provider", "expired try-next-provider"),
    "wrong_number": ("undelivered permanent", "rejected permanent"),
    "unsupported_number": ("undelivered try-next-provider", "rejected try-next-provider"),
    "message_rejected": ("undelivered try-next-provider", "rejected try-next-provider"),
    "operator_error": ("undelivered try-next-provider", "rejected try-next-provider"),
    "wrong_sender_name": ("undelivered try-next-provider", "rejected try-next-provider"),
    "sending_to_foreign_networks_is_locked": ("undelivered try-next-provider", "rejected try-next-provider"),
    "wrong_message": ("undelivered try-next-provider !", "rejected try-next-provider !"),
    "number_is_blacklisted": ("rejected permanent", "rejected permanent"),
    "limit_exhausted": ("rejected pause-provider", "rejected pause-provider"),
    "lock_send": ("rejected pause-provider", "rejected pause-provider"),
    "no_permission_to_send_messages": ("rejected pause-provider", "rejected pause-provider"),
    "missed_call": ("undelivered retry-later", "undelivered retry-later"),
    "other_error": ("undelivered try-next-provider", "rejected try-next-provider"),
    "": ("undelivered try-next-provider", "rejected try-next-provider"),
    "new_reason": ("undelivered try-next-provider !", "rejected try-next-provider !"),
}


@pytest.mark.parametrize(("reason", "expected"), SERWERSMS_REASONS.items())
def test_serwersms_reason(reason: str, expected: tuple[str, str]) -> None:
    assert (shown(serwersms.fate("undelivered", reason)), shown(serwersms.fate("unsent", reason))) == expected
    assert serwersms.fate("delivered", reason).fate is ReportFate.DELIVERED
    assert serwersms.REASONS.keys() <= SERWERSMS_REASONS.keys()


# --- From a row to an error -------------------------------------------------------------------------------------------


def _row(then: Then, *, alarm: bool = False) -> Row:
    return Row(fate=ReportFate.REJECTED, then=then, alarm=alarm)


def test_permanent_is_refused_everywhere() -> None:
    e = error(_row(Then.PERMANENT), code="c", detail="d", raw="r")
    assert isinstance(e, Refused)
    assert e.everywhere
    assert (e.code, e.detail, e.raw, e.cause) == ("c", "d", "r", Cause.DEST)


@pytest.mark.parametrize("then", [Then.TRY_NEXT, Then.NOTHING])
def test_try_next_is_refused_here_only(then: Then) -> None:
    e = error(_row(then), code="c", detail="d")
    assert isinstance(e, Refused)
    assert not e.everywhere
    assert not isinstance(e, Alarm)


def test_pause_makes_the_channel_unusable() -> None:
    e = error(Row(fate=ReportFate.REJECTED, then=Then.PAUSE, delay=60), code="c", detail="d")
    assert isinstance(e, NotSent)
    assert (e.channel_unusable, e.retry_after, e.cause) == (True, 60, Cause.SIM)


@pytest.mark.parametrize("retries", [None, 1])
def test_retry_later_may_name_a_time_and_how_often(retries: int | None) -> None:
    row = Row(fate=ReportFate.REJECTED, then=Then.RETRY_LATER, delay=61, retries=retries)
    e = error(row, code="c", detail="d")
    assert isinstance(e, NotSent)
    assert (e.channel_unusable, e.retry_after, e.retries) == (False, 61, retries)


@pytest.mark.parametrize("then", list(Then))
@pytest.mark.parametrize("alarm", [False, True])
def test_what_is_unknown_is_always_in_doubt(then: Then, alarm: bool) -> None:
    unknown = error(Row(fate=ReportFate.UNKNOWN, then=then, alarm=alarm), code="c", detail="d")
    asked = error(Row(fate=ReportFate.REJECTED, then=then, alarm=alarm, reconcile=True), code="c", detail="d")
    for e in (unknown, asked):
        assert isinstance(e, MaybeSent)
        assert isinstance(e, Alarm) == alarm


@pytest.mark.parametrize("then", [Then.PERMANENT, Then.TRY_NEXT, Then.PAUSE, Then.RETRY_LATER])
def test_an_alarm_does_not_change_the_kind_of_error(then: Then) -> None:
    plain, alarmed = (error(_row(then, alarm=alarm), code="c", detail="d") for alarm in (False, True))
    assert isinstance(alarmed, type(plain))
    assert isinstance(alarmed, Alarm)


def test_an_unlisted_word_never_raises() -> None:
    assert look_up({}, "whatever") is UNLISTED


def test_a_word_in_two_rows_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="twice"):
        rows({"1 2": UNLISTED, "2": UNLISTED})


def test_a_code_is_fit_for_a_log() -> None:
    assert error(UNLISTED, code="smsc_\n<evil>" + "x" * 900, detail="d").code == "smsc_??evil?" + "x" * 48


def test_not_expressible_names_the_field() -> None:
    e = not_expressible("sender", "too long")
    assert (e.code, e.everywhere, e.detail) == ("not_expressible", False, "sender: too long")
