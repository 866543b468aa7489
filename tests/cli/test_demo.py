"""`demo` and `run` as a user starts them."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bridge.cli.exits import Exit
from tests.cli.support import command

CODE = "import sys; from bridge.cli import main; sys.exit(main())"


@contextlib.contextmanager
def started(*arguments: str, temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """The command as a process, which a test that fails does not leave behind."""
    with subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    """What the process prints, up to the line that matches. Raw, so that no line waits in a buffer of ours."""
    assert process.stdout is not None
    found = ""
    while not re.search(pattern, found):
        assert select.select([process.stdout], [], [], 30)[0], f"nothing came behind: {found}"
        piece = os.read(process.stdout.fileno(), 65536).decode()
        assert piece, f"it ended: {found}{process.stderr.read() if process.stderr else ''}"
        found += piece
    return found


def test_the_demo_tells_the_main_job_and_ends_well(temporary: Path) -> None:
    with started("demo", "-o", "json", temporary=temporary) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    story = [json.loads(line) for line in out.splitlines()]
    assert [s["at"] for s in story[1:-1]] == sorted(s["at"] for s in story[1:-1])

    def place(what: str, piece: str) -> int:
        return next(i for i, s in enumerate(story) if s["what"] == what and piece in s["story"])

    for text in ("text 1", "text 2", "text 3"):
        steps = [place(what, text) for what in ("accepted", "armed", "sent", "delivered")]
        assert steps == sorted(steps)
    assert re.search(r"TP-MR \d+", story[place("sent", "text 1")]["story"])
    assert place("sent", "text 3, part 1 of 2") < place("sent", "text 3, part 2 of 2")
    assert place("delivered", "text 1") < place("received", "Greetings from the other side")
    assert "stored as inb_" in story[place("received", "From one modem to the other")]["story"]
    assert "make demo KEEP=1" in story[-1]["story"]
    assert list(temporary.iterdir()) == []


def test_the_demo_that_is_kept_can_be_used(temporary: Path) -> None:
    with started("demo", "--keep", temporary=temporary) as process:
        told = read_until(process, r"gsmbridge inbox\n")
        config = re.search(r"GSMBRIDGE_CONFIG=(\S+)", told)
        url = re.search(r"It goes on at (\S+),", told)
        key = re.search(r"KEY=\$\(cat (\S+)\)", told)
        assert config
        assert url
        assert key
        sent = command(
            "send",
            "And one more",
            "--to",
            "+447700900101",
            "--wait",
            "delivered",
            "--timeout",
            "30s",
            "--config",
            config[1],
        )
        assert (sent.exit, sent.err) == (Exit.OK, "")
        read_until(process, "And one more")
        listed = command("ls", "--url", url[1], "--key-file", key[1], "-o", "json")
        assert len(listed.json["messages"]) == 5  # the key's own; the last one was the operator's
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert list(temporary.iterdir()) == []


def test_run_serves_until_it_is_told_to_stop(temporary: Path) -> None:
    config = temporary / "c.toml"
    config.write_text(f'[service]\nstate_dir = "{temporary}/state"\nlisten = "127.0.0.1:0"\n')
    with started("run", "--config", str(config), temporary=temporary) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if " ready " in line:
                break
        assert command("ls", "--config", config, "-o", "json").json == {"messages": []}
        second = subprocess.run(
            [sys.executable, "-c", CODE, "run", "--config", str(config)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode in (Exit.IO, Exit.UNAVAILABLE)
        assert "Traceback" not in second.stderr
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
    assert process.returncode == 0


def test_an_address_that_is_taken_is_told(temporary: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = temporary / "c.toml"
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        config.write_text(f'[service]\nstate_dir = "{temporary}/state"\nlisten = "{listen}"\n')
        ended = subprocess.run(
            [sys.executable, "-c", CODE, "run", "--config", str(config)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == Exit.UNAVAILABLE
    assert f"cannot listen on {listen}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_person_at_a_terminal_sees_a_progress_bar_and_a_program_does_not(temporary: Path) -> None:
    with started("demo", "--keep", temporary=temporary) as process:
        config = re.search(r"GSMBRIDGE_CONFIG=(\S+)", read_until(process, r"gsmbridge inbox\n"))
        assert config
        order = [
            "send",
            "Hi",
            "--to",
            "+447700900999",
            "--to",
            "+447700900998",
            "--wait",
            "sent",
            "--config",
            config[1],
        ]
        ours, theirs = pty.openpty()
        with subprocess.Popen([sys.executable, "-c", CODE, *order], stdout=subprocess.PIPE, stderr=theirs) as watched:
            os.close(theirs)
            seen = b""
            with contextlib.suppress(OSError):  # Linux says EIO when the other end is closed
                while piece := os.read(ours, 4096):
                    seen += piece
            os.close(ours)
            assert watched.wait(60) == 0
        assert b"accepted" in seen
        assert b"2/2" in seen
        assert command(*order).err == ""
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
