"""The flight recorder: bounded, masked, rarely written, and there when something has gone wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from drivers.modems import flight_recorder
from drivers.modems.flight_recorder import FlightRecorder, kept_of, recording_of
from drivers.simulator.pdus import PDUS


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_790_000_000.0 + self.now


def recorder(folder: Path, clock: Clock, *, every: float = 3600.0) -> FlightRecorder:
    return FlightRecorder(folder, "gsm1", seconds=600, monotonic=clock.monotonic, wall=clock.wall, every=every)


def files_in(folder: Path) -> int:
    return len(list(folder.iterdir()))


async def written(recording: FlightRecorder) -> None:
    """What is not yet written is written when the recorder ends."""
    task = asyncio.create_task(recording.run())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_what_was_said_stands_there_line_by_line_and_masked(tmp_path: Path) -> None:
    async def main() -> None:
        made = recorder(tmp_path / "recordings", Clock())
        made.trace(">", b"AT+CMGS=19\r")
        made.trace("<", b"\r\n")
        made.trace("<", b"> ")
        made.trace(">", PDUS["S1"].encode() + b"\x1a")
        made.trace("<", b"\r\n+CMGS: 4")
        made.trace("<", b"2\r\n\r\nOK\r\n")
        await written(made)

    asyncio.run(main())
    lines = [line.split(" ", 1)[1] for line in recording_of(tmp_path / "recordings", "gsm1").splitlines()]
    assert lines[0] == "> AT+CMGS=19"
    assert lines[2].endswith("<Ctrl-Z>")
    assert PDUS["S1"][:-10] not in lines[2]
    assert lines[3:] == ["< +CMGS: 42", "< OK"]
    for path in (tmp_path / "recordings").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_while_nothing_goes_wrong_and_at_once_when_something_does(tmp_path: Path) -> None:
    async def main() -> None:
        made = recorder(tmp_path, Clock())
        task = asyncio.create_task(made.run())
        made.trace(">", b"AT\r")
        await asyncio.sleep(0.05)
        assert files_in(tmp_path) == 0
        made.keep("doubt")
        async with asyncio.timeout(60):
            while True:  # the disk tells nobody
                if kept_of(tmp_path, "gsm1"):
                    break
                await asyncio.sleep(0.005)
        made.keep("doubt")  # the same trouble goes on
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    (kept,) = kept_of(tmp_path, "gsm1")
    assert kept.name.endswith(".doubt")
    assert "> AT" in kept.read_text()


def test_the_ring_stays_within_its_bounds(tmp_path: Path) -> None:
    clock = Clock()

    async def main() -> None:
        made = recorder(tmp_path, clock)
        for _ in range(40):
            for _ in range(2000):
                made.trace("<", b"\r\n^RSSI: 14\r\n")
            clock.now += 60
            await written(made)

    asyncio.run(main())
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    # One write may go beyond the limit by what was in memory, each line with its time before it.
    assert max(sizes) < flight_recorder.FILE + 10 * flight_recorder.MEMORY


def test_old_words_make_room_for_new_ones_in_memory(tmp_path: Path) -> None:
    async def main() -> None:
        made = recorder(tmp_path, Clock())
        for number in range(100_000):
            made.trace("<", b"\r\n+CMGS: %d\r\n" % number)
        assert made._size <= flight_recorder.MEMORY
        await written(made)

    asyncio.run(main())
    assert "+CMGS: 99999" in recording_of(tmp_path, "gsm1")


def test_at_most_twenty_recordings_are_kept(tmp_path: Path) -> None:
    clock = Clock()

    async def main() -> None:
        made = recorder(tmp_path, clock)
        for _ in range(30):
            made.trace(">", b"AT\r")
            made.keep("doubt")
            await written(made)
            clock.now += 60

    asyncio.run(main())
    assert len(kept_of(tmp_path, "gsm1")) == flight_recorder.KEPT


def test_a_disk_that_refuses_costs_the_recording_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        made = recorder(Path("/proc/self/recordings"), Clock())
        for _ in range(3):
            made.trace(">", b"AT\r")
            await written(made)

    asyncio.run(main())
    assert sum("recording_failed" in record.message for record in caplog.records) == 1


def test_a_ussd_text_in_pieces_and_lines_is_masked_whole(tmp_path: Path) -> None:
    async def main() -> None:
        made = recorder(tmp_path, Clock())
        made.trace(">", b'AT+CUSD=1,"*105*4711#",15\r')
        for piece in (b'\r\n+CUSD: 1,"Anna\r\n', b"Smith\r\n", b'1 Pay",15\r\n', b"\r\nOK\r\n"):
            made.trace("<", piece)
        await written(made)

    asyncio.run(main())
    kept = recording_of(tmp_path, "gsm1")
    assert not any(word in kept for word in ("4711", "Anna", "Smith", "Pay"))
    assert kept.count("\n") == 5
    assert kept.endswith("< OK\n")


def test_a_ussd_text_with_a_command_of_ours_in_its_midst_is_masked_too(tmp_path: Path) -> None:
    async def main() -> None:
        made = recorder(tmp_path, Clock())
        made.trace("<", b'\r\n+CUSD: 1,"Anna\r\n')
        made.trace(">", b"AT+CSQ\r")
        made.trace("<", b'Smith",15\r\n')
        made.trace("<", b"\r\n+CSQ: 17,99\r\n\r\nOK\r\n")
        made.trace("<", b'\r\n+CUSD: 1,"Never ends\r\n')
        made.trace(">", b"AT\r")
        made.trace("<", b"\r\nOK\r\n")
        made.trace(">", b"AT+CREG?\r")
        await written(made)

    asyncio.run(main())
    kept = [line.split(" ", 1)[1] for line in recording_of(tmp_path, "gsm1").splitlines()]
    assert not any(word in " ".join(kept) for word in ("Anna", "Smith", "Never"))
    assert kept[:5] == ["> AT+CSQ", '< +CUSD: 1,"xxxx', '< xxxxx",15', "< +CSQ: 17,99", "< OK"]
    assert kept[-1] == "> AT+CREG?"
