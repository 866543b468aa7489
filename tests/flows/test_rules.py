"""Opt-outs, keyword rules, programs, and no loop of two machines that answer each other."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.app import running
from bridge.clock import rfc3339, wall
from bridge.config import InboundRule, InboundSettings, Modem, Service, Settings
from bridge.telemetry import Occurrence
from drivers.simulator import Simulation
from tests.flows.gateway import Gateway, gateway

PATIENCE = 20.0  # seconds; never waited for when things go well
CAROL = "+447700900777"
DAVE = "+447700900778"


def configured(*rules: InboundRule, sending: dict[str, Any] | None = None, **inbound: Any) -> Any:
    def apply(settings: Settings) -> Settings:
        changed = {"sending": msgspec.structs.replace(settings.sending, **sending)} if sending else {}
        return msgspec.structs.replace(
            settings, inbound=InboundSettings(**inbound), inbound_rules=tuple(rules), **changed
        )

    return apply


async def hear(gate: Gateway, text: str, sender: str = CAROL) -> None:
    gate.sim.network.inject(gate.sim.modems[0].number, text, sender=sender)
    await gate.event("received")


async def order(gate: Gateway, **fields: Any) -> tuple[int, str]:
    answer = await gate.http.post("/v1/messages", json={"to": CAROL, "text": "Sale!", **fields})
    return answer.status_code, str(answer.json().get("code"))


def test_stop_ends_texts_and_is_answered_once_and_start_undoes_it(tmp_path: Path) -> None:
    async def flow() -> None:
        settings = configured(opt_out_words=("STOP", "ARRÊT"), opt_out_answer="Goodbye.", opt_in_answer="Welcome.")
        async with gateway(tmp_path, settings=settings) as gate:
            await hear(gate, "stop by tomorrow")
            assert (await order(gate))[0] == 202
            await hear(gate, " Arrêt. ")
            await hear(gate, "STOP")
            assert await order(gate) == (422, "opted_out")
            assert (await order(gate, category="transactional"))[0] == 202
            assert (await order(gate, category="otp"))[0] == 202
            many = await gate.http.post("/v1/batches", json={"to": [DAVE, CAROL], "text": "Sale!"})
            assert (many.status_code, many.json()["errors"][0]["at"]) == (422, "to[1]")
            (listed,) = (await gate.http.get("/v1/opt-outs")).json()["items"]
            assert (listed["number"], listed["word"], listed["channel"]) == (CAROL, "ARRÊT", "modem0")
            await hear(gate, "start")
            assert (await order(gate))[0] == 202
            last = await gate.send(DAVE, "the end")
            await gate.status(last, "sent", "delivered")
            said = gate.texts()
            assert said.count("Goodbye.") == 1
            assert said.count("Welcome.") == 1

    asyncio.run(flow())


def test_who_opts_out_gets_nothing_that_was_ordered_before(tmp_path: Path) -> None:
    async def flow() -> None:
        ahead = {"ahead": 0}
        async with gateway(tmp_path, now_ahead=ahead, settings=configured(opt_out_answer="")) as gate:
            tomorrow = rfc3339(wall() + 86_400_000)
            later = await gate.send(CAROL, "Sale!", send_at=tomorrow)
            sure = await gate.send(CAROL, "Your code", send_at=tomorrow, category="transactional")
            await hear(gate, "STOP")
            ahead["ahead"] = 86_500_000
            await gate.send(DAVE, "wakes the dispatcher")
            assert (await gate.status(later, "failed"))["code"] == "opted_out"
            await gate.status(sure, "sent", "delivered")
            assert "Sale!" not in gate.texts()

    asyncio.run(flow())


def test_the_list_is_kept_and_changed_by_hand(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            made = await gate.http.post("/v1/opt-outs", json={"number": "07700 900777", "sender": "Shop"})
            assert made.status_code == 201
            assert made.json()["number"] == CAROL
            again = await gate.http.post("/v1/opt-outs", json={"number": CAROL, "sender": "Shop"})
            assert again.json()["id"] == made.json()["id"]
            assert await order(gate, sender="Shop") == (422, "opted_out")
            assert (await order(gate, sender="Bank"))[0] == 202
            gone = await gate.http.post(f"/v1/opt-outs/{made.json()['id']}/remove")
            assert gone.status_code == 200
            assert (await order(gate, sender="Shop"))[0] == 202
            missing = await gate.http.post(f"/v1/opt-outs/{made.json()['id']}/remove")
            assert (missing.status_code, missing.json()["code"]) == (404, "opt_out_not_found")
            wrong = await gate.http.post("/v1/opt-outs", json={"number": "x", "channel": "modem9"})
            assert [e["at"] for e in wrong.json()["errors"]] == ["number", "channel"]

    asyncio.run(flow())


def test_denied_numbers_are_refused_with_the_setting_that_does_it(tmp_path: Path) -> None:
    async def flow() -> None:
        settings = configured(sending={"allow_to": ("+4477",), "deny_to": (DAVE,)})
        async with gateway(tmp_path, settings=settings) as gate:
            assert (await order(gate))[0] == 202
            assert await order(gate, to=DAVE) == (422, "number_denied")
            assert await order(gate, to="+48600700800", category="transactional") == (422, "number_denied")

    asyncio.run(flow())


def test_a_keyword_is_answered_within_the_cap_and_never_to_services(tmp_path: Path) -> None:
    async def flow() -> None:
        info = InboundRule(name="info", keywords=("INFO",), reply="Open 8 to 16.", daily_cap=2)
        async with gateway(tmp_path, settings=configured(info, own_numbers=(DAVE,))) as gate:
            for sender in (CAROL, CAROL, CAROL, "MyBank", "65000", DAVE):
                await hear(gate, "Info, please", sender)
            await hear(gate, "informative")
            last = await gate.send(CAROL, "the end")
            await gate.status(last, "sent", "delivered")
            assert [e.text for e in gate.sim.network.ledger] == ["Open 8 to 16.", "Open 8 to 16.", "the end"]

    asyncio.run(flow())


PROGRAM = """
import json, sys
with open(sys.argv[1], "a") as file:
    file.write(json.dumps(json.load(sys.stdin)) + chr(10))
sys.exit(int(sys.argv[2]))
"""


def ordering(file: Path, status: int = 0, **options: Any) -> InboundRule:
    program = (sys.executable, "-c", PROGRAM, str(file), str(status))
    return InboundRule(name="door", keywords=("OPEN",), senders=(CAROL,), program=program, **options)


def test_a_program_gets_the_message_on_standard_input_for_listed_senders_only(tmp_path: Path) -> None:
    async def flow() -> None:
        file = tmp_path / "ran"
        async with gateway(tmp_path, settings=configured(ordering(file), allow_programs=True)) as gate:
            await hear(gate, "open; rm -rf /", DAVE)
            await hear(gate, "open $(reboot)")
            ended = await gate.event("program_ended")
            assert (ended.fields["outcome"], ended.fields["again"]) == ("exit 0", False)
            (message,) = [json.loads(line) for line in file.read_text().splitlines()]
            assert (message["text"], message["sender"], message["rule"]) == ("open $(reboot)", CAROL, "door")
            assert message["inbound"] == (await gate.inbound())[0]["id"]

    asyncio.run(flow())


def test_a_program_that_asks_for_it_is_run_again_after_a_restart_too(tmp_path: Path) -> None:
    async def flow() -> None:
        file, ahead = tmp_path / "ran", {"ahead": 0}
        settings = configured(ordering(file, 75), allow_programs=True)
        async with gateway(tmp_path, settings=settings, now_ahead=ahead) as gate:
            await hear(gate, "open")
            ended = await gate.event("program_ended")
            assert (ended.fields["outcome"], ended.fields["again"]) == ("exit 75", True)
        ahead["ahead"] = 61_000
        settings = configured(ordering(file), allow_programs=True)
        async with gateway(tmp_path, settings=settings, now_ahead=ahead) as gate:
            while len(file.read_text().splitlines()) < 2:
                await gate.event("program_ended")

    asyncio.run(flow())


def test_a_program_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    async def flow() -> None:
        hang = InboundRule(
            name="hang", senders=(CAROL,), program=("/bin/sh", "-c", "sleep 1000 & sleep 1000"), program_timeout=0.3
        )
        async with gateway(tmp_path, settings=configured(hang, allow_programs=True)) as gate:
            await hear(gate, "anything")
            ended = await gate.event("program_ended")
            assert ended.fields["outcome"] == "killed after 0.3 s"

    asyncio.run(flow())


def test_a_one_time_code_starts_a_program_once(tmp_path: Path) -> None:
    async def flow() -> None:
        file = tmp_path / "ran"
        settings = configured(ordering(file, needs_token=True), allow_programs=True)
        async with gateway(tmp_path, settings=settings) as gate:
            code = await gate.send(CAROL, "To open the door reply OPEN X7", reply_token="X7")
            await gate.status(code, "sent", "delivered")
            await hear(gate, "OPEN")
            await hear(gate, "OPEN X7")
            await gate.event("program_ended")
            await hear(gate, "OPEN X7")
            await hear(gate, "the end")
            runs = await gate.app.store.read(lambda v: [len(v.program_runs_of(i.id)) for i in v.inbounds()])
            assert runs == [0, 0, 1, 0]

    asyncio.run(flow())


async def until(events: asyncio.Queue[Occurrence], name: str, times: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while times:
            times -= (await events.get()).name == name


@pytest.mark.parametrize("cap", [1, 4])
def test_two_bridges_that_answer_each_other_come_to_an_end(tmp_path: Path, cap: int) -> None:
    echo = InboundRule(name="echo", reply="I am not here.", daily_cap=100)

    def settings(name: str, port: str) -> Settings:
        state = tmp_path / name
        return Settings(
            service=Service(state_dir=state, listen="127.0.0.1:0", region="GB", socket=state / "s.sock"),
            modems=(Modem(id="gsm", port=port, poll=0.5),),
            inbound=InboundSettings(answers_per_day=cap),
            inbound_rules=(echo,),
        )

    async def flow() -> None:
        async with (
            Simulation(modems=2) as sim,
            running(settings("one", sim.modems[0].port)) as one,
            running(settings("two", sim.modems[1].port)) as two,
        ):
            with one.telemetry.listen() as heard_by_one, two.telemetry.listen() as heard_by_two:
                sim.network.inject(sim.modems[1].number, "ping", sender=sim.modems[0].number)
                await until(heard_by_two, "received", cap + 1)
                await until(heard_by_one, "received", cap)
                sim.network.inject(sim.modems[0].number, "the end", sender=DAVE)
                await until(heard_by_one, "received", 1)
                await until(heard_by_one, "sent", 1)  # to Dave, behind whatever else would have gone
            said = [str(e.text) for e in sim.network.ledger]
            assert said == ["I am not here."] * (2 * cap + 1)

    asyncio.run(flow())
