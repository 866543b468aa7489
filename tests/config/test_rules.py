"""Every rule of the configuration as a row: what is written, where the mistake is, what the person reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.config import ConfigError, Modem, Problem, Secret, SecretKind, SecretProblem, Settings, parse
from bridge.model import DoubtPolicy

MODEM = '[[modem]]\nid = "gsm1"\nport = "/dev/ttyUSB0"\n'


def read(text: str) -> Settings:
    return parse(text, read_secret=no_secret)


def no_secret(kind: SecretKind, name: str) -> str:
    raise SecretProblem(f"{name} cannot be read: nothing is there")


def problems(text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return caught.value.problems


GOOD = [
    ("[service]\nlisten = '[::1]:80'", "service.listen", "[::1]:80"),
    ("[service]\nlisten = 'localhost:0'", "service.listen", "localhost:0"),
    ("[service]\nlisten = '0.0.0.0:80'\nallow_remote = true", "service.listen", "0.0.0.0:80"),
    ("[service]\nregion = 'PL'", "service.region", "PL"),
    ("[service]\nlog_level = 'debug'", "service.log_level", "debug"),
    ("[service]\nstate_dir = '/srv/sms'", "service.socket", Path("/srv/sms/gsmbridge.sock")),
    ("[service]\nsocket = '/run/s.sock'", "service.socket", Path("/run/s.sock")),
    ("[limits]\nmax_parts = 255", "limits.max_parts", 255),
    ("[limits]\nmax_recipients = 5", "limits.max_recipients", 5),
    ("[limits]\nmax_body = '512KiB'", "limits.max_body", 524_288),
    ("[limits]\nmax_body = 2048", "limits.max_body", 2048),
    ("[sending]\npolicy = 'urgent'", "sending.policy", DoubtPolicy.URGENT),
    ("[sending]\nevidence_window = '1.5h'", "sending.evidence_window", 5400.0),
    ("[sending]\nevidence_window_priority = 90", "sending.evidence_window_priority", 90.0),
    ("[sending]\nvalidity = 'none'", "sending.validity", None),
    ("[sending]\nvalidity = '2d'", "sending.validity", 172_800),
    ("[sending]\nreport = false", "sending.report", False),
    ("[sending]\nretry = ['1s', '1m', 3600]", "sending.retry", (1.0, 60.0, 3600.0)),
    ("[sending]\nmax_tries = 1", "sending.max_tries", 1),
]


@pytest.mark.parametrize(("text", "where", "value"), GOOD, ids=[g[0].replace("\n", " ") for g in GOOD])
def test_a_setting_is_taken(text: str, where: str, value: object) -> None:
    settings = read(text)
    table, _, name = where.partition(".")
    assert getattr(getattr(settings, table), name) == value


def test_a_modem_is_taken_whole() -> None:
    settings = parse(
        MODEM
        + 'baudrate = 9600\nrtscts = true\nimei = "490154203237518"\niccid = "8948010000012345678"\n'
        + 'pin_file = "/etc/pin"\nsmsc = "+48602951111"\nstorage = "ME"\nprofile = "huawei"\npoll = "10s"\n'
        + 'result_timeout = "2m"\ntrace = true\n',
        read_secret=lambda kind, name: f"{ {'/etc/pin': '1234'}[name] }\n" if kind is SecretKind.FILE else "",
    )
    assert settings.modems == (
        Modem(
            id="gsm1",
            port="/dev/ttyUSB0",
            baudrate=9600,
            rtscts=True,
            imei="490154203237518",
            iccid="8948010000012345678",
            pin=Secret("1234"),
            smsc="+48602951111",
            storage="ME",
            profile="huawei",
            poll=10.0,
            result_timeout=120.0,
            trace=True,
        ),
    )


@pytest.mark.parametrize(
    "port", ["/dev/serial/by-id/usb-x", "socket://10.0.0.2:4000", "rfc2217://[::1]:7?logging=debug"]
)
def test_every_kind_of_port_is_taken(port: str) -> None:
    assert read(f"[[modem]]\nid = 'a'\nport = '{port}'").modems[0].port == port


def test_a_modem_known_by_its_imei_needs_no_port() -> None:
    assert read("[[modem]]\nid = 'a'\nimei = '490154203237518'").modems[0].port == ""


BAD = [
    # unknown names, with the one that is meant
    ("[servce]\n", "servce", "did you mean service?"),
    ("[banana]\n", "banana", "[webhooks], [mail], [canary], [[modem]], [[provider]], [[route]]"),
    ("[service]\nlog = 'info'", "service.log", "there is no such setting"),
    ("[limits]\nmax_part = 3", "limits.max_part", "did you mean max_parts?"),
    ("listen = '127.0.0.1:1'", "listen", "there is no such table"),
    (MODEM + "prot = 'x'", "modem[0].prot", "did you mean port?"),
    # shapes
    ("service = 1", "service", "write [service] on a line of its own"),
    ("[modem]\nid = 'a'", "modem", "begin each with [[modem]]"),
    ("modem = [1]", "modem", "begin each with [[modem]]"),
    # addresses
    ("[service]\nlisten = '0.0.0.0:8025'", "service.listen", "set service.allow_remote = true"),
    ("[service]\nlisten = '[::]:8025'", "service.listen", "can be reached from other machines"),
    ("[service]\nlisten = '127.0.0.1'", "service.listen", "has no port"),
    ("[service]\nlisten = '127.0.0.1:70000'", "service.listen", "has no port from 0 to 65535"),
    ("[service]\nlisten = '::1:8025'", "service.listen", "stands in brackets"),
    ("[service]\nlisten = '[127.0.0.1]:8025'", "service.listen", "stands in brackets"),
    ("[service]\nlisten = 'sms.example.org:80'", "service.listen", "has no IP address"),
    ("[service]\nlisten = 8025", "service.listen", "is no text"),
    ("[service]\nallow_remote = 'yes'", "service.allow_remote", "neither true nor false"),
    # paths
    ("[service]\nstate_dir = 'var/lib'", "service.state_dir", "is no absolute path"),
    (f"[service]\nsocket = '/{'x' * 107}'", "service.socket", "longer than 107 octets"),
    (f"[service]\nstate_dir = '/{'x' * 100}'", "service.state_dir", "choose a shorter one"),
    # words
    ("[service]\nregion = 'pl'", "service.region", "two capital letters"),
    ("[service]\nregion = 'UK'", "service.region", 'the United Kingdom is "GB"'),
    ("[service]\nlog_level = 'inof'", "service.log_level", "did you mean info?"),
    ("[sending]\npolicy = 'at_least_one'", "sending.policy", "did you mean at_least_once?"),
    # numbers
    ("[limits]\nmax_parts = 0", "limits.max_parts", "give 1 to 255"),
    ("[limits]\nmax_parts = 256", "limits.max_parts", "give 1 to 255"),
    ("[limits]\nmax_parts = true", "limits.max_parts", "is no whole number"),
    ("[limits]\nmax_parts = '10'", "limits.max_parts", "without quotes"),
    ("[limits]\nmax_recipients = 1.5", "limits.max_recipients", "is no whole number"),
    ("[sending]\nmax_tries = -1", "sending.max_tries", "give 1 to 1000"),
    # durations
    ("[sending]\nevidence_window = '10 min'", "sending.evidence_window", "is no duration"),
    ("[sending]\nevidence_window = '0s'", "sending.evidence_window", 'give "1s" to "7d"'),
    ("[sending]\nevidence_window = nan", "sending.evidence_window", "out of range"),
    ("[sending]\nevidence_window = true", "sending.evidence_window", "is no duration"),
    ("[sending]\nevidence_window_priority = -5", "sending.evidence_window_priority", "out of range"),
    ("[sending]\nvalidity = 'never'", "sending.validity", "is no duration"),
    ("[sending]\nvalidity = '59s'", "sending.validity", 'or "none"'),
    ("[sending]\nvalidity = '64000000s'", "sending.validity", "63 weeks"),
    ("[sending]\nretry = []", "sending.retry", "is no list"),
    ("[sending]\nretry = '30s'", "sending.retry", "is no list"),
    ("[sending]\nretry = ['30s', 'soon']", "sending.retry", '"soon" is no duration'),
    ("[sending]\nreport = 1", "sending.report", "neither true nor false"),
    # sizes
    ("[limits]\nmax_body = '16MB'", "limits.max_body", "is no size"),
    ("[limits]\nmax_body = 10", "limits.max_body", "give 1024 to"),
    ("[limits]\nmax_body = false", "limits.max_body", "is no size"),
    # modems
    ("[[modem]]\nport = '/dev/x'", "modem[0].id", "is missing"),
    ("[[modem]]\nid = 'a'", "modem[0].port", "gsmbridge modem scan"),
    ("[[modem]]\nid = 'GSM 1'\nport = '/dev/x'", "modem[0].id", "is no channel name"),
    (f"[[modem]]\nid = '{'a' * 33}'\nport = '/dev/x'", "modem[0].id", "is no channel name"),
    ("[[modem]]\nid = 'a'\nport = 'COM3'", "modem[0].port", "is no port"),
    ("[[modem]]\nid = 'a'\nport = 'socket://host'", "modem[0].port", "is no port"),
    ("[[modem]]\nid = 'a'\nport = 'socket://host:99999'", "modem[0].port", "is no port"),
    (MODEM + "[[modem]]\nid = 'gsm1'\nport = '/dev/x'", "modem[1].id", '"gsm1" is already that of modem[0]'),
    (MODEM + "[[modem]]\nid = 'b'\nport = '/dev/ttyUSB0'", "modem[1].port", "is already that of modem[0]"),
    (MODEM + "imei = '12'", "modem[0].imei", "it has 14 to 16 digits"),
    (MODEM + "iccid = 89480100", "modem[0].iccid", "in quotes"),
    (MODEM + "smsc = 'home'", "modem[0].smsc", "service centre"),
    (MODEM + "storage = 'SIM'", "modem[0].storage", "not one of SM, ME, MT"),
    (MODEM + "profile = ''", "modem[0].profile", "no name of a profile"),
    (MODEM + "baudrate = 115201", "modem[0].baudrate", "not one of 9600"),
    (MODEM + "rtscts = 'on'", "modem[0].rtscts", "neither true nor false"),
    (MODEM + "poll = '1ms'", "modem[0].poll", 'give "1s" to "1h"'),
    (MODEM + "result_timeout = '1s'", "modem[0].result_timeout", 'give "5s" to "15m"'),
    (MODEM + "trace = 0", "modem[0].trace", "neither true nor false"),
    (MODEM + "windows = ['25-3']", "modem[0].windows", "25 is no time of a day"),
    # hours
    ("[timing]\nzone = 'Europe/Warsow'", "timing.zone", "did you mean Europe/Warsaw"),
    ("[timing]\nwindows = '9-21'", "timing.windows", "is no list"),
    ("[timing]\nwindows = ['9-9']", "timing.windows", "never opens"),
    ("[timing]\nwindows = ['holiday 9-12']", "timing.windows", "timing.holidays"),
    ("[timing]\nholidays = ['2026-02-31']", "timing.holidays", "there is no 2026-02-31"),
    ("[timing]\nwindows = ['mon 9-12']\n" + MODEM + "windows = ['tue 9-12']", "modem[0].windows", "open together"),
    # secrets
    (MODEM + "pin = '1234'", "modem[0].pin", "pin_file"),
    (MODEM + "pin = 1234", "modem[0].pin", "mode 0600"),
    (MODEM + "pin_file = 'pin'", "modem[0].pin_file", "is no absolute path"),
    (MODEM + "pin_file = '/nowhere'", "modem[0].pin_file", "nothing is there"),
    (MODEM + "pin_credential = '../x'", "modem[0].pin_credential", "is no name of a credential"),
    (MODEM + "pin_credential = 'sim'", "modem[0].pin_credential", "nothing is there"),
    (MODEM + "pin_file = '/a'\npin_credential = 'b'", "modem[0].pin_credential", "keep one of the two"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "at", "says"), BAD, ids=[f"{b[1]} {i}" for i, b in enumerate(BAD)])
def test_a_mistake_is_named_with_its_place_and_what_would_be_right(text: str, at: str, says: str) -> None:
    found = problems(text)
    assert [p.at for p in found] == [at]
    assert says in found[0].detail


def test_three_mistakes_are_named_at_once_in_the_order_of_the_file() -> None:
    found = problems(
        '[service]\nlisen = "x"\n\n[limits]\nmax_parts = "ten"\n\n' + MODEM + "[[modem]]\nid = 'b'\nport = 'x'\n"
    )
    assert [(p.at, p.line) for p in found] == [("service.lisen", 2), ("limits.max_parts", 5), ("modem[1].port", 12)]
    assert str(found[0]) == "line 2: service.lisen: there is no such setting; did you mean listen?"


def test_a_file_that_is_no_toml_is_told_with_its_line() -> None:
    (problem,) = problems("[service]\nlisten = 127.0.0.1\n")
    assert problem.at == ""
    assert problem.line == 2
    assert problem.detail.startswith("this is no TOML: ")


def test_a_pin_that_is_none_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(MODEM + "pin_file = '/p'", read_secret=lambda kind, name: "hunter2")
    assert "4 to 8 digits" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_refused_inline_pin_is_not_repeated() -> None:
    assert "987654" not in str(problems(MODEM + "pin = '987654'"))


def test_secrets_are_left_out_when_nobody_reads_them() -> None:
    assert parse(MODEM + "pin_file = '/p'", read_secret=None).modems[0].pin is None


def test_a_secret_does_not_show_itself() -> None:
    settings = parse(MODEM + "pin_file = '/p'", read_secret=lambda kind, name: "2468")
    assert "2468" not in f"{settings} {settings!r} {settings.modems[0].pin}"
    pin = settings.modems[0].pin
    assert pin is not None
    assert pin.reveal() == "2468"


def test_the_state_directory_given_holds_where_the_text_is_silent() -> None:
    settings = parse("", read_secret=None, state_dir=Path("/x"))
    assert settings.service.state_dir == Path("/x")
    assert settings.service.socket == Path("/x/gsmbridge.sock")
