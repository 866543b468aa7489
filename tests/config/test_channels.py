"""Accounts at providers and routes: what is taken, where the secrets come from, what is refused with which remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.config import (
    GROUPS,
    READY_MADE,
    ConfigError,
    Problem,
    Provider,
    Route,
    Secret,
    SecretKind,
    SecretProblem,
    Sending,
    Settings,
    load,
    parse,
)
from bridge.policy import routing

CLOUD = '[[provider]]\nid = "cloud1"\ndriver = "smsc"\n'
MODEM = '[[modem]]\nid = "gsm1"\nport = "/dev/ttyUSB0"\n'
ROUTE = '[[route]]\nname = "alarms"\nchannels = ["gsm1", "providers"]\n'
SECRETS = {
    "/etc/pw": "pass word\n",
    "/etc/key": "abc",
    "/etc/token": "0123456789abcdef0123\n",
    "/etc/empty": "\n",
    "/etc/short": "tooshort",
    "cred.pw": "from systemd",
}


def secret(kind: SecretKind, name: str) -> str:
    if name not in SECRETS or (kind is SecretKind.FILE) != name.startswith("/"):
        raise SecretProblem(f"{name} cannot be read: nothing is there")
    return SECRETS[name]


def read(text: str) -> Settings:
    return parse(text, read_secret=secret)


def problems(text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return caught.value.problems


def test_an_account_is_taken_with_the_settings_of_its_driver() -> None:
    settings = read(
        CLOUD
        + 'login = "shop"\npassword_file = "/etc/pw"\nsender = "Shop"\ntz = 2\nrates = [1.5, 2]\nflag = true\n'
        + 'ca_file = "/etc/ca.pem"\ncallback_token_file = "/etc/token"\n'
    )
    assert settings.providers == (
        Provider(
            id="cloud1",
            driver="smsc",
            options={
                "login": "shop",
                "password": "pass word",
                "sender": "Shop",
                "tz": 2,
                "rates": [1.5, 2],
                "flag": True,
                "ca_file": "/etc/ca.pem",
            },
            callback_secret=Secret("0123456789abcdef0123"),
        ),
    )


def test_any_setting_may_come_from_a_credential() -> None:
    found = read(CLOUD + 'login_file = "/etc/key"\npassword_credential = "cred.pw"\n').providers[0].options
    assert found == {"login": "abc", "password": "from systemd"}


def test_secrets_are_left_out_when_nobody_reads_them() -> None:
    text = CLOUD + 'login = "shop"\npassword_file = "/nowhere"\ncallback_token_file = "/nowhere"\n'
    found = parse(text, read_secret=None).providers[0]
    assert (found.options, found.callback_secret) == ({"login": "shop"}, None)


def test_an_account_does_not_show_its_secrets() -> None:
    settings = read(CLOUD + 'password_file = "/etc/pw"\ncallback_token_file = "/etc/token"\n')
    for shown in (f"{settings!r}", f"{settings}", f"{settings.providers[0]}"):
        assert "pass word" not in shown
        assert "0123456789abcdef" not in shown
        assert "cloud1" in shown


def test_a_password_file_of_others_is_refused_and_a_long_one_too(tmp_path: Path) -> None:
    for content, mode, says in (("x", 0o640, "chmod 600"), ("x" * 5000, 0o600, "longer than 4096")):
        file = tmp_path / "pw"
        file.write_text(content)
        file.chmod(mode)
        config = tmp_path / "c.toml"
        config.write_text(f'{CLOUD}password_file = "{file}"\n')
        with pytest.raises(ConfigError, match=says) as caught:
            load(config)
        assert [p.at for p in caught.value.problems] == ["provider[0].password_file"]
        file.unlink()


def test_a_password_need_not_be_ascii(tmp_path: Path) -> None:
    file = tmp_path / "pw"
    file.write_text("zażółć\n")
    file.chmod(0o600)
    config = tmp_path / "c.toml"
    config.write_text(f'{CLOUD}password_file = "{file}"\n')
    assert load(config).providers[0].options == {"password": "zażółć"}


def test_a_route_is_taken_whole() -> None:
    settings = read(
        MODEM
        + ROUTE
        + 'order = "least_load"\nprefixes = ["+48", "+49"]\nkinds = ["text"]\nclasses = [0, 1]\nsenders = ["Shop"]\n'
        + 'min_priority = 100\n\n[sending]\nroute = "alarms"\n'
    )
    assert settings.routes == (
        Route(
            name="alarms",
            channels=("gsm1", "providers"),
            order="least_load",
            prefixes=("+48", "+49"),
            kinds=("text",),
            classes=(0, 1),
            senders=("Shop",),
            min_priority=100,
        ),
    )
    assert settings.sending == Sending(route="alarms")


@pytest.mark.parametrize("name", ["modem-first", "cloud-first", "modems-only", "clouds-only"])
def test_a_ready_made_route_needs_no_table_and_may_have_one(name: str) -> None:
    assert read(f'[sending]\nroute = "{name}"').sending.route == name
    assert read(f'[[route]]\nname = "{name}"\nchannels = ["modems"]').routes[0].channels == ("modems",)


def test_the_names_are_those_of_the_routing_policy() -> None:
    assert set(READY_MADE) == set(routing.READY_MADE)
    assert set(GROUPS) == {name for route in routing.READY_MADE.values() for tier in route.tiers for name in tier}


BAD = [
    ("[[provider]]\nid = 'a'", "provider[0].driver", "is missing"),
    ("[[provider]]\ndriver = 'smsc'", "provider[0].id", "is missing"),
    ("[provider]\nid = 'a'", "provider", "begin each with [[provider]]"),
    ("[[provider]]\nid = 'A'\ndriver = 'smsc'", "provider[0].id", "is no channel name"),
    ("[[provider]]\nid = 'a'\ndriver = 7", "provider[0].driver", "is no text"),
    (MODEM + "[[provider]]\nid = 'gsm1'\ndriver = 'smsc'", "provider[0].id", "is already that of modem[0]"),
    (CLOUD + CLOUD, "provider[1].id", "is already that of provider[0]"),
    ("[[provider]]\nid = 'modems'\ndriver = 'smsc'", "provider[0].id", "names all modems in routes"),
    # secrets
    (CLOUD + "password = 'hunter2'", "provider[0].password", "password_file"),
    (CLOUD + "psw = 'hunter2'", "provider[0].psw", "mode 0600"),
    (CLOUD + "api_key = 'hunter2'", "provider[0].api_key", "api_key_credential"),
    (CLOUD + "apikey = 'hunter2'", "provider[0].apikey", "mode 0600"),
    (CLOUD + "api_secret = 'hunter2'", "provider[0].api_secret", "mode 0600"),
    (CLOUD + "token = 'hunter2'", "provider[0].token", "mode 0600"),
    (CLOUD + "callback_token = 'hunter2'", "provider[0].callback_token", "callback_token_file"),
    (CLOUD + "password_file = 'pw'", "provider[0].password_file", "is no absolute path"),
    (CLOUD + "password_file = '/nowhere'", "provider[0].password_file", "nothing is there"),
    (CLOUD + "password_file = '/etc/empty'", "provider[0].password_file", "is empty"),
    (CLOUD + "password_credential = '/etc/pw'", "provider[0].password_credential", "no name of a credential"),
    (CLOUD + "password_file = '/etc/pw'\npassword_credential = 'cred.pw'", "provider[0].password_credential",
     "keep one of the two"),
    (CLOUD + "login = 'x'\nlogin_file = '/etc/pw'", "provider[0].login_file", "stands beside login"),
    (CLOUD + "callback_token_file = '/etc/short'", "provider[0].callback_token_file", "openssl rand -hex 24"),
    (CLOUD + "callback_token_file = '/etc/token'\ncallback_token_credential = 'x'",
     "provider[0].callback_token_credential", "keep one of the two"),
    # routes
    ("[[route]]\nchannels = ['modems']", "route[0].name", "is missing"),
    ("[[route]]\nname = 'a'", "route[0].channels", "is missing"),
    ("[[route]]\nname = 'a'\nchannels = []", "route[0].channels", "is no list"),
    ("[[route]]\nname = 'a'\nchannels = 'modems'", "route[0].channels", "is no list"),
    (MODEM + "[[route]]\nname = 'a'\nchannels = ['gsm2']", "route[0].channels", "did you mean gsm1?"),
    ("[[route]]\nname = 'a'\nchannels = ['x']", "route[0].channels", "there are: modems, providers"),
    (MODEM + ROUTE + ROUTE, "route[1].name", "is already that of route[0]"),
    (MODEM + ROUTE + "order = 'random'", "route[0].order", "not one of listed, least_load"),
    (MODEM + ROUTE + "prefixes = ['48']", "route[0].prefixes", "with its country code"),
    (MODEM + ROUTE + "kinds = ['fax']", "route[0].kinds", "is not one of text"),
    (MODEM + ROUTE + "classes = [4]", "route[0].classes", "give 0 to 3"),
    (MODEM + ROUTE + "senders = ['']", "route[0].senders", "1 to 20 characters"),
    (MODEM + ROUTE + "min_priority = 200", "route[0].min_priority", "give -128 to 127"),
    (MODEM + ROUTE + "prefix = ['+48']", "route[0].prefix", "did you mean prefixes?"),
    ("[sending]\nroute = 'modem-frist'", "sending.route", "did you mean modem-first?"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "at", "says"), BAD, ids=[f"{b[1]} {i}" for i, b in enumerate(BAD)])
def test_a_mistake_is_named_with_its_place_and_what_would_be_right(text: str, at: str, says: str) -> None:
    found = problems(text)
    assert [p.at for p in found] == [at]
    assert says in found[0].detail
    assert "hunter2" not in str(found)


def test_all_mistakes_are_named_at_once() -> None:
    found = problems(CLOUD + 'password = "x"\ntoken = "y"\n\n[[route]]\nname = "a"\nchannels = ["nowhere"]\n')
    assert [(p.at, p.line) for p in found] == [
        ("provider[0].password", 4),
        ("provider[0].token", 5),
        ("route[0].channels", 9),
    ]


@pytest.mark.parametrize(
    ("line", "at", "says"),
    [
        ('balance_ussd = "101"', "balance_ussd", "ends with #"),
        ("balance_pattern = '([0-9.]+)'", "balance_pattern", "without the code"),
        ("balance_ussd = '*101#'\nbalance_pattern = '[0-9]+'", "balance_pattern", "around the amount"),
        ("balance_ussd = '*101#'\nbalance_pattern = '(a+)+'", "balance_pattern", "cannot be repeated"),
        ("balance_ussd = '*101#'\nbalance_pattern = '(a'", "balance_pattern", "at character 1"),
        ('balance_ussd = "*101#"\nbalance_currency = "zl"', "balance_currency", "ISO 4217"),
        ('balance_ussd = "*101#"\nbalance_low = "much"', "balance_low", "is no price"),
        ('balance_ussd = "*101#"\nbalance_every = "1s"', "balance_every", "out of range"),
    ],
)
def test_a_balance_that_cannot_be_asked_is_refused_with_its_place(line: str, at: str, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(MODEM + line, read_secret=secret)
    (problem,) = error.value.problems
    assert problem.at == f"modem[0].{at}"
    assert says in problem.detail
    assert problem.line


@pytest.mark.parametrize(
    ("table", "at", "says"),
    [
        ('channel = "gsm9"\nnumber = "+48600700801"', "channel", "did you mean gsm1?"),
        ('channel = "gsm1"', "number", "is missing"),
        ('number = "+48600700801"', "channel", "is missing"),
        ('channel = "gsm1"\nnumber = "600700801"', "number", "country code"),
        ('channel = "gsm1"\nnumber = "+48600700801"\nevery = "10m"\nwithin = "10m"', "within", "no shorter"),
        ('channel = "gsm1"\nnumber = "+48600700801"\nalarm_to = ["+48600700802"]', "alarm_to", "another channel"),
    ],
)
def test_a_canary_that_cannot_fly_is_refused_with_its_place(table: str, at: str, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(f"{MODEM}[canary]\n{table}\n", read_secret=secret)
    assert [(p.at, says in p.detail) for p in error.value.problems][:1] == [(f"canary.{at}", True)]
    assert all(p.line for p in error.value.problems)
