"""The disk fills while texts go out and come in: nothing is armed that could not be settled, nothing is lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from bridge.store import StoreError
from bridge.store.space import BALLAST, held, room_of
from tests.flows.gateway import PATIENCE, Gateway, gateway

ALICE, BOB, CAROL = "+447700900999", "+447700900888", "+447700900777"
ROOT = Path(__file__).parents[2]
MB = 1_000_000


class Filler:
    """Somebody else's file on a real disk."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "somebody-elses.log"

    def fill(self, left: int = 0) -> None:
        """Until no more than `left` octets are free."""
        with self.path.open("ab", buffering=0) as file, suppress(OSError):
            while room_of(self.path.parent)[0] > left:
                file.write(bytes(4096))

    def remove(self) -> None:
        self.path.unlink()


async def refused(gate: Gateway) -> None:
    """Orders are, with the remedy, and the probe says so."""
    async with asyncio.timeout(PATIENCE):
        while (ready := await gate.http.get("/readyz")).status_code == 200:
            gate.seen.append(await gate._events.get())
    assert ready.status_code == 503
    assert "delete or move files" in ready.json()["detail"]
    answer = await gate.http.post("/v1/messages", json={"to": BOB, "text": "no room"})
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full"), answer.text
    assert "there is room" in answer.json()["detail"]
    assert answer.json()["retryable"]
    wish = {"rule": "every day at 08:00", "to": [BOB], "message": {"text": "no room"}}
    answer = await gate.http.post("/v1/schedules", json=wish)
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full"), answer.text
    assert (await gate.http.get("/v1/schedules")).json()["items"] == []


def test_a_disk_that_fills_stops_orders_and_arming_and_goes_on_by_itself(tmp_path: Path) -> None:
    """The figures are the file system's, told by us: this one runs everywhere."""
    ballast = tmp_path / "state" / BALLAST
    room = {"free": 1_000 * MB}

    async def flow() -> None:
        async with gateway(tmp_path, room=lambda _: (room["free"] - held(ballast), 1_024 * MB)) as gate:
            room["free"] = 80 * MB
            await gate.event("disk_room", state="low")
            assert "make room" in (await gate.http.get("/readyz")).json()["detail"]
            with gate.on_air("modem0"):
                first = await gate.send(ALICE, "on the air")
                second = await gate.send(ALICE, "waits")
                await gate.event("armed", message=first)
                room["free"] = 20 * MB
                await gate.event("disk_room", state="critical")
                assert held(ballast) == 0
                await refused(gate)
                metrics = (await gate.http.get("/metrics")).text
                assert 'gsmbridge_disk_level{level="critical"} 1.0' in metrics
            await gate.status(first, "sent", "delivered")
            gate.sim.network.inject(gate.sim.modems[0].number, "still comes in", sender=CAROL)
            await gate.event("received")
            assert (await gate.message(second))["status"] == "queued"
            assert gate.texts() == ["on the air"]
            assert gate.app.channels["modem0"].out_since is None  # nothing is taken from it
            room["free"] = 1_000 * MB
            await gate.event("disk_room", state="ample")
            assert held(ballast) > 0
            await gate.status(second, "delivered")
            await gate.status(await gate.send(BOB, "after"), "delivered")
            assert (await gate.http.get("/readyz")).json()["detail"] == ""

    asyncio.run(flow())


def filled(directory: Path) -> None:
    """On a real disk without a free octet. In a name space of its own, see below."""
    filler = Filler(directory)
    ballast = directory / "state" / BALLAST

    async def flow() -> None:
        async with gateway(directory) as gate:
            with gate.on_air("modem0"):
                first = await gate.send(ALICE, "on the air")
                second = await gate.send(ALICE, "waits")
                await gate.event("armed", message=first)
                filler.fill()
                await gate.event("disk_room", state="critical")
                await refused(gate)
            await gate.status(first, "sent", "delivered")
            assert held(ballast) == 0
            filler.fill()  # also what the ballast gave
            for n in range(3):
                gate.sim.network.inject(gate.sim.modems[0].number, f"inbound {n}", sender=CAROL)
            assert (await gate.message(second))["status"] == "queued"
            filler.remove()
            await gate.event("disk_room", state="ample")
            assert held(ballast) > 0
            await gate.status(second, "delivered")
            await gate.status(await gate.send(BOB, "after"), "delivered")
            async with asyncio.timeout(PATIENCE):
                while len(await gate.inbound()) < 3:
                    gate.seen.append(await gate._events.get())
            assert sorted(i["text"] for i in await gate.inbound()) == [f"inbound {n}" for n in range(3)]
            assert gate.texts() == ["on the air", "waits", "after"]

    asyncio.run(flow())


def started(directory: Path) -> None:
    """A start on a full disk finds room in the ballast for what it must write."""
    filler = Filler(directory)

    async def flow() -> None:
        async with gateway(directory) as gate:
            await gate.status(await gate.send(ALICE, "before"), "delivered")
        assert held(directory / "state" / BALLAST) > 0
        filler.fill()
        async with gateway(directory, up=0) as gate:
            await refused(gate)
            assert held(directory / "state" / BALLAST) == 0
            filler.remove()
            await gate.event("disk_room", state="ample")
            await gate.status(await gate.send(ALICE, "after"), "sent", "delivered")

    asyncio.run(flow())


def read_only(directory: Path) -> None:
    """A file system that went read-only: nothing starts, and it says why."""

    async def flow() -> None:
        async with gateway(directory) as gate:
            await gate.status(await gate.send(ALICE, "before"), "delivered")
        mount = await asyncio.create_subprocess_exec("mount", "-o", "remount,ro", str(directory))
        assert await mount.wait() == 0
        with pytest.raises(StoreError, match=r"Read-only.*dmesg says why"):
            async with gateway(directory):
                pass

    asyncio.run(flow())


@pytest.mark.slow
@pytest.mark.parametrize("story", ["filled", "started", "read_only"])
@pytest.mark.parametrize("system", ["tmpfs", "ext4"])
def test_a_real_full_disk(tmp_path: Path, story: str, system: str) -> None:
    disk, image = tmp_path / "disk", tmp_path / "image"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=24m,mode=700 tmpfs {disk}"
    space = ["unshare", "-Urm"]
    if system == "ext4":  # its own accounts of what is free; needs the real root
        mount = f"truncate -s 40m {image} && mkfs.ext4 -q -m 0 {image} && mount -o loop {image} {disk}"
        space = ["unshare", "-m"]
    if (tried := subprocess.run([*space, "sh", "-c", mount], capture_output=True, check=False)).returncode:
        pytest.skip(f"this machine does not let us mount a small disk: {tried.stderr.decode()}")
    code = f"from pathlib import Path; from tests.flows.test_disk import {story}; {story}(Path({str(disk)!r}))"
    done = subprocess.run(
        [*space, "sh", "-c", f'{mount} && exec "$0" -c "$1"', sys.executable, code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-6000:]
