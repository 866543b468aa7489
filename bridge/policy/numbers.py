"""Numbers: what a person types, made into an MSISDN that the network can route, or a sentence why not.

A number is taken when it is valid, or when it has the shape of its country's plan and the length of a mobile number
there, in a range that the library does not know to be in use: an appliance runs for years, its list of ranges is older
than the newest range some day, and refusing a good number is worse than hearing "unknown subscriber" from the network.

Short codes (2 to 6 digits, also with * and #) pass as they are: no plan lists them. The full parse of phonenumbers
costs about 30 us; numbers in E.164 form, which is what programs send, are held against its patterns directly, in
less than one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache

import msgspec
import phonenumbers
from phonenumbers import PhoneMetadata

__all__ = ["NoNumber", "country", "normal", "sender_problem"]

_SHORT = re.compile(r"[0-9*#]{2,6}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_DIGITS = re.compile(r"\+?[0-9]+")
# What people and address books put between digits; U+200B-200F and U+202A-202E are invisible and come with a paste.
_BETWEEN = " \t\r\n\u00a0\u2007\u2009\u202f-\u2010\u2011\u2012\u2013\u2014\u2212./()"
_INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
_DECORATION = str.maketrans("", "", _BETWEEN + _INVISIBLE)
_SENDER_NAME = re.compile(r"[ -~]{1,11}")
_SHOWN = 40  # characters of what was typed that an answer repeats


class NoNumber(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    detail: str


def normal(typed: str, region: str | None) -> str | NoNumber:
    """`typed` as E.164 ("+48600700800") or as a short code. `region`: ISO country for numbers without a country
    code."""
    calling_code = _CALLING_CODES.get(typed[1:4])
    if calling_code is not None and _written_out(calling_code)(typed):
        return typed
    bare = typed.translate(_DECORATION)
    if _SHORT.fullmatch(bare):
        return bare
    if not bare:
        return NoNumber(code="number_missing", detail="is empty; give a number such as +48600700800")
    if not _DIGITS.fullmatch(bare):
        # The library would spell out letters, drop extensions and pass over what it cannot read: another's phone rings.
        return NoNumber(
            code="number_not_possible", detail=f"{_shown(typed)} is no number; give digits only, such as +48600700800"
        )
    if bare[0] != "+" and not bare.startswith("00") and region is None:
        return NoNumber(
            code="number_without_country",
            detail=f"{_shown(typed)} has no country code; write it with +, or set service.region in the configuration",
        )
    spellings = [bare] if bare[0] == "+" or region is not None else []
    if bare.startswith("00"):
        spellings.append("+" + bare[2:])  # second: in some countries 00 begins another prefix, or a national number
    refusal: NoNumber | None = None
    for spelling in spellings:
        found = _parsed(spelling, region, typed)
        if isinstance(found, str):
            return found
        refusal = found
    assert refusal is not None
    return refusal


def sender_problem(sender: str) -> str | None:
    """Why this sender ID cannot be legal anywhere, or None: a number, a short code, or 1 to 11 characters of a name."""
    if _E164.fullmatch(sender) or _SHORT.fullmatch(sender):
        return None
    if _SENDER_NAME.fullmatch(sender) and not sender.strip().isdigit() and sender.strip() == sender:
        return None
    return (
        f"{_shown(sender)} is no legal sender; a number such as +48600700800, a short code, "
        "or a name of 1 to 11 letters, digits and spaces"
    )


@lru_cache(maxsize=4096)
def country(number: str) -> str:
    """ISO 3166 of a number in E.164; "" for short codes and numbers of no country."""
    if not number.startswith("+"):
        return ""
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return ""
    return region if region is not None and len(region) == 2 else ""


def _parsed(spelling: str, region: str | None, typed: str) -> str | NoNumber:
    try:
        parsed = phonenumbers.parse(spelling, region)
    except phonenumbers.NumberParseException as error:
        reason = str(error).split(") ")[-1]
        return NoNumber(code="number_not_possible", detail=f"{_shown(typed)} is no number: {reason}")
    national = phonenumbers.national_significant_number(parsed)
    if not _plan(parsed.country_code or 0).fullmatch(national) and not phonenumbers.is_valid_number(parsed):
        return NoNumber(
            code="number_not_valid",
            detail=f"{_shown(typed)} fits no numbering plan of country code +{parsed.country_code}; check its digits",
        )
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _shown(typed: str) -> str:
    return repr(typed) if len(typed) <= _SHOWN else repr(typed[:_SHOWN]) + "..."


# --- The patterns -----------------------------------------------------------------------------------------------------

_NOTHING = "(?!)"  # matches nothing

# Calling codes by the three digits that E.164 numbers begin with; no code is the beginning of another.
_CALLING_CODES = {
    f"{code}{rest:0{3 - len(str(code))}d}" if code < 100 else str(code): code
    for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    for rest in range(10 ** (3 - len(str(code))))
}


@cache
def _plan(calling_code: int) -> re.Pattern[str]:
    """National numbers with the shape of a plan with this calling code and the length of a mobile number there."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(calling_code, ())
    shapes = [
        rf"(?=(?:{lengths})\Z){_general(region, calling_code)}"
        for region in regions
        if (lengths := "|".join(rf"\d{{{length}}}" for length in _mobile_lengths(region, calling_code)))
    ]
    return re.compile("|".join(shapes) or _NOTHING, re.ASCII)


@cache
def _written_out(calling_code: int) -> Callable[[str], object]:
    """Matches the E.164 numbers of a calling code that a parse would leave as they are."""
    metadata = _metadata(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[calling_code][0], calling_code)
    prefix = metadata.national_prefix_for_parsing if metadata is not None else None
    # What begins with a national prefix is left to the library, which may take it off: of +55 90819753048 the 90.
    parsed = rf"(?!(?:{prefix})(?<!^\+{calling_code}))" if prefix else ""
    return re.compile(rf"\+{calling_code}{parsed}(?:{_plan(calling_code).pattern})", re.ASCII).fullmatch


def _general(region: str, calling_code: int) -> str:
    metadata = _metadata(region, calling_code)
    shape = metadata.general_desc.national_number_pattern if metadata is not None and metadata.general_desc else None
    return f"(?:{shape})" if shape else _NOTHING


def _mobile_lengths(region: str, calling_code: int) -> list[int]:
    metadata = _metadata(region, calling_code)
    if metadata is None or metadata.mobile is None or metadata.general_desc is None:
        return []
    # None given: all that the plan has. -1: there are no mobile numbers.
    return [length for length in metadata.mobile.possible_length or metadata.general_desc.possible_length if length > 0]


def _metadata(region: str, calling_code: int) -> PhoneMetadata | None:
    if region == "001":  # numbers of no country: satellites, freephone
        return PhoneMetadata.metadata_for_nongeo_region(calling_code, None)
    return PhoneMetadata.metadata_for_region(region, None)
