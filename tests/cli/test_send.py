"""`send`, from the argument to the store, and what it says when it cannot."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bridge.cli.exits import Exit
from bridge.model import Status
from tests.cli.support import PHONE, Service


def test_a_text_from_the_argument(service: Service) -> None:
    sent = service.command("send", "Hello", "--to", "600 700 800")
    assert sent.exit == Exit.OK
    assert f"{PHONE}  queued  (1 part, gsm7)" in sent.out
    (stored,) = service.command("ls", "-o", "json").json["messages"]
    assert (stored["to"], stored["text"]) == (PHONE, "Hello")


def test_one_recipient_may_stand_before_the_text(service: Service) -> None:
    message = service.command("send", "600 700 800", "Hello", "-o", "json").json
    assert (message["to"], message["text"]) == (PHONE, "Hello")


@pytest.mark.parametrize("words", [("Hello", "world"), (PHONE, "Hello", "world"), (PHONE, "Hello", "--to", PHONE)])
def test_words_without_quotes_are_not_guessed_at(service: Service, words: tuple[str, ...]) -> None:
    refused = service.command("send", *words, "--channel", "gsm1")
    assert (refused.exit, refused.out) == (Exit.USAGE, "")
    assert 'Put the text in quotes: gsmbridge send --to NUMBER "the text".' in refused.err
    assert service.command("ls", "-o", "json").json["messages"] == []


def test_a_text_from_standard_input_without_the_line_feed_of_echo(service: Service) -> None:
    message = service.command("send", "--to", PHONE, "-o", "json", stdin="Zażółć\n".encode()).json
    assert message["text"] == "Zażółć"
    assert message["encoding"] == "ucs2"


def test_the_options_of_one_message_arrive(service: Service) -> None:
    message = service.command(
        "send", "Hi", "--to", PHONE, "--ref", "order 7", "--class", "0", "--priority", "100",
        "--policy", "at_most_once", "--valid-for", "2h", "--at", "10m", "--channel", "gsm1",
        "--encoding", "ucs2", "--no-report", "-o", "json",
    ).json  # fmt: skip
    wanted = {
        "ref": "order 7", "class": 0, "priority": 100, "policy": "at_most_once", "channel": "gsm1", "encoding": "ucs2",
        "report": False, "status": "scheduled",
    }  # fmt: skip
    assert {name: message[name] for name in wanted} == wanted
    assert message["due_at"] > message["created_at"]


def test_an_order_key_of_ones_own(service: Service) -> None:
    message = service.command("send", "Hi", "--to", PHONE, "--order-key", "pump-3", "-o", "json").json
    assert message["order_key"] == "pump-3"
    both = service.command("send", "Hi", "--to", PHONE, "--ordered", "--order-key", "pump-3", "-o", "json").json
    assert both["order_key"] == "pump-3"
    refused = service.command("send", "Hi", "--to", PHONE, "--order-key", "")
    assert (refused.exit, refused.out) == (Exit.DATA, "")
    assert "order_key" in refused.err


@pytest.mark.parametrize(
    ("options", "category"),
    [
        ((), "general"),
        (("--transactional",), "transactional"),
        (("--otp",), "otp"),
        (("--otp", "--transactional"), "otp"),
    ],
)
def test_why_it_is_sent(service: Service, options: tuple[str, ...], category: str) -> None:
    assert service.command("send", "Hi", "--to", PHONE, *options, "-o", "json").json["category"] == category


def test_the_same_key_orders_once(service: Service) -> None:
    first = service.command("send", "Hi", "--to", PHONE, "--once", "k1", "-o", "json").json
    again = service.command("send", "Hi", "--to", PHONE, "--once", "k1", "-o", "json").json
    assert first["id"] == again["id"]
    other = service.command("send", "Ho", "--to", PHONE, "--once", "k1")
    assert other.exit == Exit.DATA
    assert "(idempotency_key_reuse)" in other.err


def test_without_a_key_of_the_user_two_commands_are_two_orders(service: Service) -> None:
    ids = {service.command("send", "Hi", "--to", PHONE, "-o", "json").json["id"] for _ in range(2)}
    assert len(ids) == 2


def test_many_recipients_make_one_batch(service: Service) -> None:
    sent = service.command("send", "Hi", "--to", PHONE, "--to", "+48600700801", "-o", "json")
    assert sent.exit == Exit.OK
    assert sent.json["count"] == 2
    (batch,) = sent.json["batches"]
    shown = service.command("show", batch)
    assert "queued" in shown.out
    assert len(service.command("ls", "--batch", batch, "-o", "json").json["messages"]) == 2


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_csv_file_gives_recipients_and_texts(service: Service, tmp_path: Path, delimiter: str) -> None:
    rows = ["to,text", f'{PHONE},"Hello, you"', "+48600700801,Line"]
    if delimiter == ";":
        rows = ["to;text", f"{PHONE};Hello, you", "+48600700801;Line"]
    file = tmp_path / "list.csv"
    file.write_text("\ufeff" + "\r\n".join(rows) + "\r\n", encoding="utf-8")
    assert service.command("send", "--csv", file).exit == Exit.OK
    stored = service.command("ls", "-o", "json").json["messages"]
    assert {(m["to"], m["text"]) for m in stored} == {(PHONE, "Hello, you"), ("+48600700801", "Line")}


def test_a_text_that_is_too_long_is_told_with_its_line(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"to,text\n{PHONE},short\n{PHONE},{'x' * 2000}\n")
    assert f"{file}, line 3: text: needs" in service.command("send", "--csv", file).err


def test_a_csv_file_of_numbers_takes_the_text_for_all(service: Service, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"to\n{PHONE}\n+48600700801\n")
    assert "2 messages accepted" in service.command("send", "Hi all", "--csv", tmp_path / "list.csv").out


def test_every_mistake_of_a_csv_file_is_named_and_nothing_is_sent(service: Service, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"to,text\n{PHONE},a\n,b\n{PHONE}\n{PHONE},c,d\n")
    refused = service.command("send", "--csv", tmp_path / "list.csv")
    assert refused.exit == Exit.DATA
    assert 'line 3: the column "to" is empty' in refused.err
    assert "line 4: has fewer columns" in refused.err
    assert "line 5: has more columns" in refused.err
    assert service.command("ls", "-o", "json").json == {"messages": []}


def test_one_wrong_number_refuses_the_whole_list(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"to\n{PHONE}\n+4812\nfriend\n")
    refused = service.command("send", "Hi", "--to", "nobody", "--csv", file)
    assert refused.exit == Exit.DATA
    for place in ("--to nobody: ", f"{file}, line 3: '+4812'", f"{file}, line 4: 'friend'"):
        assert place in refused.err
    assert service.command("ls", "-o", "json").json == {"messages": []}


BAD = [
    (("send", "Hi"), Exit.USAGE, "Give --to NUMBER"),
    (("send", "Hi", "--to", "12x"), Exit.DATA, "number_not_possible"),
    (("send", "Hi\0", "--to", PHONE), Exit.DATA, "holds NUL"),
    (("send", "x" * 2000, "--to", PHONE), Exit.DATA, "text_too_long"),
    (("send", "Hi", "--to", PHONE, "--channel", "gsm9"), Exit.DATA, "there is no channel 'gsm9'"),
    (("send", "Hi", "--to", PHONE, "--policy", "twice"), Exit.DATA, "at_most_once"),
    (("send", "Hi", "--to", PHONE, "--valid-for", "soon"), Exit.USAGE, "--valid-for: 'soon' is no duration"),
    (("send", "Hi", "--to", PHONE, "--valid-for", "1s"), Exit.DATA, "valid_for"),
    (("send", "Hi", "--to", PHONE, "--at", "tomorrow"), Exit.USAGE, "--at: 'tomorrow' is no time"),
    (("send", "Hi", "--to", PHONE, "--class", "9"), Exit.USAGE, "--class"),
    (("send", "Hi", "--to", PHONE, "--wait", "read"), Exit.USAGE, "--wait"),
    (("send", "Hi", "--csv", "/nowhere.csv"), Exit.NO_INPUT, "there is no file /nowhere.csv"),
    (("send", "Hi", "--bcc", PHONE), Exit.USAGE, "--bcc"),
]


@pytest.mark.parametrize(("arguments", "exit", "says"), BAD, ids=[f"{b[1].name} {i}" for i, b in enumerate(BAD)])
def test_what_cannot_be_ordered_is_refused(service: Service, arguments: tuple[str, ...], exit: Exit, says: str) -> None:
    refused = service.command(*arguments)
    assert (refused.exit, refused.out) == (exit, "")
    assert says in refused.err
    assert service.command("ls", "-o", "json").json == {"messages": []}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "it has: nothing"),
        ("number,text\n1,a\n", "must name the columns"),
        ("to,text,name\n1,a,b\n", "mean nothing here: name"),
        ("to,text\n", "holds no recipient"),
        ('to,text\n1,"open\n', "it is no CSV"),
    ],
)
def test_a_csv_file_that_is_none_is_refused(service: Service, tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "list.csv").write_text(content)
    refused = service.command("send", "Hi", "--csv", tmp_path / "list.csv")
    assert refused.exit == Exit.DATA
    assert says in refused.err


def test_standard_input_that_is_no_text_is_refused(service: Service) -> None:
    refused = service.command("send", "--to", PHONE, stdin=b"\xff\xfe")
    assert refused.exit == Exit.DATA
    assert "octet 0" in refused.err


def test_a_dry_run_tells_the_parts_and_sends_nothing(service: Service) -> None:
    told = service.command("send", "a" * 65 + "ł" + "b" * 10, "--dry-run", "-o", "json")
    (preview,) = told.json["previews"]
    assert (preview["encoding"], preview["part_count"]) == ("ucs2", 2)
    assert preview["forced_by"] == {"character": "ł", "index": 65}
    table = service.command("send", "ł", "--to", PHONE, "--dry-run").out
    assert "'ł' at 0" in table
    assert service.command("ls", "-o", "json").json == {"messages": []}


# --- --wait -----------------------------------------------------------------------------------------------------------

WAITS = [
    ("sent", (Status.SENDING, Status.SENT), Exit.OK),
    ("sent", (Status.SENDING, Status.FAILED), Exit.FAILED),
    ("sent", (Status.SENDING, Status.IN_DOUBT, Status.UNKNOWN), Exit.FAILED),
    ("sent", (Status.CANCELLED,), Exit.FAILED),
    ("sent", (Status.SENDING, Status.SENT, Status.UNDELIVERED), Exit.OK),
    ("delivered", (Status.SENDING, Status.SENT, Status.DELIVERED), Exit.OK),
    ("delivered", (Status.SENDING, Status.SENT, Status.UNDELIVERED), Exit.FAILED),
    ("delivered", (Status.SENDING, Status.SENT, Status.SENT_NO_REPORT), Exit.FAILED),
    ("delivered", (Status.SENDING, Status.SENT), Exit.TEMPFAIL),
    ("sent", (Status.SENDING, Status.IN_DOUBT), Exit.TEMPFAIL),
    ("sent", (), Exit.TEMPFAIL),
]


@pytest.mark.parametrize(("until", "moves", "exit"), WAITS)
def test_wait_ends_as_the_message_does(service: Service, until: str, moves: tuple[Status, ...], exit: Exit) -> None:
    # The order is placed first and its answer replayed, so that the message can be moved before the wait begins.
    first = service.command("send", "Hi", "--to", PHONE, "--once", "w", "-o", "json").json
    service.move(first["id"], *moves)
    waited = service.command(
        "send", "Hi", "--to", PHONE, "--once", "w", "--wait", until, "--timeout", "0s", "-o", "json"
    )
    assert waited.exit == exit
    assert waited.json["status"] == (moves[-1] if moves else Status.QUEUED)
    assert ("gsmbridge show" in waited.err) == (exit != Exit.OK)


def test_wait_sees_a_change_that_comes_while_it_waits(service: Service) -> None:
    first = service.command("send", "Hi", "--to", PHONE, "--once", "w", "-o", "json").json
    mover = threading.Timer(0.2, lambda: service.move(first["id"], Status.SENDING, Status.SENT))
    mover.start()
    waited = service.command("send", "Hi", "--to", PHONE, "--once", "w", "--wait", "sent", "--timeout", "20s")
    mover.join()
    assert waited.exit == Exit.OK
    assert "  sent  " in waited.out


def test_wait_for_a_batch_counts_what_became_of_each(service: Service) -> None:
    order = ("send", "Hi", "--to", PHONE, "--to", "+48600700801", "--to", "+48600700802", "--once", "b")
    messages = service.command(*order, "-o", "json").json["messages"]
    service.move(messages[0]["id"], Status.SENDING, Status.SENT)
    service.move(messages[1]["id"], Status.CANCELLED)
    waited = service.command(*order, "--wait", "sent", "--timeout", "0s")
    assert waited.exit == Exit.TEMPFAIL
    assert "3 messages accepted: 1 sent, 1 failed, 1 still under way" in waited.out
    service.move(messages[2]["id"], Status.SENDING, Status.SENT)
    ended = service.command(*order, "--wait", "sent", "-o", "json")
    assert ended.exit == Exit.FAILED
    assert ended.json["wait"] == {"reached": 2, "failed": 1, "open": 0}
