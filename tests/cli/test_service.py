"""Where the service is: the socket, a URL with a key, nothing at all. And keys with and without it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.cli.exits import Exit
from tests.cli.support import PHONE, Service, command, running


def config_in(directory: Path) -> Path:
    file = directory / "config.toml"
    file.write_text(f'[service]\nstate_dir = "{directory}/state"\n')
    return file


NEEDING = [
    ("send", "Hi", "--to", PHONE),
    ("ls",),
    ("show", "msg_0000000000007"),
    ("cancel", "msg_0000000000007"),
    ("inbox",),
    ("modem", "ls"),
    ("modem", "info", "gsm1"),
    ("provider", "ls"),
    ("provider", "balance"),
    ("provider", "cost", "cloud1", PHONE),
    ("provider", "senders", "cloud1"),
    ("provider", "status", "cloud1", "1"),
    ("provider", "test"),
    ("provider", "hlr", "cloud1", PHONE),
    ("route", "test", PHONE),
]


@pytest.mark.parametrize("arguments", NEEDING, ids=" ".join)
def test_a_service_that_does_not_run_is_told_with_the_remedy(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = command(*arguments, "--config", config_in(tmp_path))
    assert result.exit == Exit.UNAVAILABLE
    assert f"nothing listens on {tmp_path}/state/gsmbridge.sock" in result.err
    assert "gsmbridge run" in result.err


def test_a_url_where_nobody_listens(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("gsmb_x_y")
    key.chmod(0o600)
    result = command("ls", "--url", "http://127.0.0.1:1", "--key-file", key)
    assert result.exit == Exit.UNAVAILABLE
    assert "http://127.0.0.1:1" in result.err


def test_a_key_made_over_the_socket_opens_the_url(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "key"
    made = service.command("key", "create", "crm", "--scope", "send", "--save", file, "-o", "json")
    assert made.exit == Exit.OK
    assert made.json["file"] == str(file)
    assert made.json["secret"] is None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    over_http = ("--url", service.url, "--key-file", str(file))
    assert command("send", "Hi", "--to", PHONE, *over_http).exit == Exit.OK
    # A key that may send may not make keys.
    refused = command("key", "create", "more", *over_http)
    assert refused.exit == Exit.NO_PERMISSION
    assert "(scope_missing)" in refused.err
    service.command("key", "revoke", made.json["id"])
    revoked = command("ls", *over_http)
    assert revoked.exit == Exit.NO_PERMISSION
    assert "(key_revoked)" in revoked.err


def test_a_read_only_key_cannot_send(service: Service, tmp_path: Path) -> None:
    service.command("key", "create", "eyes", "--scope", "read", "--save", tmp_path / "key")
    refused = command("send", "Hi", "--to", PHONE, "--url", service.url, "--key-file", tmp_path / "key")
    assert refused.exit == Exit.NO_PERMISSION
    assert service.command("ls", "-o", "json").json == {"messages": []}


@pytest.mark.parametrize(
    ("content", "mode", "exit", "says"),
    [
        ("gsmb_a_b", 0o644, Exit.CONFIG, "chmod 600"),
        ("", 0o600, Exit.DATA, "does not hold an API key"),
        ("two words", 0o600, Exit.DATA, "does not hold an API key"),
        ("gsmb_00000000_wrong", 0o600, Exit.NO_PERMISSION, "(key_unknown)"),
        (None, 0, Exit.NO_INPUT, "there is no key file"),
    ],
)
def test_a_key_file_that_cannot_be_used(
    service: Service, tmp_path: Path, content: str | None, mode: int, exit: Exit, says: str
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    result = command("ls", "--url", service.url, "--key-file", file)
    assert result.exit == exit
    assert says in result.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--url", "http://127.0.0.1:1"), "--url needs an API key"),
        (("--url", "localhost"), "is no address of a service"),
    ],
)
def test_a_url_that_cannot_be_used(options: tuple[str, ...], says: str) -> None:
    result = command("ls", *options)
    assert result.exit == Exit.USAGE
    assert says in result.err


MESSAGE = {
    "id": "msg_0000000000007",
    "to": PHONE,
    "status": "queued",
    "reason": None,
    "part_count": 1,
    "encoding": "gsm7",
}


def forgetful(path: Path, losses: int, requests: list[bytes]) -> Iterator[None]:
    """A peer that takes requests and cuts the line in place of the first answers."""
    server = socket.create_server(str(path), family=socket.AF_UNIX)

    def serve() -> None:
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return
            with line:
                if not (request := line.recv(65536)):
                    continue  # somebody only looked whether we listen
                requests.append(request)
                if len(requests) > losses:
                    body = json.dumps(MESSAGE).encode()
                    head = b"HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
                    line.sendall(head % len(body) + body)

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(10)


@pytest.mark.parametrize(("losses", "exit"), [(1, Exit.OK), (2, Exit.OK), (3, Exit.TEMPFAIL)])
def test_a_lost_answer_is_asked_for_again_with_the_same_key(tmp_path: Path, losses: int, exit: Exit) -> None:
    config = config_in(tmp_path)
    (tmp_path / "state").mkdir()
    requests: list[bytes] = []
    with contextlib.contextmanager(forgetful)(tmp_path / "state" / "gsmbridge.sock", losses, requests):
        sent = command("send", "Hi", "--to", PHONE, "--config", config)
    assert sent.exit == exit
    assert len(requests) == 3 if losses == 3 else losses + 1
    keys = [
        line for request in requests for line in request.lower().split(b"\r\n") if line.startswith(b"idempotency-key:")
    ]
    assert len(keys) == len(requests)
    assert len(set(keys)) == 1


def test_what_must_not_be_repeated_is_not(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    (tmp_path / "state").mkdir()
    requests: list[bytes] = []
    with contextlib.contextmanager(forgetful)(tmp_path / "state" / "gsmbridge.sock", 9, requests):
        made = command("key", "create", "x", "--config", config)
    assert made.exit == Exit.TEMPFAIL
    assert len(requests) == 1


def test_keys_work_before_the_service_ever_ran(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    made = command("key", "create", "first", "--config", config, "-o", "json")
    assert made.exit == Exit.OK
    assert made.json["secret"].startswith(f"gsmb_{made.json['hint']}_")
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    listed = command("key", "ls", "--config", config, "-o", "json").json["keys"]
    assert [(k["id"], k["name"], k["scope"], k["revoked_at"]) for k in listed] == [
        (made.json["id"], "first", "send", None)
    ]
    assert made.json["secret"] not in str(listed)
    # The running service knows it, shows it in the same words, and takes it.
    (tmp_path / "state").rename(tmp_path / "kept")
    with running(tmp_path) as service:
        assert service.command("key", "ls", "-o", "json").json["keys"] == []
    (tmp_path / "state").rename(tmp_path / "other")
    (tmp_path / "kept").rename(tmp_path / "state")
    assert command("key", "revoke", made.json["id"], "--config", config).exit == Exit.OK
    assert "revoked" not in command("key", "ls", "--config", config).err
    assert command("key", "ls", "--config", config, "-o", "json").json["keys"][0]["revoked_at"]


def test_a_secret_is_shown_once_and_kept_nowhere(service: Service, tmp_path: Path) -> None:
    made = service.command("key", "create", "crm")
    secret = next(line.split()[1] for line in made.out.splitlines() if line.startswith("key "))
    assert "not shown again" in made.err
    assert secret not in service.command("key", "ls").out
    for file in (tmp_path / "state").iterdir():
        if file.is_file():
            assert secret.encode() not in file.read_bytes()


BAD_KEYS = [
    (("key", "create", "x", "--scope", "all"), Exit.USAGE, "There are read, send, admin."),
    (("key", "create", ""), Exit.USAGE, "1 to 64"),
    (("key", "create", "x\n"), Exit.USAGE, "printable"),
    (("key", "revoke", "7"), Exit.USAGE, "They begin with key_"),
    (("key", "revoke", "key_0000000000007"), Exit.NO_INPUT, "key"),
]


@pytest.mark.parametrize(("arguments", "exit", "says"), BAD_KEYS)
@pytest.mark.parametrize("runs", [True, False])
def test_what_cannot_be_done_with_keys(
    tmp_path: Path, runs: bool, arguments: tuple[str, ...], exit: Exit, says: str
) -> None:
    if runs:
        with running(tmp_path) as service:
            result = service.command(*arguments)
    else:
        result = command(*arguments, "--config", config_in(tmp_path))
    assert result.exit == exit
    assert says in result.err


def test_a_key_is_not_made_when_its_file_cannot_be(service: Service, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("mine")
    refused = service.command("key", "create", "x", "--save", tmp_path / "key")
    assert refused.exit == Exit.CANT_CREATE
    assert (tmp_path / "key").read_text() == "mine"
    assert service.command("key", "create", "x", "--save", tmp_path / "no" / "key").exit == Exit.CANT_CREATE
    assert service.command("key", "ls", "-o", "json").json["keys"] == []


def test_the_file_of_a_key_that_was_refused_is_removed(service: Service, tmp_path: Path) -> None:
    service.command("key", "create", "eyes", "--scope", "read", "--save", tmp_path / "eyes")
    refused = command(
        "key", "create", "x", "--save", tmp_path / "key", "--url", service.url, "--key-file", tmp_path / "eyes"
    )
    assert refused.exit == Exit.NO_PERMISSION
    assert not (tmp_path / "key").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_socket_of_another_user_is_told() -> None:
    # pytest's own folders are closed to others, whatever is in them.
    with tempfile.TemporaryDirectory() as directory, running(Path(directory)) as service:
        os.chmod(directory, 0o755)
        service.config.chmod(0o644)
        os.seteuid(65534)
        try:
            result = service.command("ls")
        finally:
            os.seteuid(0)
    assert result.exit == Exit.NO_PERMISSION
    assert f"You may not open {directory}/state/gsmbridge.sock" in result.err
    assert "sudo" in result.err
