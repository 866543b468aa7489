"""What one family of modems does differently, as data. A profile holds only what differs from `generic`."""

from __future__ import annotations

import re

import msgspec

__all__ = ["GENERAL_NOISE", "Profile", "ProfileError", "choose"]

Cnmi = tuple[int, int, int, int, int]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One family. Patterns are regular expressions, searched without regard to case."""

    name: str
    maker: str = ""  # in the answer to AT+CGMI; empty = never chosen by itself
    model: str = ""  # in the answer to AT+CGMM; empty = any
    error_table: str = ""  # which vendor's error numbers (gsm.outcome)
    trusted: frozenset[int] = frozenset()  # CMS numbers that are definite in this family although they look doubtful

    quiet: tuple[str, ...] = ()  # commands that stop periodic notifications, errors ignored
    iccid: tuple[str, ...] = ()  # commands to try before the general ones
    pin_counter: tuple[str, ...] = ("AT+CPINR",)
    ready: tuple[str, ...] = ()  # notifications that say: the SMS layer works now
    reset: str = "AT+CFUN=1,1"  # restarts the modem; never a command that only switches it off
    resets: tuple[str, ...] = ()  # notifications that say: the modem restarted, besides the general ones
    noise: tuple[str, ...] = ()  # notifications to be ignored without a trace

    storages: tuple[str, ...] = ("ME", "SM", "MT")  # where incoming texts should go, first choice first
    cnmi: tuple[Cnmi, ...] = ()  # to try before the general candidates
    acknowledges_texts: bool = True  # +CMT wants CNMA when CSMS is 1
    acknowledges_reports: bool = True  # +CDS wants CNMA when CSMS is 1
    first_index: int = 1  # of a storage, when it has to be read slot by slot
    list_command: str = "AT+CMGL=4"

    implied_ok: frozenset[str] = frozenset()  # verbs whose answer may come without its final OK
    gap: float = 0.0  # seconds from a final result to the next command
    prompt_pause: float = 0.0  # seconds from the prompt to the PDU
    chunk: int = 0  # octets of a PDU written at a time; 0 = all at once
    chunk_pause: float = 0.0
    result_timeout: float = 180.0  # seconds from Ctrl-Z to the result
    packs_ussd: bool = False  # USSD texts are written, and mostly come, as packed septets in hexadecimal
    keep_link: bool = True  # AT+CMMS=2 for bursts
    reads_smss: bool = False  # EF_SMSS tells whether a doubtful send was handed over; only where it was proven

    def fits(self, maker: str, model: str) -> bool:
        return (
            bool(self.maker)
            and re.search(self.maker, maker, re.IGNORECASE) is not None
            and (not self.model or re.search(self.model, model, re.IGNORECASE) is not None)
        )


class ProfileError(Exception):
    """Two profiles claim the same modem, or a name that no profile has."""


GENERAL_NOISE = (
    "+CIEV:",
    "+CTZV:",
    "+CTZE:",
    "+CTZU:",
    "+NITZ",
    "*PSUTTZ",
    "+PSUTTZ",
    "DST:",
    "+CCWA:",
)


def choose(profiles: tuple[Profile, ...], maker: str, model: str) -> Profile:
    """The one that fits; `generic` when none does."""
    found = [profile for profile in profiles if profile.fits(maker, model)]
    if len(found) > 1:
        names = ", ".join(profile.name for profile in found)
        raise ProfileError(f"{maker} {model} is claimed by more than one profile: {names}")
    return found[0] if found else next(profile for profile in profiles if profile.name == "generic")
