"""What the lines of an answer say, as tables."""

from __future__ import annotations

import pytest

from drivers.modems import replies
from drivers.modems.replies import Entry, Memories, Notice, Registration


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("E1752", "E1752"),
        ("+CGMM: SIM7600E", "SIM7600E"),
        ('+CGMI: "Quectel"', "Quectel"),
        ("#CGSN: 490154203237518", "490154203237518"),
        ("  huawei  ", "huawei"),
    ],
)
def test_value(line: str, value: str) -> None:
    assert replies.value(line) == value


def test_commas_in_quotes_and_brackets_separate_nothing() -> None:
    assert replies.fields('+CMGL: 1,1,"Smith, John",27') == ["1", "1", "Smith, John", "27"]
    assert replies.fields("+CNMI: (0,1),(0-3)") == ["(0,1)", "(0-3)"]


@pytest.mark.parametrize(
    ("lines", "digits"),
    [
        (("490154203237518",), "490154203237518"),
        (('+CGSN: "490154203237518"',), "490154203237518"),
        (("IMEI: 490154203237518",), "490154203237518"),
        (("12345",), ""),
        ((), ""),
    ],
)
def test_imei(lines: tuple[str, ...], digits: str) -> None:
    assert replies.first_digits(lines, 15, 16) == digits


@pytest.mark.parametrize(
    ("line", "iccid"),
    [
        ("89441000000000000000", "89441000000000000000"),
        ("+CCID: 89441000000000000000", "89441000000000000000"),
        ('+CCID: "89441000000000000000"', "89441000000000000000"),
        ("+ICCID: 8944100000000000002F", "8944100000000000002"),
        ("^ICCID: 8944100000000000002F", "8944100000000000002"),
        ('+CRSM: 144,0,"984401000000000020F0"', "8944100000000000020"),
        ("+CRSM: 144,0,984401000000000020F0", "8944100000000000020"),
        ("+CRSM: 106,130", ""),
        ("+CCID: ERROR", ""),
    ],
)
def test_iccid(line: str, iccid: str) -> None:
    assert replies.iccid((line,)) == iccid


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("8944100000000000002", "8944100000000000002", True),
        ("8944100000000000002", "89441000000000000027", True),
        ("89441000000000000010", "89441000000000000027", False),
        ("", "89441000000000000027", False),
        ("8944", "8944", False),
    ],
)
def test_one_sim_or_two(one: str, other: str, same: bool) -> None:
    assert replies.same_iccid(one, other) is same


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        (("+CPIN: READY",), "READY"),
        (("+CPIN:READY",), "READY"),
        (('+CPIN: "READY"',), "READY"),
        (("+CPIN: SIM PIN",), "SIM PIN"),
        (("+CPIN: SIM PUK",), "SIM PUK"),
        ((), ""),
    ],
)
def test_pin_state(lines: tuple[str, ...], state: str) -> None:
    assert replies.pin_state(lines) == state


@pytest.mark.parametrize(
    ("line", "tries"),
    [
        ("+CPINR: SIM PIN,3,3", 3),
        ("+CPINR: SIM PUK,10,10", None),
        ("^CPIN: SIM PIN,3,10,2,10,3", 2),
        ('+QPINC: "SC",3,10', 3),
        ("+SPIC: 2,10,0,10", 2),
        ("#PCT: 1", 1),
        ("+CPINC: 3,3,10,10", 3),
        ("^SPIC: 3", 3),
        ("+ZPINPUK: 3,10", 3),
        ("+UPINCNT: 0,3,10,10", 0),
        ("nothing", None),
    ],
)
def test_pin_tries_of_every_vendor(line: str, tries: int | None) -> None:
    assert replies.pin_tries("", (line,)) == tries


@pytest.mark.parametrize(
    ("line", "answer", "expected"),
    [
        ("+CREG: 0,1", True, Registration(domain="CREG", stat=1)),
        ('+CREG: 2,5,"00C3","0000A1B2",7', True, Registration(domain="CREG", stat=5)),
        ("+CREG: 2", False, Registration(domain="CREG", stat=2)),
        ('+CEREG: 1,"00C3","0000A1B2",7', False, Registration(domain="CEREG", stat=1)),
        ("+CREG: x", False, None),
    ],
)
def test_registration(line: str, answer: bool, expected: Registration | None) -> None:
    assert replies.registration(line, answer=answer) == expected


@pytest.mark.parametrize("stat", range(12))
def test_where_texts_can_be_sent(stat: int) -> None:
    usable = stat in (1, 5, 6, 7, 9, 10)
    assert Registration(domain="CREG", stat=stat).usable is usable
    assert Registration(domain="CEREG", stat=stat).usable is usable
    assert not Registration(domain="CGREG", stat=stat).usable


@pytest.mark.parametrize(
    ("line", "dbm"),
    [
        ("+CSQ: 17,99", -79),
        ("+CSQ: 0,99", -113),
        ("+CSQ: 99,99", None),
        ("+CESQ: 99,99,255,255,20,45", -96),
        ("+CESQ: 99,99,40,30,255,255", -81),
        ("+CESQ: 30,5,255,255,255,255", -81),
        ("+CESQ: 99,99,255,255,255,255", None),
        ("garbage", None),
    ],
)
def test_signal(line: str, dbm: int | None) -> None:
    assert replies.signal_dbm((line,)) == dbm


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ('+CSCA: "+447700900000",145', "+447700900000"),
        ('+CSCA: "447700900000",145', "+447700900000"),
        ('+CSCA: "",129', ""),
        ('+CSCA: "002B003400340037",145', "+447"),
        ("OK", None),
    ],
)
def test_service_centre(line: str, number: str | None) -> None:
    assert replies.service_centre((line,)) == number


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('+CPMS: "SM",3,30,"SM",3,30,"ME",0,50', Memories(read="SM", receive="ME", used=3, size=30)),
        (
            '+CPMS: "ME", 0, 99, "ME", 0, 99, "ME", 0, 99',
            Memories(read="ME", receive="ME", used=0, size=99),
        ),
        ("+CPMS: 3,30,3,30,3,30", Memories(used=3, size=30)),
        ('+CPMS: "SM",1,20', Memories(read="SM", receive="SM", used=1, size=20)),
    ],
)
def test_memories(line: str, expected: Memories) -> None:
    assert replies.memories((line,)) == expected


def test_memory_names() -> None:
    assert replies.memory_names(('+CPMS: ("SM","ME"),("SM"),("SM","SR")',)) == (("SM", "ME"), ("SM",), ("SM", "SR"))
    assert replies.memory_names(()) == ()


def test_cnmi_choices() -> None:
    assert replies.cnmi_choices(("+CNMI: (0,1,2),(0-3),(0,2),(0-2),(1)",)) == (
        frozenset({0, 1, 2}),
        frozenset({0, 1, 2, 3}),
        frozenset({0, 2}),
        frozenset({0, 1, 2}),
        frozenset({1}),
    )
    assert replies.cnmi_choices(("+CNMI: (2),1,0,(0-1),0",))[1:3] == (frozenset({1}), frozenset({0}))
    assert replies.cnmi_choices(("+CNMI: (0-99999999),(1)",))[0] == frozenset(range(17))


def test_entries_of_a_list_and_of_one_slot() -> None:
    assert replies.entries(("+CMGL: 0,1,,27", "07AB", '+CMGL: 3,2,"Smith, John",19', "00cd")) == [
        Entry(index=0, stat=1, length=27, pdu="07AB"),
        Entry(index=3, stat=2, length=19, pdu="00CD"),
    ]
    assert replies.entries(("+CMGR: 0,,0",)) == [Entry(index=-1, stat=0, length=0, pdu="")]
    assert replies.entries(("+CMGR: 1,25", "07")) == [Entry(index=-1, stat=1, length=25, pdu="07")]
    assert replies.entries(("stray", "+CMGL: 1,1,,27")) == [Entry(index=1, stat=1, length=27, pdu="")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('+CMTI: "ME",0', Notice(report=False, storage="ME", index=0)),
        ('+CMTI: "SM",-1', Notice(report=False, storage="SM", index=-1)),
        ('+CDSI: "SR",7', Notice(report=True, storage="SR", index=7)),
        ('+CMTI: "weird",7', Notice(report=False, storage="", index=7)),
        ("+CMTI: 7", None),
        ('+CMTI: "SM",x', None),
        ("RING", None),
    ],
)
def test_notice(line: str, expected: Notice | None) -> None:
    assert replies.notice(line) == expected


@pytest.mark.parametrize(
    ("lines", "reference"),
    [
        (("+CMGS: 42",), 42),
        (('+CMGS: 42,"26/03/14,09:30:15+04"',), 42),
        (("+CMGS: 255",), 255),
        (("+CMGS: ",), None),
        ((), None),
    ],
)
def test_message_reference(lines: tuple[str, ...], reference: int | None) -> None:
    assert replies.message_reference(lines) == reference


@pytest.mark.parametrize(
    ("line", "reference"), [('+CRSM: 144,0,"2AFF"', 0x2A), ("+CRSM: 144,0,FF00", 0xFF), ("+CRSM: 106,130", None)]
)
def test_last_used_reference(line: str, reference: int | None) -> None:
    assert replies.smss_reference((line,)) == reference
