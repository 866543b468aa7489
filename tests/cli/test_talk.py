"""`reply`, `conversation`, `optout` and `calls` against the real API."""

from __future__ import annotations

from bridge.cli.exits import Exit
from bridge.clock import wall
from bridge.model import CallRow, Conversation, Inbound, show_id
from bridge.store import Changes
from tests.cli.support import PHONE, Service


def talk(service: Service) -> tuple[str, str]:
    inbound, conversation, now = service.ids.next(), service.ids.next(), wall()

    def work(changes: Changes) -> None:
        changes.add_conversation(
            Conversation(
                id=conversation, channel="gsm1", sim="1", peer=PHONE, recipient=PHONE[-8:], started_at=now,
                last=inbound, last_at=now, received=1,
            )
        )  # fmt: skip
        changes.add_inbound(
            Inbound(
                id=inbound, channel="gsm1", sim="1", sender=PHONE, received_at=now, text="When?\x1b[2J",
                conversation=conversation,
            ),
            [],
        )  # fmt: skip
        changes.add_call(CallRow(id=service.ids.next(), channel="gsm1", sim="1", caller="", at=now, rings=2))

    service.write(work)
    return show_id("inb", inbound), show_id("cnv", conversation)


def test_a_conversation_is_listed_shown_and_answered(service: Service) -> None:
    inbound, conversation = talk(service)
    assert PHONE in service.command("conversation", "ls").out
    answered = service.command("reply", inbound, "At five", "--ref", "r1", "-o", "json").json
    assert (answered["to"], answered["channel"], answered["ref"]) == (PHONE, "gsm1", "r1")
    shown = service.command("conversation", "show", conversation)
    assert "When?" in shown.out
    assert "\x1b" not in shown.out
    assert service.command("conversation", "show", conversation, "-o", "json").json["peer"] == PHONE
    twice = [service.command("reply", inbound, "Once", "--once", "k", "-o", "json").json["id"] for _ in range(2)]
    assert twice[0] == twice[1]


def test_what_is_not_there_is_said(service: Service) -> None:
    assert service.command("conversation", "ls").err == "Nobody has written yet.\n"
    missing = service.command("reply", "inb_0000000000001", "Hi")
    assert missing.exit is Exit.NO_INPUT or missing.exit == Exit.NO_INPUT
    assert "inbound_not_found" in missing.err


def test_opt_outs_are_kept_by_hand(service: Service) -> None:
    made = service.command("optout", "add", PHONE, "--sender", "Shop", "-o", "json").json
    assert (made["number"], made["sender"], made["channel"]) == (PHONE, "Shop", None)
    assert "Shop" in service.command("optout", "ls", "--number", PHONE).out
    assert "gets texts again" in service.command("optout", "remove", made["id"]).out
    assert service.command("optout", "ls").err == "Nobody has opted out.\n"
    wrong = service.command("optout", "add", "12x")
    assert wrong.exit == Exit.DATA
    assert "number_not_possible" in wrong.err


def test_calls_are_listed(service: Service) -> None:
    talk(service)
    assert "(withheld)" in service.command("calls").out
    assert service.command("calls", "--channel", "gsm9").err == "Nobody has called.\n"
