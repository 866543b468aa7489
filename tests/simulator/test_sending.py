"""Sends, the ledger, and what can go wrong with one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drivers.simulator.faults import Answer, FaultError, Faults, Injection, NetworkFaults, SendFault, Stage, Then, load
from drivers.simulator.ledger import Ledger
from tests.simulator.rig import PROMPT, SUBMIT, Rig, submit_to

OK = b"\r\nOK\r\n"


def sent(reference: int) -> bytes:
    return f"\r\n+CMGS: {reference}\r\n\r\nOK\r\n".encode()


@pytest.mark.parametrize("one_by_one", [False, True], ids=["whole", "byte by byte"])
def test_a_send_is_in_the_ledger_before_it_is_answered(one_by_one: bool) -> None:
    rig = Rig(faults=Faults(latency={"+CMGS": 3.0}))
    assert rig.say(b"AT+CMGS=19\r", one_by_one=one_by_one) == PROMPT
    assert rig.say(SUBMIT.encode() + b"\x1a", one_by_one=one_by_one) == b""
    (entry,) = rig.network.ledger
    assert (entry.sender, entry.destination, entry.text, entry.tp_mr) == (rig.number, "+447700900123", "Hello", 0)
    assert [entry.answered_at, entry.answer] == [None, "+CMGS: 0"]
    assert rig.pass_time(3.0) == sent(0)
    assert entry.answered_at is not None
    assert entry.answered_at - entry.taken_at == pytest.approx(3.0)
    assert entry.answer == "+CMGS: 0"


def test_tp_mr_counts_up_wraps_and_stays_with_the_sim() -> None:
    rig = Rig(modems=2)
    rig.sims[0].last_reference = 253
    assert [rig.send() for _ in range(3)] == [sent(254), sent(255), sent(0)]
    assert rig.say(b"AT+CRSM=176,28483,0,0,2\r") == b'\r\n+CRSM: 144,0,"00FF"\r\n\r\nOK\r\n'
    rig.modem.reboot()
    assert rig.sims[0].last_reference == 0


@pytest.mark.parametrize(
    ("length", "payload"),
    [
        (20, SUBMIT),
        (19, SUBMIT[:-2]),
        (19, SUBMIT + "00"),
        (19, "zz" + SUBMIT[2:]),
        (1, ""),
        (1, "0031"),
        (25, "0791447700090000062A0C91447700091032623041900351406230419003124000"),
    ],
)
def test_a_wrong_length_or_pdu_is_304_and_nothing_is_taken(length: int, payload: str) -> None:
    rig = Rig()
    assert rig.say(f"AT+CMGS={length}\r".encode()) == PROMPT
    assert rig.say(payload.encode() + b"\x1a") == b"\r\n+CMS ERROR: 304\r\n"
    assert len(rig.network.ledger) == 0


def test_escape_at_the_prompt_sends_nothing_and_answers_ok() -> None:
    rig = Rig()
    rig.say(b"AT+CMGS=19\r")
    assert rig.say(SUBMIT.encode() + b"\x1b") == OK
    assert rig.say(b"AT\r") == OK
    assert len(rig.network.ledger) == 0


def test_what_comes_while_a_send_runs_waits_and_is_counted() -> None:
    rig = Rig(faults=Faults(latency={"+CMGS": 2.0}))
    rig.send()
    assert rig.say(b"AT\r", after=1.0) == b""
    assert rig.pass_time(1.0) == sent(0) + OK
    assert rig.modem.intrusions == 1


def test_a_text_stays_on_the_air_until_it_is_let_go_and_nothing_overtakes_its_answer() -> None:
    rig = Rig(network=NetworkFaults(reports=0.5), faults=Faults(latency={"+CMGS": 2.0}, on_air=True))
    rig.say(b"AT+CNMI=2,1,0,1\r")
    assert rig.send(after=100) == b""
    (entry,) = rig.network.ledger
    assert [entry.answered_at, entry.answer] == [None, ""]
    rig.network.inject(rig.number, "Hello")
    assert rig.say(b"AT\r", after=1.0) == b""
    rig.modem.set_faults(on_air=False)
    first, _, others = rig.look().partition(OK)
    assert first + OK == sent(0)
    assert [others.count(word) for word in (OK, b"+CDS: ", b"+CMTI: ")] == [1, 1, 1]
    assert entry.answered_at == rig.clock.monotonic()
    assert rig.send(after=2.0).startswith(sent(1)), "with its latency again"


def test_what_was_on_the_air_is_not_answered_after_a_restart() -> None:
    rig = Rig(faults=Faults(on_air=True, boot_seconds=1.0))
    rig.send()
    rig.modem.reboot()
    rig.pass_time(30)
    rig.modem.set_faults(on_air=False)
    assert b"+CMGS" not in rig.look()


def test_an_unsolicited_line_is_held_back_at_the_prompt() -> None:
    rig = Rig()
    rig.say(b"AT+CNMI=2,1\r")
    rig.say(b"AT+CMGS=19\r")
    rig.network.inject(rig.number, "Hello")
    assert rig.look() == b""
    assert rig.say(SUBMIT.encode() + b"\x1a") == sent(0) + b'\r\n+CMTI: "SM",1\r\n'


FAULTS: list[tuple[dict[str, Any], bytes, bytes, int]] = [
    # the rule, what is said at once, what is said 10 s later, PDUs taken
    ({"code": 38}, b"\r\n+CMS ERROR: 38\r\n", b"", 0),
    ({"code": 0}, b"\r\nERROR\r\n", b"", 0),
    ({"code": 500, "delay": 9.0, "taken": True}, b"", b"\r\n+CMS ERROR: 500\r\n", 1),
    ({"answer": Answer.NONE}, b"", b"", 0),
    ({"answer": Answer.NONE, "taken": True}, b"", b"", 1),
    ({"answer": Answer.OK}, OK, b"", 0),
    ({"answer": Answer.OK, "taken": True}, OK, b"", 1),
    ({"answer": Answer.TWICE}, sent(0) + OK, b"", 1),
    ({"answer": Answer.REFERENCE, "copies": 2}, sent(0), b"", 2),
    ({"answer": Answer.REFERENCE, "delay": 5.0, "late": True}, b"", sent(0), 1),
]


@pytest.mark.parametrize(("rule", "at_once", "later", "taken"), FAULTS)
def test_one_send_goes_wrong_and_the_next_well(rule: dict[str, Any], at_once: bytes, later: bytes, taken: int) -> None:
    rig = Rig(faults=Faults(sends=(SendFault(**rule),)))
    assert rig.send() == at_once
    assert rig.pass_time(10) == later
    assert len(rig.network.ledger) == taken
    assert rig.say(b"AT\r") == OK, "and the modem is alive"
    assert rig.send().endswith(OK)
    assert len(rig.network.ledger) == taken + 1


def test_a_late_result_leaves_the_line_free_meanwhile() -> None:
    rig = Rig(faults=Faults(sends=(SendFault(answer=Answer.REFERENCE, delay=5.0, late=True),)))
    rig.send()
    assert rig.say(b"AT\r", after=1.0) == OK
    assert rig.pass_time(4.0) == sent(0)


def test_no_prompt_and_an_error_instead_of_one() -> None:
    rules = (
        SendFault(stage=Stage.PROMPT, answer=Answer.NONE),
        SendFault(stage=Stage.PROMPT, first=2, code=302),
    )
    rig = Rig(faults=Faults(sends=rules))
    assert rig.say(b"AT+CMGS=19\r", after=10) == b""
    assert rig.say(b"AT+CMGS=19\r") == b"\r\n+CMS ERROR: 302\r\n"
    assert rig.send() == sent(0)


def test_a_modem_reboots_in_mid_send() -> None:
    rig = Rig("simcom", faults=Faults(sends=(SendFault(answer=Answer.NONE, taken=True, then=Then.REBOOT),)))
    assert rig.send(after=2.5) == b"\r\nRDY\r\n\r\n+CFUN: 1\r\n"
    assert len(rig.network.ledger) == 1


def test_a_rule_is_for_one_number_and_counts_its_sends() -> None:
    rig = Rig()
    rig.modem.set_faults(sends=[{"to": "456", "first": 2, "times": 1, "code": 21}])
    other = submit_to("+447700900456")
    assert rig.send(other) == sent(0)
    assert rig.send() == sent(1)
    assert rig.send(other) == b"\r\n+CMS ERROR: 21\r\n"
    assert rig.send(other) == sent(2)


def test_no_credit_no_network_no_centre() -> None:
    rig = Rig()
    rig.sims[0].credit = 1
    assert rig.send() == sent(0)
    assert rig.send() == b"\r\n+CMS ERROR: 21\r\n"
    rig.sims[0].credit = None
    rig.modem.register(2)
    assert rig.send() == b"\r\n+CMS ERROR: 331\r\n"
    rig.modem.register(1)
    rig.say(b'AT+CSCA=""\r')
    assert rig.send() == b"\r\n+CMS ERROR: 330\r\n"
    assert len(rig.network.ledger) == 1


def test_the_whole_network_refuses_or_is_silent() -> None:
    rig = Rig(network=NetworkFaults(refuse=42))
    assert rig.send() == b"\r\n+CMS ERROR: 42\r\n"
    rig.network.set_faults(refuse=None, silence=True)
    assert rig.send(after=300) == b""
    rig.network.set_faults(silence=False)
    assert rig.send() == sent(0)


WAYS = [
    (Faults(prompt="> "), b"AT+CMGS=19\r", b"> "),
    (Faults(prompt="\r\n>"), b"AT+CMGS=19\r", b"\r\n>"),
    (Faults(newline="\n", leading_newline=False), b"AT+CREG?\r", b"+CREG: 0,1\nOK\n"),
    (Faults(newline="\r\r\n"), b"AT\r", b"\r\r\nOK\r\r\n"),
    (Faults(inject=(Injection(text="^RSSI:17", command="prompt", at=4),)), b"AT+CMGS=19\r", b"\r\n> \r\n^RSSI:17\r\n"),
    (Faults(inject=(Injection(text="RING", command="+CSQ", at=3),)), b"AT+CSQ\r",
     b"\r\n+\r\nRING\r\nCSQ: 17,99\r\n\r\nOK\r\n"),
    (Faults(refused=frozenset({"", "+CMEE"})), b"AT\r", b"\r\nERROR\r\n"),
    (Faults(silent=frozenset({"+COPS"})), b"AT+COPS?\r", b""),
    (Faults(deaf=True), b"AT\r", b""),
]  # fmt: skip


@pytest.mark.parametrize(("faults", "asked", "answered"), WAYS)
def test_odd_ways_to_answer(faults: Faults, asked: bytes, answered: bytes) -> None:
    assert Rig(faults=faults).say(asked) == answered


def test_a_slow_line_gives_the_same_bytes_one_at_a_time() -> None:
    rig = Rig(faults=Faults(chunk=1, gap=0.1))
    assert rig.say(b"AT\r") == b"\r"
    assert rig.pass_time(0.1) == b"\n"
    assert rig.pass_time(1.0) == b"OK\r\n"


def test_slow_commands_deafness_and_noise() -> None:
    rig = Rig(faults=Faults(latency={"+CSQ": 2.0, "*": 0.5}))
    assert rig.say(b"AT+CSQ\r", after=1.9) == b""
    assert rig.pass_time(0.2).endswith(OK)
    assert rig.say(b"AT\r", after=0.5) == OK
    rig.modem.set_faults(latency={}, noise=["^RSSI:14"], noise_every=1.0)
    assert rig.pass_time(3.0) == b"\r\n^RSSI:14\r\n" * 3
    rig.modem.set_faults(deaf=True)
    assert rig.say(b"AT\r", after=5) == b""
    rig.modem.set_faults(deaf=False, noise=[])
    assert rig.say(b"AT\r", after=5) == OK
    rig.modem.set_faults(deaf_after=rig.modem.commands_seen + 1)
    assert rig.say(b"AT\r") == OK
    assert rig.say(b"AT\r") == b""


@pytest.mark.parametrize(
    "knobs", [{"no_such": 1}, {"deaf": "yes"}, {"latency": {"+CMGS": [1, 2, 3, 4]}}, {"sends": [{"answer": "maybe"}]}]
)
def test_a_wrong_knob_is_refused_and_changes_nothing(knobs: dict[str, Any]) -> None:
    rig = Rig()
    with pytest.raises(FaultError):
        rig.modem.set_faults(**knobs)
    assert rig.modem.faults == Faults()


def test_knobs_from_a_file(tmp_path: Path) -> None:
    toml, json = tmp_path / "a.toml", tmp_path / "a.json"
    toml.write_text(
        'chunk = 1\nlatency = { "+CMGS" = [3.0, 0.4, 60.0] }\n[[sends]]\ncode = 21\n[network]\nrefuse = 42\n'
    )
    json.write_text(
        '{"chunk": 1, "latency": {"+CMGS": [3, 0.4, 60]}, "sends": [{"code": 21}], "network": {"refuse": 42}}'
    )
    expected = (
        Faults(chunk=1, latency={"+CMGS": (3.0, 0.4, 60.0)}, sends=(SendFault(code=21),)),
        NetworkFaults(refuse=42, reports=7.0),
    )
    assert load(toml, reports=7.0) == load(json, reports=7.0) == expected
    toml.write_text("chunks = 1")
    with pytest.raises(FaultError, match="chunks"):
        load(toml, reports=None)
    with pytest.raises(FaultError, match="No such file"):
        load(tmp_path / "nothing.json", reports=None)


def test_the_ledger_file_holds_what_was_taken_even_if_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    rig = Rig()
    rig.network.ledger = Ledger(path)
    rig.send()
    rig.send(submit_to("+447700900456"))
    with path.open("ab") as file:
        file.write(b'{"order": 3, "sen')
    read = Ledger.read(path)
    assert [(entry.order, entry.destination, entry.text) for entry in read] == [
        (1, "+447700900123", "Hello"),
        (2, "+447700900456", "Hello"),
    ]
    assert [entry.pdu for entry in read] == [entry.pdu for entry in rig.network.ledger]
    rig.network.ledger.close()
