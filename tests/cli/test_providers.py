"""`provider` and `route` against real drivers and simulated providers; `simulate --providers` as a process."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import httpx
import pytest

from bridge.cli.exits import Exit
from drivers.registry import PROVIDERS
from tests.cli.support import PHONE, Service, command
from tests.cli.test_demo import read_until, started


def test_ls_shows_the_accounts_and_modem_ls_the_modems(service: Service) -> None:
    service.provide("mobizon")
    assert [p["id"] for p in service.command("provider", "ls", "-o", "json").json["providers"]] == ["mobizon"]
    assert [c["id"] for c in service.command("modem", "ls", "-o", "json").json["channels"]] == ["gsm1"]
    assert "mobizon" in service.command("provider", "ls").out


def test_without_an_account_the_manual_is_named(service: Service) -> None:
    for name in ("ls", "balance", "test"):
        told = service.command("provider", name)
        assert (told.exit, told.out) == (Exit.OK, "")
        assert "providers.md" in told.err


def test_balances_of_all_five(service: Service) -> None:
    simulation = service.provide(*PROVIDERS)
    told = service.command("provider", "balance", "-o", "json")
    assert told.exit == Exit.OK, told.err
    found = {b["id"]: b for b in told.json["balances"]}
    assert list(found) == list(PROVIDERS)
    assert found["mobizon"]["amount"] == str(simulation.account("mobizon").credit)
    assert found["serwersms"]["unit"] == "messages"
    assert found["freshmail"]["problem"]["code"] == "not_offered"
    assert {name for name, b in found.items() if b["problem"]} == {"freshmail"}
    assert "EUR" in service.command("provider", "balance", "mobizon").out
    assert service.command("provider", "balance", "freshmail").exit == Exit.UNAVAILABLE


def test_test_says_that_all_five_work(service: Service) -> None:
    service.provide(*PROVIDERS)
    told = service.command("provider", "test", "-o", "json")
    assert told.exit == Exit.OK, told.out
    assert {t["id"]: t["ok"] for t in told.json["tests"]} == dict.fromkeys(PROVIDERS, True)


def test_test_explains_wrong_credentials(service: Service) -> None:
    service.provide("mobizon", api_key="WRONG" * 8)
    told = service.command("provider", "test")
    assert told.exit == Exit.UNAVAILABLE
    assert "FAILS" in told.out
    assert "the login and its secrets" in told.out
    assert "WRONG" not in told.out + told.err
    assert service.command("provider", "test", "-o", "json").json["tests"][0]["ok"] is False


def test_test_explains_a_provider_that_is_gone_and_one_that_was_never_there(service: Service) -> None:
    service.provide("mobizon")
    service.cut("mobizon")
    told = service.command("provider", "test", "mobizon")
    assert told.exit == Exit.UNAVAILABLE
    assert "cannot be reached" in told.out
    unknown = service.command("provider", "test", "cloud9")
    assert unknown.exit == Exit.NO_INPUT
    assert "There are: mobizon" in unknown.err
    assert service.command("provider", "senders", "cloud9").exit == Exit.NO_INPUT


def test_cost_status_and_subscriber(service: Service) -> None:
    service.provide("smsc")
    told = service.command("provider", "cost", "smsc", PHONE, "ż" * 71)
    assert (told.exit, told.out) == (Exit.OK, "1.80 RUB  (2 parts)\n")
    looked_up = service.command("provider", "hlr", "smsc", PHONE, "-o", "json")
    assert looked_up.json["number"] == PHONE
    reference = looked_up.json["facts"]["reference"]
    asked = service.command("provider", "status", "smsc", reference, "--to", PHONE, "-o", "json")
    assert asked.exit == Exit.OK, asked.err
    assert asked.json["reference"] == reference
    assert "reachable" in service.command("provider", "hlr", "smsc", "+48600700801").out


def test_senders_and_a_provider_that_has_none(service: Service) -> None:
    service.provide("mobizon")
    names = {s["name"] for s in service.command("provider", "senders", "mobizon", "-o", "json").json["senders"]}
    assert "YourAlpha" in names
    refused = service.command("provider", "cost", "mobizon", PHONE)
    assert refused.exit == Exit.DATA
    assert "smsc" in refused.err


def sent(service: Service, name: str, count: int) -> None:
    """So many messages that the account of a provider sent, ordered by another program."""
    account, url = service.simulation.account(name), service.simulation.url(name)
    for n in range(count):
        if name == "mobizon":
            form = {"recipient": f"491510000{n:04}", "text": f"Pump {n}\x1b[2J", "from": "PLANT"}
            path = f"{url}/service/message/sendSmsMessage?apiKey={account.key}"
            assert httpx.post(path, data=form, trust_env=False, timeout=60).json()["code"] == 0
        else:
            order = {"gsm": f"+48600700{n:03}", "text": f"Pump {n}", "messageId": f"m-{n}"}
            login = {"authorization": f"Bearer {account.token}"}
            answer = httpx.post(f"{url}/rest/sms", json=order, headers=login, trust_env=False, timeout=60)
            assert answer.status_code == 200


def test_the_providers_own_messages_page_by_page(service: Service) -> None:
    service.provide("mobizon", zone="Europe/Berlin")
    empty = service.command("provider", "messages", "mobizon")
    assert (empty.exit, empty.out, empty.err) == (Exit.OK, "", "No message matches.\n")
    sent(service, "mobizon", 26)
    told = service.command("provider", "messages", "mobizon", "--sort", "to", "--desc")
    assert told.exit == Exit.OK, told.err
    lines = told.out.splitlines()
    heads = ["REFERENCE", "TO", "SENDER", "SENT", "STATUS", "PARTS", "COST", "NETWORK", "TEXT"]
    assert [head for head in lines[0].split() if head != "SENT"] == [head for head in heads if head != "SENT"]
    for word in ("9000026", "+4915100000025", "PLANT", "0.0500 EUR", "DE Example Mobile", "Pump 25\\x1b[2J"):
        assert word in lines[1]
    assert lines[-1] == "page 1 of 2 (26 messages), next: --page 2"
    last = service.command("provider", "messages", "mobizon", "--page", "2", "--since", "1d").out.splitlines()
    assert (len(last), last[-1]) == (3, "page 2 of 2 (26 messages), the last")
    beyond = service.command("provider", "messages", "mobizon", "--page", "7")
    assert beyond.err == "There is no page 7; the last is 2.\n"
    found = service.command(
        "provider", "messages", "mobizon", "--to", "+4915100000007", "--sender", "PLANT", "--where",
        "campaignIds=7000008", "--reference", "9000008", "--limit", "50", "-o", "json",
    ).json  # fmt: skip
    assert (found["total"], found["next"]) == (1, None)
    assert found["items"][0]["text"] == "Pump 7\x1b[2J"


def test_a_list_shows_the_columns_that_its_provider_fills(service: Service) -> None:
    service.provide("freshmail")
    sent(service, "freshmail", 2)
    lines = service.command("provider", "messages", "freshmail").out.splitlines()
    assert lines[0].split() == ["REFERENCE", "TO", "SENT", "STATUS"]
    assert [line.split()[:2] for line in lines[1:]] == [["m-0", "+48600700000"], ["m-1", "+48600700001"]]


@pytest.mark.parametrize(
    ("provider", "arguments", "exit", "says"),
    [
        ("mobizon", ("--limit", "30"), Exit.DATA, "25, 50 or 100"),
        ("mobizon", ("--where", "colour=red"), Exit.DATA, "campaignIds"),
        ("mobizon", ("--where", "colour"), Exit.DATA, "NAME=VALUE"),
        ("mobizon", ("--desc",), Exit.USAGE, "--sort"),
        ("mobizon", ("--since", "yesterday"), Exit.USAGE, "--since"),
        ("freshmail", ("--status", "SENT"), Exit.DATA, "since, until"),
        ("clickatell", (), Exit.DATA, "panel"),
    ],
)
def test_a_list_that_cannot_be_asked_for_says_why(
    service: Service, provider: str, arguments: tuple[str, ...], exit: Exit, says: str
) -> None:
    service.provide(provider)
    refused = service.command("provider", "messages", provider, *arguments)
    assert (refused.exit, refused.out) == (exit, "")
    assert says in refused.err


def test_route_test_shows_where_and_why(service: Service) -> None:
    told = service.command("route", "test", PHONE)
    assert told.exit == Exit.OK
    lines = told.out.splitlines()
    assert lines[0] == "route modem-first"
    assert [line.split()[:2] for line in lines[2:]] == [["1", "gsm1"], ["2", "cloud1"], ["no", "gsm2"]]
    assert "plug it in again" in lines[4]
    first = service.command("route", "test", PHONE, "--route", "cloud-first", "-o", "json").json
    assert [c["channel"] for c in first["candidates"]] == ["cloud1", "gsm1"]


def test_route_test_fails_where_no_channel_can(service: Service) -> None:
    told = service.command("route", "test", PHONE, "--channel", "gsm2")
    assert told.exit == Exit.FAILED
    assert "unplugged" in told.out
    assert service.command("route", "test", "abc").exit == Exit.DATA


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--modems", "0"), "--providers"),
        (("--callback", "smsc=http://x"), "need --providers"),
        (("--providers", "--modems", "0", "--callback", "smsc"), "write NAME=URL"),
        (("--providers", "--modems", "0", "--callback", "acme=http://x"), "serwersms"),
    ],
)
def test_a_simulation_that_cannot_be(arguments: tuple[str, ...], says: str) -> None:
    refused = command("simulate", *arguments)
    assert refused.exit == Exit.USAGE
    assert says in refused.err


@pytest.mark.parametrize(
    ("modems", "lines"), [("0", r'"providers".*\n'), ("1", r'(?s)(?=.*"modems".*\n)(?=.*"providers".*\n)')]
)
def test_simulated_providers_are_there_until_they_are_stopped(tmp_path: Path, modems: str, lines: str) -> None:
    with started("simulate", "--providers", "--modems", modems, "-o", "json", temporary=tmp_path) as process:
        told = [json.loads(line) for line in read_until(process, lines).splitlines()]
        assert any("modems" in one for one in told) == (modems == "1")
        found = next(one["providers"] for one in told if "providers" in one)
        assert set(found) == set(PROVIDERS)
        url = f"{found['mobizon']['url']}/service/user/getOwnBalance?apiKey={found['mobizon']['key']}"
        assert "balance" in httpx.get(url, trust_env=False, timeout=60).text
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


def test_a_service_with_two_accounts_sends_by_them_and_takes_their_calls(temporary: Path) -> None:
    def secret(name: str, value: str) -> str:
        file = temporary / name
        file.write_text(value + "\n")
        file.chmod(0o600)
        return str(file)

    token = "0123456789abcdef0123"
    with started("simulate", "--providers", "--modems", "0", "-o", "json", temporary=temporary) as simulation:
        found = json.loads(read_until(simulation, r'"providers".*\n'))["providers"]
        smsc, mobizon = found["smsc"], found["mobizon"]
        config = temporary / "c.toml"
        config.write_text(
            f'[service]\nstate_dir = "{temporary}/state"\nlisten = "127.0.0.1:0"\n'
            f'[[provider]]\nid = "sms"\ndriver = "smsc"\nurl = "{smsc["url"]}/sys/soap.php"\n'
            f'login = "{smsc["login"]}"\n'
            f'password_file = "{secret("password", smsc["password"])}"\n'
            f'callback_token_file = "{secret("token", token)}"\n'
            f'[[provider]]\nid = "mob"\ndriver = "mobizon"\nurl = "{mobizon["url"]}"\n'
            f'api_key_file = "{secret("key", mobizon["key"])}"\n'
            '[[route]]\nname = "germany"\nchannels = ["mob", "sms"]\nprefixes = ["+49"]\n'
        )
        checked = command("config", "check", config)
        assert checked.out.endswith("good, 0 modems, 2 provider accounts, 1 route.\n")
        with started("run", "--config", str(config), temporary=temporary) as service:
            assert service.stderr is not None
            log = ""
            while log.count(" channel_up ") < 2:
                log += (line := service.stderr.readline())
                assert line, log
            tested = command("provider", "test", "--config", config)
            assert tested.exit == Exit.OK, tested.out
            sent = command("send", "Hello", "--to", PHONE, "--channel", "sms", "--wait", "sent", "--config", config)
            assert sent.exit == Exit.OK, sent.err
            way = command("route", "test", "+4915112345678", "--config", config, "-o", "json").json
            assert (way["route"], [c["channel"] for c in way["candidates"]]) == ("germany", ["mob", "sms"])
            url = next(word for word in log.split() if word.startswith("url=")).removeprefix("url=")
            reply = {"phone": PHONE.removeprefix("+"), "mes": "And back", "to": "79990000000"}
            for key, status in ((token, 200), (token[:-1] + "x", 404)):
                answer = httpx.post(f"{url}/v1/callbacks/sms/{key}", data=reply, trust_env=False, timeout=60)
                assert answer.status_code == status
            inbox = command("inbox", "--config", config, "-o", "json").json
            assert [m["text"] for m in inbox["inbound"]] == ["And back"]
            service.send_signal(signal.SIGTERM)
            log += service.stderr.read()
        assert service.returncode == 0
        for value in (token, mobizon["key"]):
            assert value not in log
        simulation.send_signal(signal.SIGINT)
        assert simulation.communicate(timeout=30)[1] == ""
