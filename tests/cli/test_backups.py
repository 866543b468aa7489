"""`backup` beside a running service, `restore` without one: whole or not at all, and nothing is sent twice."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.cli.exits import Exit
from bridge.model import Status
from tests.cli.support import PHONE, Service, command, running


def orders(service: Service, *texts: str) -> list[str]:
    found = []
    for text in texts:
        told = service.command("send", text, "--to", PHONE, "--output", "json")
        assert told.exit == Exit.OK, told.err
        found.append(str(told.json["id"]))
    return found


def statuses(service: Service) -> dict[str, tuple[str, str | None]]:
    items = service.command("ls", "--output", "json").json["messages"]
    return {m["text"]: (m["status"], m["code"]) for m in items}


def backed_up(directory: Path, file: Path) -> None:
    """Three texts at the backup, one more after it."""
    with running(directory) as service:
        first, second, _ = orders(service, "sent", "doubtful", "waits")
        service.move(first, Status.SENDING, Status.SENT)
        service.move(second, Status.SENDING, Status.IN_DOUBT)
        told = service.command("backup", file)
        assert told.exit == Exit.OK, told.err
        assert "3 messages" in told.out
        orders(service, "after the backup")


def test_a_backup_beside_the_running_service_is_private_whole_and_knows_what_it_is(
    service: Service, tmp_path: Path
) -> None:
    orders(service, "one", "two")
    file = tmp_path / "copy.sqlite"
    made = service.command("backup", file, "--output", "json").json
    assert (made["messages"], made["octets"]) == (2, file.stat().st_size)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.glob("copy*")) == ["copy.sqlite"]
    db = sqlite3.connect(file)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert db.execute("SELECT value FROM meta WHERE name = 'backup_at'").fetchone()[0]
    assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    db.close()
    again = service.command("backup", file)
    assert again.exit == Exit.CANT_CREATE
    assert "--force" in again.err
    orders(service, "three")
    assert service.command("backup", file, "--force", "--output", "json").json["messages"] == 3


def test_a_backup_without_a_database_or_a_place_says_so(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[service]\nstate_dir = "{tmp_path}/state"\n')
    told = command("backup", tmp_path / "b", "--config", config)
    assert (told.exit, "there is no database" in told.err) == (Exit.IO, True)
    with running(tmp_path) as service:
        told = service.command("backup", tmp_path / "nowhere" / "b")
        assert (told.exit, "cannot be written: No such file" in told.err) == (Exit.CANT_CREATE, True)


def test_a_backup_that_finds_no_room_leaves_no_file(service: Service, tmp_path: Path) -> None:
    orders(service, "one")
    file = tmp_path / "copy.sqlite"

    def little() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    told = subprocess.run(
        [sys.executable, "-m", "bridge.cli", "backup", str(file), "--config", str(service.config)],
        preexec_fn=little,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == Exit.IO, told.stderr
    assert "Traceback" not in told.stderr
    assert list(tmp_path.glob("copy*")) == []


def test_a_restore_beside_the_running_service_is_refused(service: Service, tmp_path: Path) -> None:
    orders(service, "one")
    file = tmp_path / "copy.sqlite"
    assert service.command("backup", file).exit == Exit.OK
    told = service.command("restore", file)
    assert told.exit == Exit.TEMPFAIL
    assert f"in use by process {os.getpid()}" in told.err
    assert "systemctl stop gsmbridge" in told.err
    assert statuses(service) == {"one": ("queued", None)}


def test_what_was_due_is_closed_and_told_and_the_former_database_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "copy.sqlite"
    backed_up(tmp_path, file)
    told = command("restore", file, "--config", tmp_path / "config.toml")
    assert told.exit == Exit.OK, told.err
    assert "3 messages" in told.out
    assert "What waited or was being sent (2 messages) may have been sent since" in told.out
    (aside,) = (p for p in (tmp_path / "state").glob("gsmbridge.sqlite.replaced-*") if not p.name.endswith("-wal"))
    assert str(aside) in told.out
    db = sqlite3.connect(aside)
    assert ("after the backup",) in db.execute("SELECT text FROM messages").fetchall()
    db.close()
    with running(tmp_path) as service:
        assert statuses(service) == {
            "sent": ("sent", None),
            "doubtful": ("unknown", "restored"),
            "waits": ("unknown", "restored"),
        }
        (new,) = orders(service, "new")
        assert service.command("show", new).exit == Exit.OK


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_root_restores_belongs_to_the_services_user(tmp_path: Path) -> None:
    backed_up(tmp_path, tmp_path / "copy.sqlite")
    os.chown(tmp_path / "state", 65534, 65534)
    assert command("restore", tmp_path / "copy.sqlite", "--config", tmp_path / "config.toml").exit == Exit.OK
    found = {p.name: (p.stat().st_uid, p.stat().st_mode & 0o077) for p in (tmp_path / "state").glob("gsmbridge.*")}
    assert len(found) >= 4
    assert set(found.values()) == {(65534, 0)}


def test_a_plain_copy_of_the_file_is_restored_with_the_same_care(tmp_path: Path) -> None:
    """Also onto a machine that never had one."""
    backed_up(tmp_path, tmp_path / "copy.sqlite")
    plain = tmp_path / "plain.sqlite"
    shutil.copy(tmp_path / "state" / "gsmbridge.sqlite", plain)
    shutil.rmtree(tmp_path / "state")
    told = command("restore", plain, "--config", tmp_path / "config.toml", "--output", "json")
    assert told.exit == Exit.OK, told.err
    assert told.json == {"file": str(plain), "made_at": None, "messages": 4, "closed": 3, "aside": None}


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "no database of gsm-bridge"), (b"[service]\n" * 999, "no database of gsm-bridge")]
)
def test_what_is_no_backup_changes_nothing(tmp_path: Path, content: bytes, says: str) -> None:
    backed_up(tmp_path, tmp_path / "copy.sqlite")
    before = (tmp_path / "state" / "gsmbridge.sqlite").read_bytes()
    bad = tmp_path / "bad.sqlite"
    bad.write_bytes(content)
    told = command("restore", bad, "--config", tmp_path / "config.toml")
    assert (told.exit, says in told.err) == (Exit.DATA, True), told.err
    assert "Nothing was changed" in told.err
    assert (tmp_path / "state" / "gsmbridge.sqlite").read_bytes() == before
    assert not list((tmp_path / "state").glob("*restoring*"))
    assert command("restore", tmp_path / "none", "--config", tmp_path / "config.toml").exit == Exit.NO_INPUT


def test_a_damaged_or_newer_backup_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "copy.sqlite"
    backed_up(tmp_path, file)
    newer = tmp_path / "newer.sqlite"
    shutil.copy(file, newer)
    with sqlite3.connect(newer) as db:
        db.execute("INSERT INTO migrations VALUES (9999, 'tomorrow', 0)")
    db.close()
    told = command("restore", newer, "--config", tmp_path / "config.toml")
    assert (told.exit, "schema 9999" in told.err) == (Exit.IO, True), told.err
    with file.open("r+b") as raw:
        raw.seek(file.stat().st_size // 2)
        raw.write(os.urandom(8192))
    told = command("restore", file, "--config", tmp_path / "config.toml")
    assert told.exit == Exit.DATA, told.err
