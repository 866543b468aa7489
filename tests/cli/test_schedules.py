"""`gsmbridge schedule`: what is printed, and what is refused."""

from __future__ import annotations

import json
from typing import Any

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


def shown(service: Service, id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(service.command("schedule", "show", id, "-o", "json").out)
    return found


def test_edit_changes_what_is_given_and_nothing_else(service: Service) -> None:
    id = added(service, "--name", "greeting", "--count", "5", "--ref", "r1", "--except", "2030-12-25")
    before = shown(service, id)
    done = service.command(
        "schedule", "edit", id, "--rule", "every weekday at 07:30", "--text", "Hello", "--priority", "3"
    )
    assert done.exit == 0, done.err
    assert "every weekday at 07:30" in done.out
    after = shown(service, id)
    assert after["message"] == {"text": "Hello", "ref": "r1", "priority": 3}
    same = set(before) - {"rule", "message", "next", "updated_at"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


def test_edit_takes_away_what_is_empty(service: Service) -> None:
    more = ("--name", "greeting", "--count", "5", "--ref", "r1", "--except", "2030-12-25", "--end", "2035-01-01")
    id = added(service, *more, "--grace", "2h", "--valid-for", "1h")
    empty = [
        word
        for option in ("name", "count", "ref", "except", "end", "grace", "valid-for")
        for word in (f"--{option}", "")
    ]
    done = service.command("schedule", "edit", id, *empty)
    assert done.exit == 0, done.err
    after = shown(service, id)
    assert (after["name"], after["count"], after["except"], after["end"]) == (None, None, [], None)
    assert (after["misfire_grace"], after["message"]) == (3600, {"text": "Good morning"})


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ((), Exit.USAGE, "nothing to change"),
        (("--count", "many"), Exit.USAGE, "'many' is no number"),
        (("--count", "0"), Exit.DATA, "count"),
        (("--end", "soon"), Exit.USAGE, "'soon' is no time"),
        (("--rule", "0 0 31 2 *"), Exit.DATA, "never fires"),
        (("--to", "abc"), Exit.DATA, "abc"),
        (("--channel", "gsm9"), Exit.DATA, "gsm9"),
    ],
)
def test_an_edit_that_cannot_be_leaves_it_as_it_was(
    service: Service, arguments: tuple[str, ...], status: Exit, says: str
) -> None:
    id = added(service)
    before = shown(service, id)
    done = service.command("schedule", "edit", id, *arguments)
    assert (done.exit, done.out) == (status, "")
    assert says in done.err
    assert shown(service, id) == before


def test_an_edit_of_what_is_not_there(service: Service) -> None:
    id = added(service)
    service.command("schedule", "rm", id)
    assert service.command("schedule", "edit", id, "--text", "x").exit == Exit.NO_INPUT
