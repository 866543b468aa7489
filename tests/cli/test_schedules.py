"""`gsmbridge schedule`: what is printed, and what is refused."""

from __future__ import annotations

import json

import pytest

from bridge.cli.exits import Exit

from .support import PHONE, Service

ADD = ("schedule", "add", "every weekday at 08:00", "Good morning", "--to", PHONE, "--tz", "Europe/Warsaw")


def added(service: Service, *more: str) -> str:
    made = service.command(*ADD, *more, "-o", "json")
    assert made.exit == 0, made.err
    return str(json.loads(made.out)["id"])


def test_add_shows_the_next_times_on_the_clocks_of_the_zone(service: Service) -> None:
    made = service.command(*ADD, "--name", "greeting", "--count", "5")
    assert made.exit == 0, made.err
    shown = dict(line.split(None, 1) for line in made.out.splitlines())
    assert shown["state"] == "active"
    assert shown["sent"] == "0 of 5"
    assert shown["next"].count("08:00") == 3
    assert not {"Sat", "Sun"} & set(shown["next"].split())


def test_next_lists_ten_times(service: Service) -> None:
    id = added(service)
    assert len(service.command("schedule", "next", id).out.splitlines()) == 10
    assert len(json.loads(service.command("schedule", "next", id, "-o", "json").out)["next"]) == 10


def test_pause_resume_and_rm(service: Service) -> None:
    id = added(service)
    assert "paused" in service.command("schedule", "pause", id).out
    assert "paused" in service.command("schedule", "ls").out
    assert "active" in service.command("schedule", "resume", id).out
    assert "It has not run yet." in service.command("schedule", "show", id).err
    assert service.command("schedule", "rm", id).out == f"{id} is removed.\n"
    assert service.command("schedule", "show", id).exit == Exit.NO_INPUT
    assert "schedule add" in service.command("schedule", "ls").err


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("add", "0 0 31 2 *", "x", "--to", PHONE), Exit.DATA, "never fires"),
        (("add", "every day at 8:00", "x", "--to", PHONE, "--tz", "Europe/Warsow"), Exit.DATA, "Europe/Warsaw"),
        (("add", "every day at 8:00", "x"), Exit.USAGE, "no recipient"),
        (("show", "msg_1"), Exit.USAGE, "is no identifier of a schedule"),
    ],
)
def test_mistakes_are_named_with_what_would_be_right(
    service: Service, arguments: tuple[str, ...], status: Exit, says: str
) -> None:
    done = service.command("schedule", *arguments)
    assert (done.exit, done.out) == (status, "")
    assert says in done.err
