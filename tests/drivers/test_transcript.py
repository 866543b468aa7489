"""What was heard can be written down and played again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivers.modems.masking import mask
from drivers.modems.transcript import transcript
from drivers.simulator.pdus import PDUS
from drivers.simulator.scenario import Mark, Scenario


def written(*heard: tuple[float, str, bytes]) -> Scenario:
    return Scenario.parse(transcript(heard, name="X1", title="Recorded", profile="generic", must="get through."))


def test_a_send_reads_as_people_write_it() -> None:
    found = written(
        (0.0, ">", b"AT+CMGS=19\r"),
        (0.1, "<", b"\r\n> "),
        (0.12, ">", PDUS["S1"].encode() + b"\x1a"),
        (3.5, "<", b"\r\n+CMGS: 4"),
        (3.6, "<", b"2\r\n\r\nOK\r\n"),
    )
    marks = [step.mark for step in found.steps]
    assert marks == [
        Mark.HOST_LINE, Mark.MODEM_PROMPT, Mark.HOST_PDU, Mark.TIME, Mark.MODEM_LINE, Mark.MODEM_LINE
    ]  # fmt: skip
    assert found.steps[4].text == "+CMGS: 42"
    assert PDUS["S1"] not in found.render()


@given(st.lists(st.tuples(st.sampled_from("<>"), st.binary(min_size=1, max_size=60)), min_size=1, max_size=8))
def test_what_is_played_is_what_was_heard_masked(said: list[tuple[str, bytes]]) -> None:
    heard = [(index * 0.01, side, data) for index, (side, data) in enumerate(said)]
    found = written(*heard)
    for side in "<>":
        joined: list[bytes] = []
        last = ""
        for _, direction, data in heard:
            if direction == side and last == side:
                joined[-1] += data
            elif direction == side:
                joined.append(data)
            last = direction
        played = b"".join(step.data for step in found.steps if (step.by_host if side == ">" else step.by_modem))
        assert played == b"".join(mask(piece) for piece in joined)
