"""What a modem answers, byte for byte: the whole line in one write, and byte by byte."""

from __future__ import annotations

import pytest

from drivers.gsm import alphabet
from drivers.simulator.commands import Command, Form, fields, parse
from drivers.simulator.faults import Faults, UssdForm
from tests.simulator.rig import PROMPT, SUBMIT, Rig

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"


def line(text: str) -> bytes:
    return f"\r\n{text}\r\n\r\nOK\r\n".encode()


GENERIC = [
    (b"AT\r", OK),
    (b"at\r", OK),
    (b"\nAT\r\n", OK),
    (b"garbage\r", b""),
    (b"AT+NOSUCH\r", ERROR),
    (b"AT+CMEE=1;+CREG=2\r", OK),
    (b"ATE0V1Q0\r", OK),
    (b"ATS0=0\r", OK),
    (b"AT&F;+CMEE=1\rAT\r", OK + b"AT\r" + OK),
    (b"AT+CGMI\r", line("GSM Bridge")),
    (b"AT+CGMM\r", line("Simulated")),
    (b"AT+CGMR\r", line("1.0.7")),
    (b"AT+CGSN\r", line("350000000000000")),
    (b"AT+GSN\r", line("350000000000000")),
    (b"ATI\r", line("Manufacturer: GSM Bridge\r\nModel: Simulated\r\nRevision: 1.0.7")),
    (b"AT+CIMI\r", line("234100000000001")),
    (b"AT+CCID\r", line("+CCID: 89441000000000000000")),
    (b"AT+CRSM=176,12258,0,0,10\r", line('+CRSM: 144,0,"98440100000000000000"')),
    (b"AT+CRSM=176,28483,0,0,2\r", line('+CRSM: 144,0,"FFFF"')),
    (b"AT+CNUM\r", line('+CNUM: "","+447700900101",145')),
    (b"AT+CPIN?\r", line("+CPIN: READY")),
    (b"AT+CPINR\r", line("+CPINR: SIM PIN,3,3")),
    (b"AT+CFUN?\r", line("+CFUN: 1")),
    (b"AT+CREG?\r", line("+CREG: 0,1")),
    (b"AT+CEREG?\r", line("+CEREG: 0,1")),
    (b"AT+COPS?\r", line('+COPS: 0,0,"Testnet",7')),
    (b"AT+COPS=3,2;+COPS?\r", line('+COPS: 0,2,"23410",7')),
    (b"AT+CSQ\r", line("+CSQ: 17,99")),
    (b"AT+CSCS=?\r", line('+CSCS: ("GSM","IRA","UCS2")')),
    (b"AT+CSCA?\r", line('+CSCA: "+447700900000",145')),
    (b'AT+CSCS="UCS2";+CSCA?\r', line('+CSCA: "002B003400340037003700300030003900300030003000300030",145')),
    (b"AT+CSMS?\r", line("+CSMS: 0,1,1,1")),
    (b"AT+CSMS=1\r", line("+CSMS: 1,1,1")),
    (b"AT+CGSMS?\r", line("+CGSMS: 1")),
    (b"AT+CMGF?\r", line("+CMGF: 0")),
    (b"AT+CMGF=2\r", b"\r\n+CMS ERROR: 302\r\n"),
    (b"AT+CPMS?\r", line('+CPMS: "SM",0,20,"SM",0,20,"SM",0,20')),
    (b"AT+CPMS=?\r", line('+CPMS: ("SM","ME"),("SM","ME"),("SM","ME")')),
    (b'AT+CPMS="ME","SM"\r', line("+CPMS: 0,50,0,20,0,20")),
    (b'AT+CPMS="XX"\r', b"\r\n+CMS ERROR: 302\r\n"),
    (b"AT+CNMI=?\r", line("+CNMI: (0,1,2),(0,1,2),(0,2),(0,1,2),(0,1)")),
    (b"AT+CNMI=2,1,0,2,0\r", OK),
    (b"AT+CNMI=2,1;+CNMI?\r", line("+CNMI: 2,1,0,0,0")),
    (b"AT+CNMI=9\r", b"\r\n+CMS ERROR: 303\r\n"),
    (b"AT+CMMS=2\r", OK),
    (b"AT+CNMA\r", b"\r\n+CMS ERROR: 340\r\n"),
    (b"AT+CMGL=4\r", OK),
    (b"AT+CMGR=1\r", OK),
    (b"AT+CMGR=0\r", b"\r\n+CMS ERROR: 321\r\n"),
    (b"AT+CMGD=21\r", b"\r\n+CMS ERROR: 321\r\n"),
    (b"AT+CMSS=1\r", b"\r\n+CMS ERROR: 321\r\n"),
    (b"AT+CMGS=abc\r", b"\r\n+CMS ERROR: 304\r\n"),
    (b"ATD123;\r", ERROR),
    (b"AT+CMEE=1;D123;\r", b"\r\n+CME ERROR: 3\r\n"),
    (b"AT+CMEE=2;D123;\r", b"\r\n+CME ERROR: operation not allowed\r\n"),
    (b"ATV0\r", b"0\r"),
    (b"ATQ1\r", b""),
    (b"ATE1\r", OK),
    (b"ATE1\rAT\r", OK + b"AT\r" + OK),
    (b"\x1b\rAT\r", OK),
]

BY_VENDOR = [
    ("huawei", b"AT^ICCID?\r", line("^ICCID: 89441000000000000000")),
    ("huawei", b"AT^CPIN?\r", line("^CPIN: SIM PIN,3,10,3,10,3")),
    ("huawei", b"AT+NOSUCH\r", b"\r\nCOMMAND NOT SUPPORT\r\n"),
    ("huawei", b"AT+CCID\r", b"\r\nCOMMAND NOT SUPPORT\r\n"),
    ("huawei", b"AT+CMGR=0\r", OK),
    ("zte", b'AT+CPMS="SM","SM","SM"\r', OK),
    ("simcom", b"AT+CICCID\r", line("+ICCID: 89441000000000000000")),
    ("simcom", b"AT+SPIC\r", line("+SPIC: 3,10,0,10")),
    ("sim800", b"AT+CCID\r", line("89441000000000000000")),
    ("sim800", b"AT+CPMS=?\r", line('+CPMS: ("SM"),("SM"),("SM")')),
    ("quectel", b"AT+QCCID\r", line("+QCCID: 89441000000000000000")),
    ("quectel", b'AT+QPINC="SC"\r', line('+QPINC: "SC",3,10')),
    ("telit", b"AT#CCID\r", line("#CCID: 89441000000000000000")),
    ("telit", b"AT#PCT\r", line("#PCT: 3")),
    ("ublox", b"AT+UPINCNT\r", line("+UPINCNT: 3,3,10,10")),
    ("cinterion", b"AT+CNMI=2,1,0,2,0\r", b"\r\n+CMS ERROR: 303\r\n"),
    ("cinterion", b"AT+CNMI=2,1,0,2,1\r", OK),
    ("wavecom", b"AT+CPIN?\r", b"\r\n+CPIN: READY\r\n"),
    ("wavecom", b"AT+CGSMS?\r", ERROR),
    ("sierra", b"AT!ICCID?\r", line("!ICCID: 89441000000000000000")),
    ("sierra", b"AT+CNMI=2,1,0,1,0\r", b"\r\n+CMS ERROR: 303\r\n"),
]


@pytest.mark.parametrize("one_by_one", [False, True], ids=["whole", "byte by byte"])
@pytest.mark.parametrize(("asked", "answered"), GENERIC, ids=[asked.decode() for asked, _ in GENERIC])
def test_the_answer_to_a_command(asked: bytes, answered: bytes, one_by_one: bool) -> None:
    rig = Rig()
    assert rig.say(asked, one_by_one=one_by_one) == answered


@pytest.mark.parametrize(("profile", "asked", "answered"), BY_VENDOR)
def test_the_answer_of_a_family(profile: str, asked: bytes, answered: bytes) -> None:
    assert Rig(profile).say(asked) == answered


def test_a_number_of_commands_in_one_write_are_answered_in_order() -> None:
    assert Rig().say(b"AT+CSQ\rAT\rAT+CMGF?\r") == line("+CSQ: 17,99") + OK + line("+CMGF: 0")


def test_settings_do_not_survive_a_reset_and_echo_and_text_mode_come_back() -> None:
    rig = Rig("simcom")
    rig.say(b"AT+CNMI=2,1,0,1,0;+CSMS=1;+CMEE=1\r")
    rig.modem.reboot()
    assert rig.say(b"AT\r", after=1.9) == b"", "deaf while it boots"
    assert rig.pass_time(30) == (b"\r\nRDY\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n\r\nSMS DONE\r\n\r\nPB DONE\r\n")
    assert rig.say(b"AT+CMGF?\r") == b"AT+CMGF?\r" + line("+CMGF: 1")
    assert rig.say(b"AT+CNMI?\r") == b"AT+CNMI?\r" + line("+CNMI: 0,0,0,0,0")
    assert rig.say(b"AT+CSMS?\r") == b"AT+CSMS?\r" + line("+CSMS: 0,1,1,1")


def test_sms_commands_are_refused_until_the_sms_layer_is_ready() -> None:
    rig = Rig("simcom", fresh=True)
    assert rig.say(b"ATE0\r").endswith(OK)
    assert rig.say(b"AT+CMGF=0\r") == b"\r\n+CMS ERROR: 314\r\n"
    rig.pass_time(2.0)
    assert rig.say(b"AT+CMGF=0\r") == OK


def test_a_locked_sim_counts_tries_and_ends_in_puk() -> None:
    rig = Rig("simcom", pin="1234")
    rig.say(b"AT+CMEE=1\r")
    assert rig.say(b"AT+CPIN?\r") == line("+CPIN: SIM PIN")
    assert rig.say(b"AT+CMGS=19\r") == b"\r\n+CMS ERROR: 311\r\n"
    assert rig.say(b"AT+CIMI\r") == b"\r\n+CME ERROR: 11\r\n"
    assert rig.say(b"AT+CICCID\r") == line("+ICCID: 89441000000000000000"), "readable while locked"
    assert rig.say(b'AT+CPIN="1111"\r') == b"\r\n+CME ERROR: 16\r\n"
    assert rig.say(b"AT+SPIC\r") == line("+SPIC: 2,10,0,10")
    assert rig.say(b'AT+CPIN="1234"\r') == OK + b"\r\n+CPIN: READY\r\n"
    assert rig.say(b"AT+SPIC\r") == line("+SPIC: 3,10,0,10")
    assert rig.say(b'AT+CPIN="1234"\r') == b"\r\n+CME ERROR: 3\r\n", "it is not asked for"
    rig.modem.reboot()
    rig.pass_time(30)
    rig.say(b"ATE0+CMEE=1\r")
    for _ in range(2):
        assert rig.say(b'AT+CPIN="0000"\r') == b"\r\n+CME ERROR: 16\r\n"
    assert rig.say(b'AT+CPIN="0000"\r') == b"\r\n+CME ERROR: 12\r\n"
    assert rig.say(b"AT+CPIN?\r") == line("+CPIN: SIM PUK")
    assert rig.say(b'AT+CPIN="1234"\r') == b"\r\n+CME ERROR: 3\r\n"
    assert rig.say(b'AT+CPIN="12345678","4321"\r') == OK + b"\r\n+CPIN: READY\r\n"


def test_registration_is_told_when_asked_for() -> None:
    rig = Rig()
    rig.modem.register(2)
    assert rig.look() == b""
    rig.say(b"AT+CREG=1;+CEREG=2\r")
    rig.modem.register(1)
    assert rig.look() == b'\r\n+CREG: 1\r\n\r\n+CEREG: 1,"00C3","0000A1B2"\r\n'


def test_ussd_answers_later_in_the_character_set_asked_for() -> None:
    rig = Rig()
    assert rig.say(b'AT+CUSD=1,"*100#",15\r') == OK
    assert rig.pass_time(0.1) == b'\r\n+CUSD: 0,"Balance 10",15\r\n'
    rig.say(b'AT+CSCS="UCS2"\r')
    assert rig.say(b'AT+CUSD=1,"002A0031003000300023",15\r', after=0.1) == (
        OK + b'\r\n+CUSD: 0,"00420061006C0061006E00630065002000310030",72\r\n'
    )
    assert rig.say(b'AT+CUSD=1,"*999#",15\r', after=0.1).endswith(b"\r\n+CUSD: 4\r\n")


def test_a_ussd_menu_is_one_session_until_it_is_left() -> None:
    rig = Rig()
    menu = b'\r\n+CUSD: 1,"1 Balance\n2 Top-up",15\r\n'
    assert rig.say(b'AT+CUSD=1,"*111#",15\r', after=0.1) == OK + menu
    assert rig.say(b'AT+CUSD=1,"7",15\r', after=0.1) == OK + menu
    assert rig.say(b'AT+CUSD=1,"1",15\r', after=0.1) == OK + b'\r\n+CUSD: 0,"Balance 10",15\r\n'
    rig.say(b'AT+CUSD=1,"*111#",15\r', after=0.1)
    assert rig.say(b"AT+CUSD=2\r", after=1) == OK
    assert rig.say(b'AT+CUSD=1,"1",15\r', after=0.1).endswith(b"\r\n+CUSD: 4\r\n")
    rig.say(b'AT+CUSD=1,"*100#",15\r')
    assert rig.say(b"AT+CUSD=2\r", after=1) == OK  # what was to come does not come


def test_ussd_by_knobs_by_sim_and_by_profile() -> None:
    rig = Rig(faults=Faults(ussd_delay=5.0, ussd_ignored=1, ussd_last=2, ussd_form=UssdForm.OCTETS, ussd_blocks=True))
    assert rig.say(b'AT+CUSD=1,"*100#",15\r', after=60) == OK
    assert rig.say(b'AT+CUSD=1,"*100#",15\r', after=4.9) == OK
    assert rig.pass_time(0.2) == b'\r\n+CUSD: 2,"42616C616E6365203130",15\r\n'
    rig.say(b'AT+CUSD=1,"*111#",15\r', after=6)
    assert rig.say(b"AT+CMGS=19\r") == b"\r\n+CMS ERROR: 302\r\n"
    rig.say(b"AT+CUSD=2\r")
    assert rig.say(b"AT+CMGS=19\r") == PROMPT
    packing = Rig("huawei")
    packing.modem.sim.ussd, packing.modem.sim.credit = {"*100#": "Texts: {credit}"}, 7
    packing.say(b'AT+CUSD=1,"AA180C3602",15\r')
    expected = alphabet.pack(alphabet.encode("Texts: 7")).hex().upper().encode()
    assert packing.pass_time(0.1) == b'\r\n+CUSD: 0,"' + expected + b'",15\r\n'
    assert packing.say(b'AT+CMEE=1;+CUSD=1,"*100#",15\r').endswith(b"+CME ERROR: 50\r\n")


def test_a_call_rings_until_it_is_hung_up() -> None:
    rig = Rig()
    rig.say(b"AT+CLIP=1\r")
    rig.modem.ring("+447700900111", times=3)
    ringing = b'\r\nRING\r\n\r\n+CLIP: "+447700900111",145,"",,"",0\r\n'
    assert rig.pass_time(3.0) == ringing * 2
    assert rig.say(b"AT+CHUP\r", after=30) == OK


def test_text_mode_sends_and_lists() -> None:
    rig = Rig()
    rig.say(b"AT+CMGF=1\r")
    assert rig.say(b"AT+CMGS=19\r") == b"\r\n+CMS ERROR: 305\r\n", "the host still thinks in PDUs"
    assert rig.say(b'AT+CMGS="+447700900123"\r') == b"\r\n> "
    assert rig.say(b"Hello\x1a") == line("+CMGS: 0")
    assert (rig.network.ledger[0].destination, rig.network.ledger[0].text) == ("+447700900123", "Hello")
    rig.network.inject(rig.number, "Reply YES", sender="+447700900123")
    assert rig.say(b'AT+CMGL="REC UNREAD"\r') == line(
        '+CMGL: 1,"REC UNREAD","+447700900123",,"26/03/14,08:50:25+00"\r\nReply YES'
    )
    assert rig.say(b'AT+CMGL="ALL"\r').startswith(b'\r\n+CMGL: 1,"REC READ"')


def test_a_stored_message_is_sent_and_marked() -> None:
    rig = Rig()
    assert rig.say(b"AT+CMGW=19\r") == b"\r\n> "
    assert rig.say(SUBMIT.encode() + b"\x1a") == line("+CMGW: 1")
    assert rig.say(b"AT+CMGL=2\r") == line(f"+CMGL: 1,2,,19\r\n{SUBMIT}")
    assert rig.say(b"AT+CMSS=1\r") == line("+CMSS: 0")
    assert rig.say(b"AT+CMGR=1\r") == line(f"+CMGR: 3,,19\r\n{SUBMIT}")
    assert len(rig.network.ledger) == 1


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        (b"AT", [Command("", Form.EXECUTE)]),
        (b"ATE0V1", [Command("E", Form.SET, "0"), Command("V", Form.SET, "1")]),
        (b"AT+CMGS=19", [Command("+CMGS", Form.SET, "19")]),
        (b'AT+CUSD=1,"a;b",15;+CSQ', [Command("+CUSD", Form.SET, '1,"a;b",15'), Command("+CSQ", Form.EXECUTE)]),
        (b"AT+CNMI=?", [Command("+CNMI", Form.TEST)]),
        (b"AT^ICCID?", [Command("^ICCID", Form.READ)]),
        (b"ATDT+4477;", [Command("D", Form.EXECUTE, "T+4477;")]),
    ],
)
def test_the_commands_of_a_line(text: bytes, commands: list[Command]) -> None:
    assert parse(text) == tuple(commands)


def test_commas_within_quotes_do_not_part_fields() -> None:
    assert fields('1,,"Smith, John",27') == ["1", "", '"Smith, John"', "27"]
