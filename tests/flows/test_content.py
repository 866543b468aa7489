"""Every kind of content, from the PDU that the network brings to the JSON that the API shows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.config import InboundSettings, Settings
from drivers.contract import Encoding, Part
from drivers.gsm import segments, udh, wap
from drivers.gsm.pdu import encode_deliver
from drivers.simulator.pdus import PDUS
from drivers.simulator.sim import Record
from tests.flows.gateway import Gateway, gateway

CAROL = "+447700900777"
STAMP = bytes.fromhex("62304190035140")
HOUR = 3_600_000


async def came(gate: Gateway, *pdus: str) -> dict[str, Any]:
    for pdu in pdus:
        gate.sim.network.inject_pdu(gate.sim.modems[0].number, pdu)
    await gate.event("received")
    return (await gate.inbound())[0]


def deliver(part: Part, **options: Any) -> str:
    return encode_deliver(sender=CAROL, sent_at=STAMP, part=part, **options).pdu


def binary(data: bytes, header: bytes = b"", **options: Any) -> str:
    return deliver(Part(encoding=Encoding.BINARY, data=data, udh=header), **options)


def pushed(data: bytes, header: bytes | None = None) -> list[str]:
    header = udh.ports(wap.PUSH_PORT, wap.SOURCE_PORT) if header is None else header
    return [deliver(part) for part in segments.split_binary(data, reference=77, udh=header)]


SENDER = b"\x80+447700900123/TYPE=PLMN\0"
MMS = (  # OMA-MMS-ENC: type, transaction, version, from, subject, class, size, expiry in 3 days, content location
    bytes.fromhex("010603BEAF848C82") + b"\x98T1-abc\0" + b"\x8d\x92" + b"\x89" + bytes([len(SENDER)]) + SENDER
    + b"\x96\x0a\xeaFotos \xc3\xa4\0" + b"\x8a\x80" + b"\x8e\x02\x75\x30" + b"\x88\x05\x81\x03\x03\xf4\x80"
    + b"\x83http://mms.example/" + b"x" * 120 + b"\0"
)  # fmt: skip
VCARD = b"BEGIN:VCARD\r\nN:Carol\r\nEND:VCARD\r\n"


@pytest.mark.parametrize(
    ("pdus", "kind", "content"),
    [
        ([PDUS["D1"]], "text", {"type": "text", "text": "Reply YES"}),
        ([PDUS["D3"]], "text", {"type": "text", "text": "Code 4711"}),
        ([PDUS["D5"]], "text", {"type": "text", "text": "Да 👍"}),
        ([PDUS["D14"]], "text", {"type": "flash", "text": "FLASH"}),
        ([deliver(segments.split("on the SIM", reference=1)[0], message_class=2)], "text",
         {"type": "text", "text": "on the SIM"}),
        ([PDUS["D17"]], "text", {"type": "text", "text": ""}),
        ([PDUS["D7C"], PDUS["D7A"], PDUS["D7C"], PDUS["D7B"]], "text",
         {"type": "text", "text": "part one part two part three"}),
        ([PDUS["D6B"], PDUS["D6A"]], "text", {"type": "text", "text": "part one part two"}),
        ([PDUS["D15"]], "binary", {"type": "binary", "hex": "4772fcdf65", "port": None, "source_port": None,
                                   "application": None, "text": "Grüße"}),
        ([binary(b"\x01\x02\x03", udh.ports(5505, 0))], "binary",
         {"type": "binary", "hex": "010203", "port": 5505, "source_port": 0, "application": "ringing-tone"}),
        ([binary(VCARD, udh.ports(9204, 9204))], "binary",
         {"type": "vcard", "hex": VCARD.hex(), "port": 9204, "source_port": 9204, "application": "vcard",
          "text": VCARD.decode()}),
        ([binary(b"BEGIN:VCALENDAR", udh.ports(228, 0, wide=False))], "binary",
         {"type": "vcalendar", "hex": b"BEGIN:VCALENDAR".hex(), "port": 228, "source_port": 0,
          "application": "vcalendar", "text": "BEGIN:VCALENDAR"}),
        (pushed(MMS), "wap_push",
         {"type": "mms_notification", "transaction": "T1-abc", "sender": "+447700900123", "subject": "Fotos ä",
          "size": 30_000, "url": "http://mms.example/" + "x" * 120, "message_class": "personal",
          "expires_in": 259_200, "expires_at": None}),
        (list(reversed(pushed(wap.push_si("https://www.example.com/t", "Track your parcel " * 8, si_id="p1")))),
         "wap_push",
         {"type": "service_indication", "url": "https://www.example.com/t", "text": "Track your parcel " * 8,
          "action": "signal-medium", "id": "p1", "created": None, "expires": None}),
        (pushed(bytes.fromhex("010603B0AF8202066A00850908") + b"\x03e.com\0" + b"\x01"), "wap_push",
         {"type": "service_loading", "url": "e.com", "action": "execute-low"}),
        (pushed(bytes.fromhex("010603B6AF8603")), "wap_push",
         {"type": "wap_push", "content_type": "application/vnd.wap.connectivity-wbxml", "hex": "03"}),
        (pushed(b"\x01\x06\x03\xbe\xaf\x84\x8c\x82\x98endless"), "wap_push",
         {"type": "wap_push", "content_type": None, "hex": "010603beaf848c8298656e646c657373",
          "reason": "a text does not end"}),
        (["0791447700090000040C9144770009"], "undecodable",
         {"type": "undecodable", "hex": "0791447700090000040C9144770009"}),
    ],
)  # fmt: skip
def test_what_is_in_it_is_shown(tmp_path: Path, pdus: list[str], kind: str, content: dict[str, Any]) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            inbound = await came(gate, *pdus)
            assert inbound["kind"] == kind
            assert inbound["content"] | content == inbound["content"], inbound["content"]
            assert inbound["missing"] == []

    asyncio.run(flow())


@pytest.mark.parametrize(
    ("pdu", "kind", "content"),
    [
        (PDUS["D8"], "silent", {"type": "silent", "hex": ""}),
        (PDUS["D13"], "sim_data", {"type": "sim_data", "hex": "0270000000", "class": 2}),
        (PDUS["D10"], "mwi", {"type": "message_waiting", "waiting": "voicemail", "active": True, "count": None}),
        (deliver(Part(encoding=Encoding.GSM7, data=b"", udh=b"\x01\x02\x00\x03\x01\x02\x82\x00")), "mwi",
         {"type": "message_waiting", "waiting": "voicemail", "active": True, "count": 3, "waiting_2": "email",
          "active_2": False, "count_2": 0}),
    ],
)  # fmt: skip
def test_what_is_for_no_person_is_stored_and_shown_to_who_asks_for_it(
    tmp_path: Path, pdu: str, kind: str, content: dict[str, Any]
) -> None:
    """Out of the modem's memory, since the simulated modem keeps silent ones to itself, as real ones do."""

    async def flow() -> None:
        def before(sim: Any) -> None:
            sim.modems[0].modem.flash.add(Record(stat=0, pdu=bytes.fromhex(pdu), since=0.0))

        async with gateway(tmp_path, before=before) as gate:
            (found,) = (await gate.http.get("/v1/inbound?withheld=true")).json()["items"]
            assert (found["kind"], found["withheld"], found["content"]) == (kind, kind, content)
            assert await gate.inbound() == []
            assert gate.sim.modems[0].modem.flash.slots == {}

    asyncio.run(flow())


def test_a_waiting_indication_with_a_text_keeps_both(tmp_path: Path) -> None:
    async def flow() -> None:
        async with gateway(tmp_path) as gate:
            part = Part(
                encoding=Encoding.GSM7, data=segments.split("3 new mails", reference=1)[0].data, udh=b"\x01\x02\x82\x03"
            )
            inbound = await came(gate, deliver(part))
            assert inbound["content"] == {
                "type": "text", "text": "3 new mails", "waiting": "email", "active": True, "count": 3,
            }  # fmt: skip

    asyncio.run(flow())


def early(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, inbound=InboundSettings(early_publish=600.0))


def test_parts_that_never_come_are_given_up_after_a_day(tmp_path: Path) -> None:
    async def flow() -> None:
        ahead = {"ahead": 0}
        async with gateway(tmp_path, now_ahead=ahead) as gate:
            gate.sim.network.inject_pdu(gate.sim.modems[0].number, PDUS["D7A"])
            gate.sim.network.inject_pdu(gate.sim.modems[0].number, PDUS["D1"])
            await gate.event("received")
            assert gate.app.housekeeping is not None
            ahead["ahead"] = 23 * HOUR
            await gate.app.housekeeping.tick()
            assert [i["text"] for i in await gate.inbound()] == ["Reply YES"]
            ahead["ahead"] = 25 * HOUR
            await gate.app.housekeeping.tick()
            inbound = (await gate.inbound())[0]
            assert inbound["text"] == "part one  [missing 2/3] [missing 3/3]"
            assert inbound["missing"] == [2, 3]

    asyncio.run(flow())


def test_an_early_message_is_completed_when_its_part_comes(tmp_path: Path) -> None:
    async def flow() -> None:
        ahead = {"ahead": 0}
        async with gateway(tmp_path, now_ahead=ahead, settings=early) as gate:
            gate.sim.network.inject_pdu(gate.sim.modems[0].number, PDUS["D7A"])
            gate.sim.network.inject_pdu(gate.sim.modems[0].number, PDUS["D7C"])
            gate.sim.network.inject_pdu(gate.sim.modems[0].number, PDUS["D1"])
            await gate.event("received")
            ahead["ahead"] = 11 * 60_000
            assert gate.app.housekeeping is not None
            await gate.app.housekeeping.tick()
            first = (await gate.inbound())[0]
            assert (first["missing"], first["updated_at"]) == ([2], None)
            gate.sim.network.inject_pdu(gate.sim.modems[0].number, PDUS["D7B"])
            await gate.event("completed")
            whole = (await gate.inbound())[0]
            assert whole["id"] == first["id"]
            assert (whole["text"], whole["missing"]) == ("part one part two part three", [])
            assert whole["updated_at"]
            assert whole["content"]["text"] == whole["text"]

    asyncio.run(flow())
