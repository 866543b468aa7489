"""Inbound, by the fault scenarios I01-I32, as far as they concern the driver."""

from __future__ import annotations

import asyncio

import pytest

from drivers.contract import Encoding, Incoming, IncomingKind, LinkChange, LinkState, Ports, Reference
from drivers.simulator.pdus import PDUS
from drivers.simulator.sim import Record
from tests.drivers.support import Scene, play

CHUNKS = pytest.mark.parametrize("chunk", [0, 1], ids=["whole", "bytewise"])
REPLY = "Reply YES"


@CHUNKS
def test_i01_deleted_only_when_the_bridge_has_it(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        scene.sink.hold = 2.0
        await asyncio.sleep(1.5)
        assert b"AT+CMGR=3" in scene.stage.written
        assert b"AT+CMGD" not in scene.stage.written
        await scene.finished()
        (text,) = scene.sink.of(Incoming)
        assert (text.text, text.sender, text.slot, text.sim) == (REPLY, "+447700900123", "ME:3", "89441000000000000000")
        assert text.session

    play("inbound/I01", host, chunk=chunk)


def test_i01b_what_the_bridge_cannot_store_stays_in_the_modem_and_is_offered_again() -> None:
    async def host(scene: Scene) -> None:
        scene.sink.refuse = 2
        await scene.finished()
        assert [text.text for text in scene.sink.of(Incoming)] == [REPLY]

    play("inbound/I01B", host)


@CHUNKS
@pytest.mark.parametrize("name", ["I02", "I03", "I04", "I06", "I27"])
def test_the_text_is_found_once(name: str, chunk: int) -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert [text.text for text in scene.sink.of(Incoming)] == [REPLY]

    play(f"inbound/{name}", host, chunk=chunk)


@CHUNKS
def test_i05_every_form_of_empty_is_empty(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert scene.sink.of(Incoming) == []
        assert not any("CMGD" in line for line in scene.stage.extra)

    play("inbound/I05", host, chunk=chunk)


def test_i06_the_poll_finds_it_within_one_interval() -> None:
    async def host(scene: Scene) -> None:
        before = asyncio.get_running_loop().time()
        await scene.sink.wait(Incoming)
        assert asyncio.get_running_loop().time() - before <= 15

    play("inbound/I06", host, poll=15.0)


@CHUNKS
def test_i07_a_full_storage_is_drained_and_told(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert [text.slot for text in scene.sink.of(Incoming)] == ["ME:0", "ME:1"]
        await scene.sink.link(LinkState.UP, "storage_full")
        assert b"CMGR=-1" not in scene.stage.written

    play("inbound/I07", host, chunk=chunk)


def test_i33_a_storage_is_told_as_full_again_only_after_there_was_room() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        codes = [change.code for change in scene.sink.of(LinkChange) if change.state is LinkState.UP]
        assert codes == ["", "storage_full", "", "storage_full"]
        assert (await scene.driver.health()).storage_used == 20

    play("inbound/I33", host)


def test_a_storage_that_fills_without_a_word_is_noticed_by_its_count() -> None:
    async def host(scene: Scene) -> None:
        understudy = scene.stage.player._understudy
        assert understudy is not None
        records = understudy.modem.storage(understudy.modem.settings.storages[2])
        for _ in range(records.size):  # stored drafts, which are not ours to delete
            records.add(Record(stat=2, pdu=bytes.fromhex(PDUS["S1"]), since=0.0))
        await scene.sink.link(LinkState.UP, "storage_full")
        records.slots.clear()
        await scene.sink.link(LinkState.UP, "", after=len(scene.sink.events))

    play("sending/S00", host)


def test_i08_a_text_that_cannot_be_deleted_is_handed_over_once() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert [text.text for text in scene.sink.of(Incoming)] == [REPLY]

    play("inbound/I08", host)


def test_i09_parts_carry_their_number() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        texts = scene.sink.of(Incoming)
        assert [text.reference for text in texts] == [
            Reference(value=0x2A, wide=False, total=3, number=number) for number in (3, 1, 2)
        ]
        assert "".join(text.text or "" for text in texts[1:] + texts[:1]) == "part one part two part three"

    play("inbound/I09", host)


def test_i10_a_wide_reference_keeps_the_first_letter() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        second, first = scene.sink.of(Incoming)
        assert first.reference == Reference(value=0x1234, wide=True, total=2, number=1)
        assert f"{first.text}{second.text}" == "part one part two"

    play("inbound/I10", host)


def test_i11_equal_parts_in_one_listing_are_twins() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        texts = scene.sink.of(Incoming)
        assert [(text.slot, text.twins) for text in texts] == [
            ("ME:1", ("ME:2",)),
            ("ME:2", ("ME:1",)),
            ("ME:3", ()),
            ("ME:4", ()),
        ]
        assert texts[0].fingerprint == texts[1].fingerprint

    play("inbound/I11", host)


def test_i12_a_slot_can_hold_the_same_again_later() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert [text.reference.number for text in scene.sink.of(Incoming) if text.reference] == [1, 2, 3, 1]

    play("inbound/I12", host)


def test_i13_names_as_senders() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert [(text.sender, text.sender_type) for text in scene.sink.of(Incoming)] == [
            ("MyBank", 0xD0),
            ("ExampleCorp", 0xD0),
        ]

    play("inbound/I13", host)


def test_i14_no_sender_and_no_time_are_no_obstacle() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        nobody, timeless = scene.sink.of(Incoming)
        assert nobody.sender == ""
        assert timeless.sent_at is None
        assert {nobody.kind, timeless.kind} == {IncomingKind.TEXT}

    play("inbound/I14", host)


def test_i15_numbers_stay_as_they_came() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert [(text.sender, text.sender_type) for text in scene.sink.of(Incoming)] == [
            ("+447700900123", 0x91),
            ("07700900123", 0x81),
        ]

    play("inbound/I15", host)


@pytest.mark.parametrize(("name", "text"), [("I16", "Да 👍"), ("I17", "dağ ok")])
def test_texts_beyond_the_default_alphabet(name: str, text: str) -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert [event.text for event in scene.sink.of(Incoming)] == [text]

    play(f"inbound/{name}", host)


def test_i18_service_messages_are_no_texts() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert [event.kind for event in scene.sink.of(Incoming)] == [
            IncomingKind.SILENT,
            IncomingKind.MWI,
            IncomingKind.SIM_DATA,
        ]

    play("inbound/I18", host)


def test_i19_a_wap_push_keeps_its_octets() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        (push,) = scene.sink.of(Incoming)
        assert push.kind is IncomingKind.WAP_PUSH
        assert push.data == bytes.fromhex("010603BEAF848C8298616263008D90")

    play("inbound/I19", host)


def test_i20_a_port_and_its_octets() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        (event,) = scene.sink.of(Incoming)
        assert event.kind is IncomingKind.BINARY
        assert event.ports == Ports(destination=2948, source=0)
        assert event.data == bytes.fromhex("01060403")

    play("inbound/I20", host)


@CHUNKS
def test_i21_a_flash_text_comes_directly_and_is_acknowledged(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        (flash,) = scene.sink.of(Incoming)
        assert (flash.text, flash.message_class, flash.slot) == ("FLASH", 0, None)

    play("inbound/I21", host, chunk=chunk, from_start=True)


def test_i22_the_same_text_directly_and_stored_has_one_fingerprint() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        direct, stored = scene.sink.of(Incoming)
        assert (direct.slot, stored.slot) == (None, "ME:6")
        assert direct.fingerprint == stored.fingerprint

    play("inbound/I22", host)


def test_i23_no_acknowledgement_before_it_is_stored() -> None:
    async def host(scene: Scene) -> None:
        await scene.sink.link(LinkState.UP)
        scene.sink.hold = 20.0
        await asyncio.sleep(15)
        assert b"AT+CNMA" not in scene.stage.written
        await scene.sink.wait(Incoming)
        scene.sink.hold = 0.0
        await scene.finished()
        one, other = scene.sink.of(Incoming)
        assert one.fingerprint == other.fingerprint

    play("inbound/I23", host, from_start=True)


@CHUNKS
def test_i24_a_notification_in_the_list_is_followed(chunk: int) -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert [event.slot for event in scene.sink.of(Incoming)] == ["ME:1", "ME:2", "ME:5"]

    play("inbound/I24", host, chunk=chunk)


def test_i25_a_list_that_never_ends_is_given_up_after_silence() -> None:
    async def host(scene: Scene) -> None:
        await scene.sink.wait(Incoming)
        assert b"AT+CMGD" not in scene.stage.written
        await scene.finished()
        assert [event.slot for event in scene.sink.of(Incoming)] == ["ME:1", "ME:2"]
        assert (await scene.driver.health()).leniencies["list_never_ended"] == 1

    play("inbound/I25", host)


def test_i26_a_slow_list_is_waited_for() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert len(scene.sink.of(Incoming)) == 40
        assert "list_never_ended" not in (await scene.driver.health()).leniencies

    play("inbound/I26", host)


def test_i28_odd_answers_about_storages() -> None:
    async def host(scene: Scene) -> None:
        await scene.sink.link(LinkState.UP)
        health = await scene.driver.health()
        assert (health.storage_used, health.storage_size) == (0, 99)

    play("inbound/I28", host, from_start=True)


def test_i29_a_sim_without_room_takes_texts_directly_and_says_so() -> None:
    async def host(scene: Scene) -> None:
        change = await scene.sink.link(LinkState.UP)
        assert change.code == "no_storage"

    play("inbound/I29", host, from_start=True)


def test_i30_a_stored_submit_is_left_alone() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert scene.sink.of(Incoming) == []
        assert not any("CMGD" in line for line in scene.stage.extra)

    play("inbound/I30", host)


def test_i31_an_empty_text_is_a_text_and_octets_are_kept() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        empty, octets = scene.sink.of(Incoming)
        assert (empty.text, empty.kind) == ("", IncomingKind.TEXT)
        assert (octets.data, octets.text, octets.encoding) == (
            bytes.fromhex("4772FCDF65"),
            "Grüße",
            Encoding.BINARY,
        )

    play("inbound/I31", host)


def test_i32_the_same_slot_twice_is_two_events() -> None:
    async def host(scene: Scene) -> None:
        await scene.finished()
        assert [(event.replace_type, event.slot) for event in scene.sink.of(Incoming)] == [(1, "ME:1"), (1, "ME:1")]

    play("inbound/I32", host)
