"""`ls`, `show`, `cancel`, `inbox`, `modem ls` and `modem info` against the real API."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys

import pytest

from bridge.cli.exits import Exit
from bridge.model import Status
from tests.cli.support import PHONE, Service, command


def order(service: Service, text: str = "Hi", *options: str) -> str:
    id: str = service.command("send", text, "--to", PHONE, *options, "-o", "json").json["id"]
    return id


def test_ls_filters(service: Service) -> None:
    first, second = order(service, "one", "--ref", "a"), order(service, "two")
    service.move(second, Status.CANCELLED)

    def ids(*options: str) -> list[str]:
        return [m["id"] for m in service.command("ls", *options, "-o", "json").json["messages"]]

    assert ids() == [second, first]
    assert ids("--status", "queued") == [first]
    assert ids("--status", "queued", "--status", "cancelled") == [second, first]
    assert ids("--ref", "a") == [first]
    assert ids("--to", PHONE, "--limit", "1") == [second]
    assert ids("--since", "1h") == [second, first]
    assert ids("--until", "1h") == []
    assert ids("--to", "+48600700801") == []


def test_ls_goes_over_pages(service: Service) -> None:
    numbers = [part for n in range(250) for part in ("--to", f"+486007{n:05d}")]
    assert service.command("send", "Hi", *numbers).exit == Exit.OK
    assert len(service.command("ls", "--limit", "1000", "-o", "json").json["messages"]) == 250
    assert len(service.command("ls", "--limit", "230", "-o", "json").json["messages"]) == 230


def test_ls_says_when_there_is_nothing(service: Service) -> None:
    assert service.command("ls").err == "No message matches.\n"


def test_a_status_that_does_not_exist_is_refused_with_those_that_do(service: Service) -> None:
    refused = service.command("ls", "--status", "lost")
    assert refused.exit == Exit.DATA
    assert "queued" in refused.err


def test_show_tells_the_story_of_a_message(service: Service) -> None:
    id = order(service, "Hello", "--ref", "r7")
    service.move(id, Status.SENDING, Status.SENT)
    shown = service.command("show", id).out
    for piece in (id, PHONE, "Hello", "r7", "gsm7, 1 part", "sending", "sent"):
        assert piece in shown
    assert service.command("show", id, "-o", "json").json["status"] == "sent"


@pytest.mark.parametrize(
    ("id", "exit", "says"),
    [
        ("7", Exit.USAGE, "They begin with msg_, bat_ or inb_"),
        ("msg_0000000000007", Exit.NO_INPUT, "(message_not_found)"),
        ("bat_0000000000007", Exit.NO_INPUT, "(batch_not_found)"),
        ("inb_0000000000007", Exit.NO_INPUT, "(inbound_not_found)"),
    ],
)
def test_show_of_what_is_not_there(service: Service, id: str, exit: Exit, says: str) -> None:
    shown = service.command("show", id)
    assert shown.exit == exit
    assert says in shown.err


def test_cancel_tells_of_each_and_fails_if_one_was_too_late(service: Service) -> None:
    waiting, gone = order(service), order(service)
    service.move(gone, Status.SENDING)
    both = service.command("cancel", waiting, gone, "-o", "json")
    assert both.exit == Exit.DATA
    assert [(m["id"], m["cancelled"]) for m in both.json["messages"]] == [(waiting, True), (gone, False)]
    assert service.command("cancel", waiting).exit == Exit.OK
    assert "not_cancellable" in service.command("cancel", gone).out


def test_inbox_lists_and_shows(service: Service) -> None:
    service.receive("one")
    service.receive("two", sender="Bank")
    assert [i["text"] for i in service.command("inbox", "-o", "json").json["inbound"]] == ["two", "one"]
    (only,) = service.command("inbox", "--from", PHONE, "-o", "json").json["inbound"]
    shown = service.command("show", only["id"]).out
    assert "one" in shown
    assert PHONE in shown
    assert service.command("inbox", "--channel", "gsm9").err == "Nothing came in.\n"


HOSTILE = "\x1b]0;owned\x07\x9b31m\u202eevil\r\nsecond [bold]x[/bold] :smile:"


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_hostile_text_cannot_command_the_terminal(service: Service, form: str) -> None:
    service.receive(HOSTILE, sender="\x1b[2J")
    for arguments in (("inbox",), ("show", service.command("inbox", "-o", "json").json["inbound"][0]["id"])):
        out = service.command(*arguments, "-o", form).out
        assert not any(c in out for c in "\x1b\x07\x9b\r\u202e")
        assert "[bold]x[/bold] :smile:" in out
    assert service.command("inbox", "-o", "json").json["inbound"][0]["text"] == HOSTILE


def test_follow_prints_what_comes_until_it_is_interrupted(service: Service) -> None:
    service.receive("before")
    arguments = ["inbox", "--follow", "--interval", "0.1", "-o", "json", "--config", str(service.config)]
    code = "import sys; from bridge.cli import main; sys.exit(main())"
    with subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["text"] == "before"
        service.receive("after")
        assert select.select([process.stdout], [], [], 20)[0]
        assert json.loads(process.stdout.readline())["text"] == "after"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == Exit.INTERRUPTED


def test_modem_ls_and_info(service: Service) -> None:
    listed = service.command("modem", "ls").out
    for piece in ("gsm1", "up", "E173", "Plus", "-71 dBm"):
        assert piece in listed
    assert "490154203237518" in service.command("modem", "info", "gsm1").out
    assert service.command("modem", "info", "gsm1", "-o", "json").json["modem"]["imei"] == "490154203237518"
    refused = service.command("modem", "info", "gsm2")
    assert refused.exit == Exit.NO_INPUT
    assert "there are: gsm1" in refused.err


def test_scan_of_a_port_that_is_not_there() -> None:
    scanned = command("modem", "scan", "/dev/nothing-here", "-o", "json")
    assert scanned.exit == Exit.UNAVAILABLE
    (port,) = scanned.json["ports"]
    assert port["port"] == "/dev/nothing-here"
    assert port["problem"]


def test_scan_of_a_port_that_answers_nothing(tmp_path: object) -> None:
    ours, theirs = os.openpty()
    try:
        scanned = command("modem", "scan", os.ttyname(theirs), "-o", "json")
    finally:
        os.close(ours)
        os.close(theirs)
    assert scanned.exit == Exit.UNAVAILABLE
    assert scanned.json["ports"][0]["code"]
