"""`gsmbridge webhook`: each command, what it prints, and each thing that can be wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from bridge.cli.exits import Exit

from .support import PHONE, Service

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY"
GONE = "whk_1q3enhrg024se"
PATIENCE = 10.0  # seconds


class Hook(HTTPServer):
    """Answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.ids: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.ids.append(self.headers["webhook-id"])
        self.server.headers.append(dict(self.headers))
        body = b"so it is"
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Hook]:
    server = Hook()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def run(service: Service, *arguments: str | Path) -> Any:
    done = service.command("webhook", *arguments, "-o", "json")
    assert done.exit == 0, done.err
    return done.json


def added(service: Service, hook: Hook, *more: str | Path) -> str:
    return str(run(service, "add", hook.url, *more)["id"])


def until(service: Service, id: str, **wanted: object) -> None:
    ends = monotonic() + PATIENCE
    while any(run(service, "show", id)[name] != value for name, value in wanted.items()):
        assert monotonic() < ends, run(service, "show", id)
        sleep(0.02)


def test_add_shows_the_secret_once_and_says_so(service: Service, hook: Hook, tmp_path: Path) -> None:
    secret, headers = tmp_path / "secret", tmp_path / "headers"
    secret.write_text(SECRET + "\n")
    headers.write_text("X-Own: a b\n\nAuthorization: Bearer CANARY\n")
    done = service.command(
        *("webhook", "add", hook.url, "--event", "message.*", "--channel", "gsm1", "--number", "+48*", "--ordered"),
        *("--description", "the shop", "--secret-file", secret, "--headers-file", headers),
    )
    assert done.exit == 0, done.err
    shown = dict(line.split(None, 1) for line in done.out.splitlines())
    assert shown["secret"] == SECRET
    assert shown["url"] == hook.url
    assert "never again" in done.err
    assert "CANARY" not in done.out + done.err
    [one] = run(service, "ls")["items"]
    kept = ("events", "channels", "numbers", "ordered", "description", "headers")
    assert [one[name] for name in kept] == [
        ["message.*"], ["gsm1"], ["+48*"], True, "the shop", ["Authorization", "X-Own"]
    ]  # fmt: skip
    assert "secret" not in one
    assert run(service, "test", one["id"])["state"] == "delivered"
    assert (hook.headers[0]["X-Own"], hook.headers[0]["Authorization"]) == ("a b", "Bearer CANARY")


def test_ls_and_show(service: Service, hook: Hook) -> None:
    assert "gsmbridge webhook add" in service.command("webhook", "ls").err
    id = added(service, hook)
    line = service.command("webhook", "ls").out.splitlines()[1]
    assert line.split() == [id, "on", "0", "0", "all", "events", hook.url]
    shown = service.command("webhook", "show", id).out
    assert hook.url in shown
    assert "secret " not in shown


def test_test_says_what_the_endpoint_said(service: Service, hook: Hook) -> None:
    id = added(service, hook)
    done = service.command("webhook", "test", id)
    assert done.exit == 0
    assert done.out.startswith("Delivered in ")
    assert done.out.endswith("ms: status 200.\n")
    hook.status = 503
    done = service.command("webhook", "test", id)
    assert (done.exit, done.out) == (Exit.UNAVAILABLE, "")
    assert "it answered with status 503" in done.err
    assert "so it is" in done.err


def test_rotate_gives_a_new_secret_and_both_sign(service: Service, hook: Hook, tmp_path: Path) -> None:
    id = added(service, hook)
    made = run(service, "rotate", id)
    assert made["secret"].startswith("whsec_")
    run(service, "test", id)
    assert len(hook.headers[0]["webhook-signature"].split()) == 2
    own = tmp_path / "secret"
    own.write_text(SECRET)
    assert run(service, "rotate", id, "--secret-file", own)["secret"] == SECRET


def test_disable_enable_and_rm(service: Service, hook: Hook) -> None:
    id = added(service, hook)
    assert "switched off" in service.command("webhook", "disable", id).out
    assert "off: switched off" in service.command("webhook", "ls").out
    refused = service.command("webhook", "test", id)
    assert (refused.exit, refused.out) == (Exit.DATA, "")
    assert "(webhook_disabled)" in refused.err
    assert service.command("webhook", "enable", id).exit == 0
    assert " on " in service.command("webhook", "ls").out
    assert service.command("webhook", "rm", id).out == f"Removed {id}.\n"
    assert run(service, "ls")["items"] == []


def test_deliveries_dead_and_replay(service: Service, hook: Hook) -> None:
    assert not hook.ids
    id = added(service, hook, "--event", "message.queued")
    assert "Nothing was delivered yet." in service.command("webhook", "deliveries", id).err
    assert "No dead letters." in service.command("webhook", "dead", id).err
    assert service.command("webhook", "replay", id, "--all").out == "No dead letters there.\n"
    assert service.command("send", "Hi", "--to", PHONE).exit == 0
    until(service, id, waiting=0)
    [event] = hook.ids
    row = service.command("webhook", "deliveries", id).out.splitlines()[1]
    assert event in row
    assert " 200 " in row
    assert service.command("webhook", "replay", id, event).out == "1 event will be sent again.\n"
    until(service, id, waiting=0)
    assert hook.ids == [event, event]
    service.write(lambda c: c._run("UPDATE deliveries SET state = 'dead'"))  # type: ignore[attr-defined]
    assert event in service.command("webhook", "dead", id).out
    assert [d["event"]["id"] for d in run(service, "dead", id)["dead"]] == [event]
    assert run(service, "replay", id, "--first", event, "--last", event)["count"] == 1
    until(service, id, waiting=0, dead=0)
    assert hook.ids == [event] * 3


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("add",), Exit.DATA, "mail"),
        (("add", "ftp://x.example/"), Exit.DATA, "no URL of the web"),
        (("add", "hooks.example.org"), Exit.DATA, "https://hooks.example.org/sms"),
        (("add", "http://hooks.example.org/"), Exit.DATA, "allow_http"),
        (("add", "https://169.254.169.254/latest"), Exit.DATA, "allow_private"),
        (("add", "https://u:p@hooks.example.org/"), Exit.DATA, "header of the endpoint"),
        (("add", "--mail", "ops@example.org"), Exit.DATA, "[mail]"),
        (("add", "http://127.0.0.1:9/", "--event", "massage.*"), Exit.DATA, "massage.*"),
        (("add", "http://127.0.0.1:9/", "--channel", "gsm9"), Exit.DATA, "gsm9"),
        (("add", "http://127.0.0.1:9/", "--secret-file", "/nowhere"), Exit.NO_INPUT, "/nowhere cannot be read"),
        (("add", "http://127.0.0.1:9/", "--headers-file", "/nowhere"), Exit.NO_INPUT, "/nowhere cannot be read"),
        (("replay", GONE), Exit.USAGE, "what is to be sent again?"),
        (("replay", GONE, "evt_1q3enhrg024sf", "--all"), Exit.USAGE, "what is to be sent again?"),
    ],
)
def test_mistakes_are_named_with_what_would_be_right(
    service: Service, arguments: tuple[str, ...], status: Exit, says: str
) -> None:
    done = service.command("webhook", *arguments)
    assert (done.exit, done.out) == (status, ""), done.err
    assert says in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("written", ["whsec_short", "secret", ""])
def test_a_secret_of_the_wrong_form_is_refused(service: Service, hook: Hook, tmp_path: Path, written: str) -> None:
    file = tmp_path / "secret"
    file.write_text(written)
    done = service.command("webhook", "add", hook.url, "--secret-file", file)
    assert (done.exit, done.out) == (Exit.DATA, ""), done.err
    assert "whsec_" in done.err


@pytest.mark.parametrize(
    ("line", "says"), [("no colon", "line 1 is no header"), ("Host: x", "Host"), ("webhook-id: x", "webhook-id")]
)
def test_a_header_that_cannot_be_is_refused(service: Service, hook: Hook, tmp_path: Path, line: str, says: str) -> None:
    file = tmp_path / "headers"
    file.write_text(line + "\n")
    done = service.command("webhook", "add", hook.url, "--headers-file", file)
    assert (done.exit, done.out) == (Exit.DATA, ""), done.err
    assert says in done.err


@pytest.mark.parametrize(
    "command",
    ["show", "rm", "test", "rotate", "enable", "disable", "deliveries", "dead", "replay"],
)
@pytest.mark.parametrize("id", [GONE, "msg_1", "nonsense"])
def test_an_endpoint_that_is_not_there(service: Service, command: str, id: str) -> None:
    done = service.command("webhook", command, id, *(["--all"] if command == "replay" else []))
    assert (done.exit, done.out) == (Exit.NO_INPUT, ""), done.err
    assert "(webhook_not_found)" in done.err


def test_an_event_that_is_not_there(service: Service, hook: Hook) -> None:
    id = added(service, hook)
    for event in ("evt_1q3enhrg024sf", "nonsense"):
        done = service.command("webhook", "replay", id, event)
        assert done.exit in (Exit.NO_INPUT, Exit.DATA)
        assert done.out == ""
        assert event in done.err or "(event_not_found)" in done.err
