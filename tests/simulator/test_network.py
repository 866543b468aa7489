"""Texts between SIMs, reports, texts from outside, storage, acknowledgements."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.contract import Encoding, Submission
from drivers.gsm import pdu as codec
from drivers.gsm import segments
from drivers.simulator.faults import NetworkFaults
from drivers.simulator.sim import Storage
from tests.simulator.rig import SUBMIT, Rig, submit_to

OK = b"\r\nOK\r\n"


def pdus(said: bytes) -> list[str]:
    """Lines that hold a PDU."""
    return [line.decode() for line in said.split(b"\r\n") if line[:2] in (b"07", b"00")]


def test_a_text_reaches_the_sim_it_is_for() -> None:
    rig = Rig(modems=2)
    rig.modems[1].receive(b"AT+CNMI=2,1\r")
    rig.send(submit_to(rig.sims[1].number))
    rig.clock.advance(1)
    assert rig.look(1) == OK + b'\r\n+CMTI: "SM",1\r\n'
    rig.modems[1].receive(b"AT+CMGR=1\r")
    deliver = codec.decode(pdus(rig.look(1))[0])
    assert isinstance(deliver, codec.Deliver)
    assert (deliver.sender, deliver.text) == (rig.number, "Hello")


TEXTS = ["Hello", "", "€uro {[]}", "Да 👍", "A" * 160, "@" * 200, "x" * 400, "👍" * 100]


@pytest.mark.parametrize("text", TEXTS, ids=[f"{text[:8]} {len(text)}" for text in TEXTS])
@pytest.mark.parametrize("wide", [False, True])
def test_a_text_survives_the_way_from_one_sim_to_the_other_part_by_part(text: str, wide: bool) -> None:
    rig = Rig(modems=2)
    parts = segments.split(text, reference=77, wide=wide)
    for part in parts:
        submission = Submission(attempt_id="a", to=rig.sims[1].number, part=part)
        rig.send(codec.encode_submit(submission).pdu)
    rig.clock.advance(1)
    assert rig.network.ledger.messages() == [(rig.sims[1].number, text)]
    rig.modems[1].receive(b"AT+CMGL=4\r")
    delivers = [codec.decode(pdu) for pdu in pdus(rig.look(1))]
    assert len(delivers) == len(parts)
    pieces = []
    for deliver, part in zip(delivers, parts, strict=True):
        assert isinstance(deliver, codec.Deliver)
        pieces.append(deliver.text)
        assert deliver.data == part.data
    assert "".join(piece or "" for piece in pieces).encode("utf-16", "surrogatepass").decode("utf-16") == text


@pytest.mark.parametrize("text", TEXTS, ids=[f"{text[:8]} {len(text)}" for text in TEXTS])
@pytest.mark.parametrize("sender", ["+447700900999", "65000", "MyBank", "ExampleCorp", "*100#"])
def test_an_injected_text_reads_as_it_was_written(text: str, sender: str) -> None:
    rig = Rig()
    injected = rig.network.inject(rig.number, text, sender=sender)
    said = rig.say(b"AT+CMGL=4\r")
    assert pdus(said) == injected
    delivers = [codec.decode(pdu) for pdu in injected]
    assert {deliver.sender for deliver in delivers if isinstance(deliver, codec.Deliver)} == {sender}
    assert "".join(deliver.text or "" for deliver in delivers if isinstance(deliver, codec.Deliver)) == text
    assert len(delivers) == segments.plan(text).parts


def test_a_forced_encoding_and_a_service_type_are_injected() -> None:
    rig = Rig()
    (pdu,) = rig.network.inject(rig.number, "plain", encoding=Encoding.UCS2, protocol_id=0x41)
    deliver = codec.decode(pdu)
    assert isinstance(deliver, codec.Deliver)
    assert (deliver.dcs, deliver.protocol_id, deliver.text) == (8, 0x41, "plain")


def test_nobody_has_that_number() -> None:
    with pytest.raises(KeyError):
        Rig().network.inject("+447700900555", "Hello")


# --- Reports ----------------------------------------------------------------------------------------------------------


def report(said: bytes) -> codec.Report:
    (found,) = [decoded for pdu in pdus(said) if isinstance(decoded := codec.decode(pdu), codec.Report)]
    return found


def test_a_report_comes_after_its_delay_counted_from_the_answer() -> None:
    rig = Rig(network=NetworkFaults(reports=2.0))
    rig.modem.set_faults(latency={"+CMGS": 3.0})
    rig.say(b"AT+CNMI=2,1,0,1,0\r")
    rig.send(after=4.9)
    assert rig.look() == b""
    found = report(rig.pass_time(0.2))
    assert (found.tp_mr, found.recipient, found.tp_st) == (0, "+447700900123", 0)


REPORTS: list[tuple[NetworkFaults, dict[str, Any]]] = [
    (NetworkFaults(report_status=0x46), {"tp_st": 0x46}),
    (NetworkFaults(national="+44"), {"recipient": "07700900123"}),
    (NetworkFaults(), {"recipient": "+447700900123", "tp_st": 0}),
]


@pytest.mark.parametrize(("network", "expected"), REPORTS)
def test_what_a_report_says(network: NetworkFaults, expected: dict[str, Any]) -> None:
    rig = Rig(network=network)
    rig.say(b"AT+CNMI=2,1,0,1,0\r")
    rig.send(after=5)
    rig.clock.advance(0)
    rig.send()
    found = report(rig.pass_time(5))
    said = {"recipient": found.recipient, "tp_st": found.tp_st}
    assert said | expected == said


def test_report_rules_lose_double_delay_and_hurry() -> None:
    rig = Rig(network=NetworkFaults(reports=1.0))
    rig.say(b"AT+CNMI=2,1,0,1,0\r")
    rules = [
        {"lost": True},
        {"first": 2, "copies": 2},
        {"first": 3, "delay": 60.0},
        {"first": 4, "before_result": True},
    ]
    rig.network.set_faults(report_faults=rules)
    assert b"+CDS" not in rig.send() + rig.pass_time(100)
    assert (rig.send() + rig.pass_time(1)).count(b"+CDS") == 2
    assert b"+CDS" not in rig.send() + rig.pass_time(50)
    assert rig.pass_time(10).count(b"+CDS") == 1
    early = rig.send()
    assert early.index(b"+CDS") < early.index(b"+CMGS")


def test_no_report_unless_asked_for() -> None:
    rig = Rig()
    rig.say(b"AT+CNMI=2,1,0,1,0\r")
    rig.send("0011" + SUBMIT[4:], after=100)
    assert rig.look() == b""


def test_the_centres_clock_may_be_wrong() -> None:
    rig = Rig(network=NetworkFaults(clock_error=7200.0, zone_quarters=-12))
    (pdu,) = rig.network.inject(rig.number, "Hello")
    deliver = codec.decode(pdu)
    assert isinstance(deliver, codec.Deliver)
    assert deliver.sent_at is not None
    assert deliver.sent_at.timestamp() == int(rig.clock.wall()) + 7200
    assert deliver.sent_at.utcoffset().total_seconds() == -3 * 3600  # type: ignore[union-attr]


def test_a_report_waits_until_the_other_sim_has_the_text() -> None:
    rig = Rig(modems=2)
    rig.say(b"AT+CNMI=2,1,0,1,0\r")
    rig.modems[1].power_off()
    rig.send(submit_to(rig.sims[1].number), after=600)
    assert b"+CDS" not in rig.look()
    rig.modems[1].power_on()
    assert b"+CDS: 25" in rig.pass_time(3)


# --- Where texts go ---------------------------------------------------------------------------------------------------


def test_a_report_goes_to_the_line_or_to_the_store_as_cnmi_says() -> None:
    rig = Rig(network=NetworkFaults(reports=1.0))
    assert b"+CD" not in rig.send() + rig.pass_time(5)
    rig.say(b"AT+CNMI=2,1,0,2,0\r")
    assert b'+CDSI: "SM",1' in rig.send() + rig.pass_time(5)
    assert rig.say(b"AT+CMGR=1\r").startswith(b"\r\n+CMGR: 0,,25\r\n")


def test_quectel_says_sm_and_means_sr() -> None:
    rig = Rig("quectel", network=NetworkFaults(reports=1.0))
    rig.say(b"AT+CNMI=2,1,0,2,0\r")
    assert b'+CDSI: "SM",0' in rig.send() + rig.pass_time(5)
    rig.say(b'AT+CPMS="SM"\r')
    assert rig.say(b"AT+CMGR=0\r") == OK
    rig.say(b'AT+CPMS="SR"\r')
    assert b"+CMGR: 0,,25" in rig.say(b"AT+CMGR=0\r")


@pytest.mark.parametrize(
    ("cnmi", "dcs", "told"),
    [
        ("0,0,0,0,0", 0x00, b""),
        ("2,0,0,0,0", 0x00, b""),
        ("2,1,0,0,0", 0x00, b'\r\n+CMTI: "ME",1\r\n'),
        ("2,1,0,0,0", 0x10, b"\r\n+CMT: ,"),  # flash
        ("2,1,0,0,0", 0x12, b'\r\n+CMTI: "SM",1\r\n'),  # class 2 belongs to the SIM
        ("2,2,0,0,0", 0x00, b"\r\n+CMT: ,"),
        ("2,2,0,0,0", 0x12, b'\r\n+CMTI: "SM",1\r\n'),
        ("2,0,0,0,0", 0xF6, b""),
    ],
)
def test_the_way_of_a_text_by_cnmi_and_class(cnmi: str, dcs: int, told: bytes) -> None:
    rig = Rig()
    rig.say(f'AT+CPMS="ME","ME","ME";+CNMI={cnmi}\r'.encode())
    rig.network.inject(rig.number, "Hi", dcs=dcs)
    said = rig.look()
    assert said.startswith(told)
    assert bool(said) == bool(told)


def test_a_silent_message_is_taken_and_gone() -> None:
    rig = Rig()
    rig.say(b"AT+CNMI=2,1\r")
    rig.network.inject(rig.number, "", protocol_id=0x40)
    assert rig.look() == b""
    assert rig.network.waiting(rig.number) == 0
    assert not rig.sims[0].records.slots


def test_reading_marks_as_read_and_deleting_frees() -> None:
    rig = Rig()
    for text in ("one", "two", "three"):
        rig.network.inject(rig.number, text)
    assert rig.say(b"AT+CMGL=0\r").count(b"+CMGL: ") == 3
    assert rig.say(b"AT+CMGL=0\r") == OK
    rig.say(b"AT+CMGD=2\r")
    assert list(rig.sims[0].records.slots) == [0, 2]
    assert rig.say(b"AT+CMGD=?\r") == b"\r\n+CMGD: (1,3),(0-4)\r\n\r\nOK\r\n"
    rig.network.inject(rig.number, "four")
    assert sorted(rig.sims[0].records.slots) == [0, 1, 2], "the hole is filled"
    rig.say(b"AT+CMGD=1,1\r")
    assert sorted(rig.sims[0].records.slots) == [1], "read ones are gone"
    rig.say(b"AT+CMGD=1,4\r")
    assert not rig.sims[0].records.slots


def test_a_full_store_makes_the_network_wait_and_go_on() -> None:
    rig = Rig("huawei")
    rig.sims[0].records = Storage(2)
    rig.say(b"AT+CNMI=2,1,0,2,0\r")
    for text in ("one", "two", "three", "four"):
        rig.network.inject(rig.number, text)
    assert rig.look() == (b'\r\n+CMTI: "SM",0\r\n\r\n+CMTI: "SM",1\r\n\r\n^SMMEMFULL: "SM"\r\n\r\n+CMTI: "SM",-1\r\n')
    assert rig.network.waiting(rig.number) == 2
    assert rig.say(b"AT+CPMS?\r").startswith(b'\r\n+CPMS: "SM",2,2,')
    full_again = b'\r\n^SMMEMFULL: "SM"\r\n\r\n+CMTI: "SM",-1\r\n'
    assert rig.say(b"AT+CMGD=0\r") == OK + b'\r\n+CMTI: "SM",0\r\n' + full_again
    assert rig.say(b"AT+CMGD=1\r") == OK + b'\r\n+CMTI: "SM",1\r\n'
    assert rig.network.waiting(rig.number) == 0


def test_storage_faults() -> None:
    rig = Rig()
    rig.modem.set_faults(announce_storage="ME", readable_after=1.0, delete_fails=1)
    rig.say(b"AT+CNMI=2,1\r")
    rig.network.inject(rig.number, "Hello")
    assert rig.look() == b'\r\n+CMTI: "ME",1\r\n'
    assert rig.say(b"AT+CMGR=1\r", after=1.0) == OK
    assert b"+CMGR: 0" in rig.say(b"AT+CMGR=1\r")
    assert rig.say(b"AT+CMGD=1\r") == b"\r\n+CMS ERROR: 320\r\n"
    assert rig.say(b"AT+CMGD=1\r") == OK
    rig.modem.set_faults(announce=False)
    rig.network.inject(rig.number, "silently")
    assert rig.look() == b""
    assert rig.sims[0].records.slots


# --- Acknowledgements (+CSMS=1) ---------------------------------------------------------------------------------------


def test_in_phase_2_plus_the_next_text_waits_for_the_acknowledgement() -> None:
    rig = Rig()
    rig.say(b"AT+CSMS=1;+CNMI=2,2,0,1,0\r")
    rig.network.inject(rig.number, "one")
    rig.network.inject(rig.number, "two")
    assert rig.look().count(b"+CMT: ") == 1
    assert rig.say(b"AT+CNMA=1\r").count(b"+CMT: ") == 1
    assert rig.say(b"AT+CNMA\r") == OK
    assert rig.say(b"AT+CNMA\r") == b"\r\n+CMS ERROR: 340\r\n"


def test_what_was_not_acknowledged_comes_again() -> None:
    rig = Rig(network=NetworkFaults(redeliver_after=60.0))
    rig.say(b"AT+CSMS=1;+CNMI=2,2,0,1,0\r")
    (pdu,) = rig.network.inject(rig.number, "one")
    assert pdus(rig.look()) == [pdu]
    assert rig.pass_time(16) == b""
    assert rig.say(b"AT+CNMA=1\r") == b"\r\n+CMS ERROR: 340\r\n", "too late"
    assert pdus(rig.pass_time(60)) == [pdu]
    rig.say(b"AT+CNMA=2\r")
    assert pdus(rig.pass_time(61)) == [pdu], "refused by the host"
    rig.say(b"AT+CNMA=0\r")
    assert rig.pass_time(600) == b""


def test_routing_to_the_line_stops_after_a_missed_acknowledgement_if_asked_for() -> None:
    rig = Rig()
    rig.modem.set_faults(stops_routing=True)
    rig.say(b"AT+CSMS=1;+CNMI=2,2,0,1,0\r")
    rig.network.inject(rig.number, "one")
    rig.pass_time(16)
    assert rig.say(b"AT+CNMI?\r") == b"\r\n+CNMI: 2,0,0,0,0\r\n\r\nOK\r\n"
    assert rig.pass_time(100) == b""
    assert rig.sims[0].records.slots, "stored instead"


def test_an_injected_pdu_is_handed_over_as_it_is() -> None:
    rig = Rig()
    rig.say(b"AT+CNMI=2,1,0,1,0\r")
    broken = "07914477000900000400810000623041900351400141"
    rig.network.inject_pdu(rig.number, broken)
    assert pdus(rig.say(b"AT+CMGR=1\r")) == [broken]
    rig.network.inject_pdu(rig.number, "0791447700090000062A0C91447700091032623041900351406230419003124000")
    assert b"\r\n+CDS: 25\r\n" in rig.look()
    rig.network.inject_pdu(rig.number, "00FF")
    assert rig.sims[0].records.slots
