"""What the lines of an answer say. Pure functions over strings: they return None or an empty value for what they cannot
read, and raise nothing."""

from __future__ import annotations

import re

import msgspec

__all__ = [
    "Entry",
    "Memories",
    "Notice",
    "Registration",
    "cnmi_choices",
    "entries",
    "fields",
    "first_digits",
    "iccid",
    "integers",
    "memories",
    "memory_names",
    "message_reference",
    "notice",
    "operator",
    "pin_state",
    "pin_tries",
    "registration",
    "same_iccid",
    "service_centre",
    "signal_dbm",
    "smss_reference",
    "value",
]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One message of +CMGL or +CMGR (27.005 §3.4.2, §3.4.3). `index` is -1 in +CMGR; `length` 0 means an empty slot."""

    index: int
    stat: int  # 0 unread, 1 read, 2 stored unsent, 3 stored sent; -1 not told
    length: int
    pdu: str


class Memories(msgspec.Struct, frozen=True, kw_only=True):
    """+CPMS?: what is read from, and how full it is. Sizes are -1 where the modem does not tell."""

    read: str = ""
    receive: str = ""
    used: int = -1
    size: int = -1


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """+CMTI or +CDSI. `index` -1: the storage is full (Huawei)."""

    report: bool
    storage: str
    index: int


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """+CREG and its kin. `domain` is "CREG", "CGREG", "CEREG" or "C5GREG"."""

    domain: str
    stat: int

    @property
    def usable(self) -> bool:
        """Texts can be sent (27.007 §7.2; 6 and 7 are SMS only, 9 and 10 without CSFB)."""
        return self.domain in ("CREG", "CEREG") and self.stat in (1, 5, 6, 7, 9, 10)


REGISTRATION_WORDS = {
    0: "not searching",
    1: "home",
    2: "searching",
    3: "denied",
    4: "unknown",
    5: "roaming",
    6: "home",
    7: "roaming",
    8: "emergency only",
    9: "home",
    10: "roaming",
    11: "emergency only",
}


def value(line: str) -> str:
    """What stands behind the prefix, without quotes: `+CGMM: "E1752"` and `E1752` both give E1752."""
    if line[:1] in "+^#!*$%&" and ":" in line:
        line = line.partition(":")[2]
    return line.strip().strip('"').strip()


def fields(line: str) -> list[str]:
    """The arguments behind the prefix, split at commas outside quotes and brackets, blanks and quotes removed."""
    body = line.partition(":")[2] if line[:1] in "+^#!*$%&" else line
    result: list[str] = []
    current: list[str] = []
    quoted, depth = False, 0
    for char in body:
        if char == '"':
            quoted = not quoted
        elif char == "(" and not quoted:
            depth += 1
        elif char == ")" and not quoted:
            depth -= 1
        if char == "," and not quoted and depth <= 0:
            result.append("".join(current))
            current = []
        else:
            current.append(char)
    result.append("".join(current))
    return [item.strip().strip('"') for item in result]


def integers(line: str) -> list[int]:
    """All arguments that are whole numbers."""
    return [int(item) for item in fields(line) if _INTEGER.fullmatch(item)]


def first_digits(lines: tuple[str, ...], low: int, high: int) -> str:
    """The first run of `low` to `high` digits: IMEI, IMSI. Empty when there is none."""
    for line in lines:
        match = re.fullmatch(rf"\D*?(\d{{{low},{high}}})\D*", value(line))
        if match:
            return match[1]
    return ""


def iccid(lines: tuple[str, ...]) -> str:
    """The SIM's number from any vendor's answer, +CRSM among them (31.102 §4.2.1, swapped BCD), without filler."""
    for line in lines:
        if line.startswith("+CRSM:"):
            parts = fields(line)
            if len(parts) >= 3 and parts[0] in ("144", "145", "159"):
                swapped = "".join(parts[2][i : i + 2][::-1] for i in range(0, len(parts[2]), 2))
                digits = swapped.upper().rstrip("F")
                if _ICCID.fullmatch(digits):
                    return digits
            continue
        for item in fields(line):
            digits = item.upper().rstrip("F")
            if _ICCID.fullmatch(digits):
                return digits
    return ""


def same_iccid(one: str, other: str) -> bool:
    """Equal but for a check digit at the end, which modems tell or not as they like."""
    shorter, longer = sorted((one, other), key=len)
    return len(shorter) >= 18 and longer.startswith(shorter)


def pin_state(lines: tuple[str, ...]) -> str:
    """READY, SIM PIN, SIM PUK ... from +CPIN?; empty when the modem only said OK."""
    return next((value(line).upper() for line in lines if line.startswith("+CPIN")), "")


def pin_tries(command: str, lines: tuple[str, ...]) -> int | None:
    """PIN entries left, from the counter command of any vendor. None when unknown.

    +CPINR: SIM PIN,3,3   ^CPIN: READY,,10,3,10,3   +QPINC: "SC",3,10   +SPIC: 3,10,0,10   #PCT: 3   ^SPIC: 3
    """
    for line in lines:
        parts = fields(line)
        if line.startswith("^CPIN:"):  # state, (times for the state asked), PUK1, PIN1, PUK2, PIN2
            candidate = parts[3] if len(parts) > 3 else ""
        elif line.startswith(("+CPINR:", "+QPINC:")):
            if parts[0].upper() not in ("SIM PIN", "SC"):
                continue
            candidate = parts[1] if len(parts) > 1 else ""
        else:
            candidate = parts[0]
        if _INTEGER.fullmatch(candidate):
            return int(candidate)
    return None


def registration(line: str, *, answer: bool) -> Registration | None:
    """`answer`: `n,stat[,...]`; otherwise a notification, `stat[,...]`."""
    domain = line.partition(":")[0].strip("+")
    parts = fields(line)
    item = parts[1] if answer and len(parts) > 1 else parts[0]
    stat = _number(item)
    return Registration(domain=domain, stat=stat) if domain.endswith("REG") and 0 <= stat < 100 else None


def operator(lines: tuple[str, ...]) -> str:
    """+COPS: 0,2,"23410",7 gives 23410."""
    for line in lines:
        parts = fields(line)
        if line.startswith("+COPS:") and len(parts) >= 3:
            return parts[2]
    return ""


def signal_dbm(lines: tuple[str, ...]) -> int | None:
    """From +CSQ or +CESQ (27.007 §8.5, §8.69). 99 and 255 mean unknown, not strong."""
    for line in lines:
        numbers = integers(line)
        if line.startswith("+CSQ:") and numbers:
            return -113 + 2 * numbers[0] if 0 <= numbers[0] <= 31 else None
        if line.startswith("+CESQ:") and len(numbers) >= 6:
            rxlev, _, rscp, _, _, rsrp = numbers[:6]
            if 0 <= rsrp <= 97:
                return rsrp - 141
            if 0 <= rscp <= 96:
                return rscp - 121
            if 0 <= rxlev <= 63:
                return rxlev - 111
    return None


def service_centre(lines: tuple[str, ...]) -> str | None:
    """+CSCA: "+447700900000",145. None when there is no such line; hexadecimal UCS-2 is read too."""
    for line in lines:
        if line.startswith("+CSCA:"):
            parts = fields(line)
            text = parts[0]
            if re.fullmatch(r"(00[2-3][0-9A-Fa-f])+", text):  # CSCS="UCS2"
                text = bytes.fromhex(text).decode("utf-16-be")
            if text and not text.startswith("+") and len(parts) > 1 and parts[1] == "145":
                text = "+" + text
            return text
    return None


def memory_names(lines: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """+CPMS=?: the storages each of the memories can be."""
    for line in lines:
        if line.startswith("+CPMS:"):
            groups = re.findall(r"\(([^()]*)\)", line) or [line.partition(":")[2]]
            return tuple(tuple(re.findall(r'"([A-Z]{2})"', group)) for group in groups)
    return ()


def memories(lines: tuple[str, ...]) -> Memories | None:
    """+CPMS? with names, and the answer to +CPMS= without them."""
    for line in lines:
        if not line.startswith("+CPMS:"):
            continue
        parts = fields(line)
        if parts and parts[0].isalpha():
            names, numbers = parts[0::3], [p for i, p in enumerate(parts) if i % 3]
        else:
            names, numbers = [], parts
        used = _number(numbers[0]) if numbers else -1
        size = _number(numbers[1]) if len(numbers) > 1 else -1
        read = names[0] if names else ""
        return Memories(read=read, receive=names[2] if len(names) > 2 else read, used=used, size=size)
    return None


def cnmi_choices(lines: tuple[str, ...]) -> tuple[frozenset[int], ...]:
    """+CNMI: (0,1,2),(0-3),(0,2),(0,1,2),(0,1): what each of the five arguments may be. Empty when unreadable."""
    for line in lines:
        if line.startswith("+CNMI:"):
            body = line.partition(":")[2]
            groups = re.findall(r"\(([^()]*)\)|(\d+)(?![^()]*\))", body)
            return tuple(_choices(group or single) for group, single in groups)[:5]
    return ()


def entries(lines: tuple[str, ...]) -> list[Entry]:
    """Messages of +CMGL and +CMGR answers: headers, each followed by its PDU (which an empty slot does not have).

    +CMGL: index,stat,[alpha],length     +CMGR: stat,[alpha],length     (the alpha may hold commas, or be missing)
    """
    found: list[Entry] = []
    header: tuple[int, int, int] | None = None
    for line in lines:
        listed = line.startswith("+CMGL:")
        if listed or line.startswith("+CMGR:"):
            if header is not None:
                found.append(Entry(index=header[0], stat=header[1], length=header[2], pdu=""))
            parts = fields(line)
            index = _number(parts[0]) if listed else -1
            rest = parts[1:] if listed else parts
            stat = _number(rest[0]) if rest else -1
            length = _number(rest[-1]) if len(rest) > 1 else 0
            header = (index, stat, max(length, 0))
        elif header is not None:
            found.append(Entry(index=header[0], stat=header[1], length=header[2], pdu=line.upper()))
            header = None
    if header is not None:
        found.append(Entry(index=header[0], stat=header[1], length=header[2], pdu=""))
    return found


def notice(line: str) -> Notice | None:
    """+CMTI: "ME",0 or +CDSI: "SR",7; None for what cannot be read."""
    if not line.startswith(("+CMTI:", "+CDSI:")):
        return None
    parts = fields(line)
    if len(parts) < 2 or not _INTEGER.fullmatch(parts[1]):
        return None
    name = parts[0].upper()
    return Notice(
        report=line.startswith("+CDSI"), storage=name if _STORAGE.fullmatch(name) else "", index=int(parts[1])
    )


def message_reference(lines: tuple[str, ...]) -> int | None:
    """TP-MR from +CMGS: 42 or +CMGS: 42,"26/03/14,09:30:15+04" (with CSMS=1). None when there is none."""
    for line in lines:
        if line.startswith("+CMGS:"):
            reference = _number(fields(line)[0])
            if reference >= 0:
                return reference & 0xFF
    return None


def smss_reference(lines: tuple[str, ...]) -> int | None:
    """Last used TP-MR from EF_SMSS read by +CRSM (31.102 §4.2.9). FF = never used gives None."""
    for line in lines:
        parts = fields(line)
        if (
            line.startswith("+CRSM:")
            and len(parts) >= 3
            and parts[0] == "144"
            and re.match(r"[0-9A-Fa-f]{2}", parts[2])
        ):
            return int(parts[2][:2], 16)
    return None


_INTEGER = re.compile(r"-?[0-9]{1,6}")
_ICCID = re.compile(r"[0-9]{18,22}")
_STORAGE = re.compile(r"[A-Z]{2}")


def _number(text: str) -> int:
    return int(text) if _INTEGER.fullmatch(text) else -1


def _choices(text: str) -> frozenset[int]:
    found: set[int] = set()
    for low, high in re.findall(r"(\d+)(?:\s*-\s*(\d+))?", text):
        found.update(range(int(low), min(int(high or low), int(low) + 16) + 1))
    return frozenset(found)
