"""What a person types becomes an MSISDN, a short code, or a sentence why not."""

from __future__ import annotations

import re

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata

from bridge.policy.numbers import NoNumber, normal, sender_problem
from tests.policy.support import QUICK

CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


@pytest.mark.parametrize(
    ("typed", "region", "number"),
    [
        ("+48600700800", None, "+48600700800"),
        ("+48600700800", "GB", "+48600700800"),
        ("600700800", "PL", "+48600700800"),
        ("600 700 800", "PL", "+48600700800"),
        ("07700 900123", "GB", "+447700900123"),
        ("(202) 555-0123", "US", "+12025550123"),
        # Decorated, pasted and dialled forms of the same.
        ("+48 600-700-800", None, "+48600700800"),
        ("+48.600.700.800", None, "+48600700800"),
        ("+48\u00a0600\u202f700\u2011800", None, "+48600700800"),
        ("\u202a+48600700800\u202c", None, "+48600700800"),
        ("+48600700800\r\n", None, "+48600700800"),
        ("+44 (0)7700 900123", None, "+447700900123"),
        ("0048600700800", None, "+48600700800"),
        ("0048600700800", "PL", "+48600700800"),
        # 00 is dialled abroad even where it is not the prefix; and where another is, that works too.
        ("0048600700800", "US", "+48600700800"),
        ("011 48 600 700 800", "US", "+48600700800"),
        ("0011 48 600 700 800", "AU", "+48600700800"),
        # A zero that belongs to the number stays.
        ("06 1234 5678", "IT", "+390612345678"),
        # Numbers of no country, and a range that the library does not list.
        ("+80012345678", None, "+80012345678"),
        ("+447700900123", None, "+447700900123"),
    ],
)
def test_numbers(typed: str, region: str | None, number: str) -> None:
    assert normal(typed, region) == number


@pytest.mark.parametrize("code", ["12", "112", "5600", "71 000", "123456", "*100#", "#31#"])
@pytest.mark.parametrize("region", [None, "PL"])
def test_short_codes_pass_as_they_are(code: str, region: str | None) -> None:
    assert normal(code, region) == code.replace(" ", "")


@pytest.mark.parametrize(
    ("typed", "region", "code"),
    [
        ("", None, "number_missing"),
        (" \t-", "PL", "number_missing"),
        ("600700800", None, "number_without_country"),
        ("0600700800", None, "number_without_country"),
        ("+", None, "number_not_possible"),
        ("+48", None, "number_not_possible"),
        ("++48600700800", None, "number_not_possible"),
        ("48+600700800", "PL", "number_not_possible"),
        ("+0048600700800", None, "number_not_possible"),
        ("+999123456789", None, "number_not_possible"),
        ("+48600700", None, "number_not_valid"),
        ("+48 600 700 8001", None, "number_not_valid"),
        ("7", "PL", "number_not_possible"),
        ("9" * 10_000, "PL", "number_not_possible"),
        ("*100*600700800#", "PL", "number_not_possible"),
        ("+486007008", None, "number_not_valid"),
        ("+4860070080", None, "number_not_valid"),
        # The library would dial FLOWERS, drop the extension, skip the O and read digits of other scripts.
        ("MyBank", "PL", "number_not_possible"),
        ("+1800FLOWERS", None, "number_not_possible"),
        ("+48600700800 ext 5", None, "number_not_possible"),
        ("+49151O2345678", None, "number_not_possible"),
        ("+4860070080\u0660", None, "number_not_possible"),
        ("+48600700800,+48600700801", None, "number_not_possible"),
        ("tel:+48600700800", None, "number_not_possible"),
        ("+48600700800\0", None, "number_not_possible"),
    ],
)
def test_what_is_no_number_is_refused_with_its_reason(typed: str, region: str | None, code: str) -> None:
    refused = normal(typed, region)
    assert isinstance(refused, NoNumber)
    assert refused.code == code
    assert refused.detail
    assert len(refused.detail) < 200  # whatever was typed


def metadata(code: int, region: str) -> PhoneMetadata:
    found = (
        PhoneMetadata.metadata_for_nongeo_region(code, None)
        if region == "001"
        else PhoneMetadata.metadata_for_region(region, None)
    )
    assert found is not None
    return found


def ascii_pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


def digits(low: int, high: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=low, max_size=high)


@st.composite
def international(draw: st.DrawFn) -> str:
    """A number of any country, as its plan has it, or with a digit too many, a trunk prefix, or any digits at all."""
    code = draw(st.sampled_from(CODES))
    plan = metadata(code, draw(st.sampled_from(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code])))
    kinds: list[str] = [
        kind.national_number_pattern
        for kind in (plan.general_desc, plan.mobile, plan.fixed_line, plan.toll_free, plan.voicemail)
        if kind is not None and kind.national_number_pattern
    ]
    national = draw(st.from_regex(ascii_pattern(draw(st.sampled_from(kinds))), fullmatch=True) | digits(3, 14))
    before = draw(st.sampled_from(["", "", "", plan.national_prefix or "0"]))
    return f"+{code}{before}{national}{draw(st.sampled_from(['', '', '', '0', '7']))}"


def by_the_library(number: str, region: str | None) -> tuple[str | None, bool]:
    """E.164 as the library writes it, if it finds the number valid or the number has the shape of a plan and the length
    of a mobile number; and whether it is valid."""
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None, False
    code = parsed.country_code or 0
    national = phonenumbers.national_significant_number(parsed)
    plans = [metadata(code, region) for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code, ())]
    shaped = any(
        plan.general_desc is not None
        and plan.mobile is not None
        and len(national) in (plan.mobile.possible_length or plan.general_desc.possible_length)
        and re.fullmatch(plan.general_desc.national_number_pattern or "(?!)", national)
        for plan in plans
    )
    valid = phonenumbers.is_valid_number(parsed)
    written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return (written if valid or shaped else None), valid


@QUICK
@given(international())
@example("+5590819753048")  # the library takes the 90 for a carrier's prefix; what is left fits no plan
@example("+61183270442")  # the same with 1832
def test_the_quick_way_agrees_with_the_library(number: str) -> None:
    expected, valid = by_the_library(number, None)
    found = normal(number, None)
    assert (found if isinstance(found, str) else None) == expected
    assert not valid or isinstance(found, str)


@QUICK
@given(st.sampled_from(REGIONS), st.data())
def test_what_is_valid_at_home_is_never_refused(region: str, data: st.DataObject) -> None:
    shape = metadata(0, region).general_desc
    assert shape is not None
    assert shape.national_number_pattern is not None
    national = data.draw(st.from_regex(ascii_pattern(shape.national_number_pattern), fullmatch=True))
    typed = data.draw(st.sampled_from(["", metadata(0, region).national_prefix or ""])) + national
    expected, valid = by_the_library(typed, region)
    if len(typed) <= 6:
        expected = typed  # a short code
    if valid or len(typed) <= 6:
        assert normal(typed, region) == expected


@QUICK
@given(st.text(max_size=20), st.sampled_from([None, "PL", "US"]))
def test_any_input_gives_a_routable_number_or_a_reason(typed: str, region: str | None) -> None:
    found = normal(typed, region)
    if isinstance(found, NoNumber):
        assert found.code in {"number_missing", "number_not_possible", "number_not_valid", "number_without_country"}
    else:
        assert re.fullmatch(r"\+[1-9][0-9]{3,18}|[0-9*#]{2,6}", found)
        assert normal(found, None) == found


@pytest.mark.parametrize(
    "sender", ["+48600700800", "5600", "*100#", "MyBank", "A", "Shop 24", "A&B-Co.", "Twelve chars"[:11]]
)
def test_legal_senders(sender: str) -> None:
    assert sender_problem(sender) is None


@pytest.mark.parametrize(
    "sender", ["", " ", "Twelve chars", "Żabka", "48600700800", "1234567", " Bank", "Bank\n", "x" * 10_000]
)
def test_illegal_senders_are_told_what_is_legal(sender: str) -> None:
    problem = sender_problem(sender)
    assert problem is not None
    assert "no legal sender" in problem
    assert len(problem) < 200
