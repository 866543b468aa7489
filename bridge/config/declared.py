"""Every setting, declared once: name, reader, default, explanation. The checks, `example()` and the manual's test all
come from these tables. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from bridge.config import readers as read
from bridge.config.readers import Reader

__all__ = ["LISTS", "REFUSED", "TABLES", "Setting", "example"]

LISTS = ("modem", "provider", "route", "inbound_rule")  # written in double brackets, one table for each


def example() -> str:
    """A complete configuration with comments. As it stands it says the defaults."""
    pieces = [
        "# Configuration of gsm-bridge. What is written here are the defaults; lines that begin with # and no space\n"
        '# are settings without a default, take the # away to use them. Times: "30s", "10m", "24h", "7d", or a number\n'
        '# of seconds. Sizes: "512KiB", "16MiB", or a number of octets. `gsmbridge config check` names every mistake.\n'
    ]
    for name, settings in TABLES.items():
        commented = name in LISTS
        head = f"[[{name}]]" if commented else f"[{name}]"
        pieces.append("\n" + _INTRODUCTIONS[name] + ("#" if commented else "") + head + "\n")
        for setting in settings.values():
            mark = "#" if commented or not setting.default else ""
            value = setting.default or setting.sample
            pieces.append(f"{_comment(setting.about)}{mark}{setting.name} = {value}\n")
        pieces.append(_ENDINGS.get(name, ""))
    return "".join(pieces)


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    read: Reader
    about: str
    default: str = ""  # as TOML; "" = not set
    sample: str = ""  # what `example` shows where there is no default


def _declare(*settings: Setting) -> dict[str, Setting]:
    return {s.name: s for s in settings}


def _limits(what: str) -> Iterator[Setting]:
    """How much a channel may send."""
    for name, told in LIMITS.items():
        yield Setting(name=name, read=read.integer(1, 10_000_000), sample="500", about=told.format(what=what))
    yield Setting(
        name="count",
        read=read.choice("parts", "messages"),
        default='"parts"',
        about="What the limits count. A tariff mostly counts parts.",
    )
    yield Setting(
        name="reset_day",
        read=read.integer(1, 31),
        default="1",
        about="Day of the month on which the tariff begins anew.",
    )


LIMITS = {
    "per_minute": "Most that this {what} may send in a minute. What is more goes by another channel or waits.",
    "per_hour": "The same in an hour.",
    "per_day": "The same in a day, on the clock of timing.zone.",
    "per_month": "The same in a month of the tariff.",
    "recipients_per_day": "Most different people to whom this {what} may send in a day.",
    "recipients_per_month": "The same in a month of the tariff.",
}

TABLES: Mapping[str, dict[str, Setting]] = {
    "service": _declare(
        Setting(
            name="state_dir",
            read=read.path,
            sample='"/var/lib/gsmbridge"',
            about="Directory of the database, the private socket and the PIN guard (mode 0700). Without it: systemd's "
            "$STATE_DIRECTORY, /var/lib/gsmbridge for root, ~/.local/state/gsmbridge for others.",
        ),
        Setting(
            name="listen",
            read=read.listen,
            default='"127.0.0.1:8025"',
            about="Address and port of the HTTP API. Port 0 takes any free one.",
        ),
        Setting(
            name="allow_remote",
            read=read.boolean,
            default="false",
            about="Must be true before `listen` may name an address that other machines can reach. The API speaks "
            "plain HTTP: put a TLS proxy in front.",
        ),
        Setting(
            name="region",
            read=read.region,
            sample='"PL"',
            about='Country (ISO 3166) of numbers written without "+". Without it such numbers are refused.',
        ),
        Setting(
            name="log_level",
            read=read.choice("debug", "info", "warning", "error"),
            default='"info"',
            about="debug, info, warning or error. Texts and numbers are logged at debug only, secrets never.",
        ),
        Setting(
            name="socket",
            read=read.socket,
            sample='"/var/lib/gsmbridge/gsmbridge.sock"',
            about="The private socket (mode 0600) by which the command line talks to the service. Without it: "
            "gsmbridge.sock in state_dir.",
        ),
        Setting(
            name="clock",
            read=read.choice("auto", "synchronised", "always"),
            default='"auto"',
            about="When the wall clock is believed. auto: when it is plausible and has not jumped, on a board without "
            "a battery clock once a time server has set it or it has run for ten minutes. synchronised: only while the "
            "kernel says that a time server keeps it. always: no matter what; see schedules.md.",
        ),
        Setting(
            name="clock_settle",
            read=read.duration(1, 86_400),
            default='"10m"',
            about="How long a clock that was set by more than ten minutes, or that no time server has set, must run "
            "without another step before auto believes it.",
        ),
        Setting(
            name="usb_helper",
            read=read.socket,
            default='"/run/gsmbridge-usb.sock"',
            about="Socket of the helper that may reset USB devices; without it the service has no way to do so.",
        ),
        Setting(
            name="ports",
            read=read.each(read.pattern, '["/dev/ttyUSB*", "/dev/ttyACM*"]'),
            default='["/dev/serial/by-path/*", "/dev/serial/by-id/*", "/dev/ttyUSB*", "/dev/ttyACM*"]',
            about="Where a modem is looked for that is not at its port, the most lasting names first.",
        ),
    ),
    "limits": _declare(
        Setting(
            name="max_parts",
            read=read.integer(1, 255),
            default="10",
            about="A text that needs more parts is refused; each part is billed. 1 to 255.",
        ),
        Setting(
            name="max_recipients",
            read=read.integer(1, 100_000),
            default="10_000",
            about="Most messages in one batch.",
        ),
        Setting(
            name="max_body",
            read=read.size(1 << 10, 1 << 30),
            default='"16MiB"',
            about="Largest body of a request.",
        ),
    ),
    "sending": _declare(
        Setting(
            name="policy",
            read=read.policy,
            default='"at_least_once"',
            about="What to do when nobody knows whether a text was sent. at_most_once: never send it again. "
            "at_least_once: wait for evidence, then send it again, flagged as a possible duplicate. urgent: send it "
            "again at once by another channel, flagged.",
        ),
        Setting(
            name="evidence_window",
            read=read.duration(1, 7 * 86_400),
            default='"10m"',
            about="How long at_least_once waits for evidence.",
        ),
        Setting(
            name="evidence_window_priority",
            read=read.duration(1, 7 * 86_400),
            default='"60s"',
            about="The same for messages of priority 100 and above: alarms and one-time codes.",
        ),
        Setting(
            name="validity",
            read=read.validity,
            default='"24h"',
            about='How long a text may be tried, by us and by the network; "none" leaves it to the network.',
        ),
        Setting(
            name="report",
            read=read.boolean,
            default="true",
            about="Ask the network for delivery reports.",
        ),
        Setting(
            name="retry",
            read=read.durations,
            default='["30s", "2m", "10m"]',
            about="Waits between tries after proof that nothing was sent. The last one repeats.",
        ),
        Setting(
            name="max_tries",
            read=read.integer(1, 1000),
            default="10",
            about="Most tries of one message. A link that is down is not a try.",
        ),
        Setting(
            name="route",
            read=read.name("name of a route"),
            default='"modem-first"',
            about="Where messages go for which neither the order nor a rule names another route: modem-first, "
            "cloud-first, modems-only, clouds-only, or one of your own; see routing.md.",
        ),
        Setting(
            name="allow_to",
            read=read.each(read.party, '["+48"]'),
            sample='["+48", "+49"]',
            about="When set, orders to other numbers are refused: numbers, or how they begin.",
        ),
        Setting(
            name="deny_to",
            read=read.each(read.party, '["+4870"]'),
            sample='["+4870"]',
            about="Orders to these numbers are refused. Goes before allow_to.",
        ),
    ),
    "inbound": _declare(
        Setting(
            name="reply_window",
            read=read.duration(60, 30 * 86_400),
            default='"72h"',
            about="How long after a text an incoming one may be its answer.",
        ),
        Setting(
            name="early_publish",
            read=read.duration(30, 86_400),
            sample='"10m"',
            about="Pass a long text on after this time though parts of it are missing; it is told again when they "
            "come. Without it after 24 hours.",
        ),
        Setting(
            name="opt_out_words",
            read=read.some(read.keyword, '["STOP"]'),
            default='["STOP", "STOPALL", "UNSUBSCRIBE"]',
            about="Who sends one of these words, alone, gets no more texts. Write your own language's beside them. "
            "[] switches it off.",
        ),
        Setting(
            name="opt_in_words",
            read=read.some(read.keyword, '["START"]'),
            default='["START", "UNSTOP"]',
            about="Who sends one of these gets texts again.",
        ),
        Setting(
            name="opt_out_answer",
            read=read.sentence("an answer", '"Goodbye."'),
            default='"You will get no more texts from us. Reply START to get them again."',
            about='Sent once to who opts out; "" for no answer.',
        ),
        Setting(
            name="opt_in_answer",
            read=read.sentence("an answer", '"Welcome."'),
            default='"You will get our texts again. Reply STOP to end them."',
            about='Sent to who opts in again; "" for no answer.',
        ),
        Setting(
            name="answers_per_day",
            read=read.integer(0, 1000),
            default="10",
            about="Most automatic answers to one number within 24 hours, by all rules together. It ends a loop of two "
            "machines that answer each other.",
        ),
        Setting(
            name="allow_from",
            read=read.each(read.party, '["+48"]'),
            sample='["+48", "MyBank"]',
            about="When set, texts from others are stored and told to nobody: numbers, how they begin, or names.",
        ),
        Setting(
            name="deny_from",
            read=read.each(read.party, '["+4870"]'),
            sample='["+4870", "7245"]',
            about="Texts from these are stored and told to nobody. Goes before allow_from.",
        ),
        Setting(
            name="own_numbers",
            read=read.each(read.party, '["+48600700800"]'),
            sample='["+48600700800"]',
            about="Numbers of the SIMs here and of other gateways: they get no automatic answers.",
        ),
        Setting(
            name="allow_programs",
            read=read.boolean,
            default="false",
            about="Must be true before a rule may run a program.",
        ),
    ),
    "timing": _declare(
        Setting(
            name="zone",
            read=read.zone,
            sample='"Europe/Warsaw"',
            about="Time zone in which times and windows are read that name none. Without it the machine's.",
        ),
        Setting(
            name="by_recipient",
            read=read.boolean,
            default="true",
            about="Read windows on the clock of the recipient's number, where its country or prefix tells it.",
        ),
        Setting(
            name="windows",
            read=read.each(read.window, '["8-21"]'),
            sample='["mon-fri 8-21", "sat,sun,holiday 10-20"]',
            about="Hours in which texts may go; see timing.md. Outside them texts wait, but for priority 100 and "
            "above. Without it always.",
        ),
        Setting(
            name="holidays",
            read=read.each(read.holiday, '["2026-04-06", "*-12-25"]'),
            sample='["*-01-01", "2026-04-06", "*-12-25"]',
            about="Public holidays, on which windows of weekdays do not open.",
        ),
    ),
    "webhooks": _declare(
        Setting(
            name="allow_private",
            read=read.each(read.network, '["192.168.1.10", "10.0.0.0/8"]'),
            sample='["192.168.1.10", "10.0.0.0/8"]',
            about="Addresses and networks that webhooks may call though they are not public: this machine, your own "
            "network. Without it only public addresses are called.",
        ),
        Setting(
            name="allow_http",
            read=read.each(read.host, '["nodered.lan"]'),
            sample='["nodered.lan"]',
            about="Hosts that webhooks may call over http. All others need https.",
        ),
        Setting(
            name="ca_file",
            read=read.path,
            sample='"/etc/gsmbridge/ca.pem"',
            about="Certificates (PEM) of your own authority, trusted beside the public ones.",
        ),
        Setting(
            name="retry",
            read=read.durations,
            default='["5s", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "24h"]',
            about="Waits between tries, for webhooks and mail. After the last one an event is a dead letter.",
        ),
        Setting(
            name="keep",
            read=read.duration(5 * 86_400, 366 * 86_400),  # longer than anything is tried
            default='"30d"',
            about="How long events, deliveries and dead letters are kept.",
        ),
        Setting(
            name="backlog",
            read=read.integer(100, 10_000_000),
            default="100000",
            about="Most events that wait for one endpoint. What comes beyond is a dead letter at once, to be replayed.",
        ),
    ),
    "mail": _declare(
        Setting(
            name="host",
            read=read.host,
            sample='"mail.example.org"',
            about="The mail server (SMTP) that takes mail for endpoints of kind mail.",
        ),
        Setting(
            name="port",
            read=read.integer(1, 65_535),
            default="587",
            about="Its port: 587 with starttls, 465 with tls, 25 for a relay of your own.",
        ),
        Setting(
            name="tls",
            read=read.choice("starttls", "tls", "none"),
            default='"starttls"',
            about="starttls, tls from the first octet, or none: then everybody on the way reads along, and there is no "
            "user.",
        ),
        Setting(name="user", read=read.argument, sample='"gsmbridge"', about="Who logs in there."),
        Setting(
            name="password_file",
            read=read.path,
            sample='"/etc/gsmbridge/mail.password"',
            about="File with the password (mode 0600).",
        ),
        Setting(
            name="password_credential",
            read=read.name("name of a credential"),
            sample='"mail.password"',
            about="Or the name of a systemd credential with it.",
        ),
        Setting(
            name="sender",
            read=read.mail_address,
            sample='"gsmbridge@example.org"',
            about="The address that mail comes from.",
        ),
    ),
    "canary": _declare(
        Setting(
            name="channel",
            read=read.channel_id,
            sample='"gsm1"',
            about="The channel that sends it. Without it there is no canary.",
        ),
        Setting(
            name="number",
            read=read.full_number,
            sample='"+48600700801"',
            about="The number of a SIM here, in another modem, that gets it.",
        ),
        Setting(
            name="every",
            read=read.duration(300, 7 * 86_400),
            default='"1h"',
            about="How often. Each is a text that is billed.",
        ),
        Setting(
            name="within",
            read=read.duration(60, 86_400),
            default='"5m"',
            about="How long it may take before it is missed.",
        ),
        Setting(
            name="alarm_to",
            read=read.each(read.full_number, '["+48600700802"]'),
            sample='["+48600700802"]',
            about="Who gets a text, by another channel, when it is missed: once, and again after a day.",
        ),
    ),
    "modem": _declare(
        Setting(
            name="id",
            read=read.channel_id,
            sample='"gsm1"',
            about="Name of the channel: a-z, 0-9, - and _. Required.",
        ),
        Setting(
            name="port",
            read=read.port,
            sample='"/dev/serial/by-id/usb-HUAWEI_Mobile-if00-port0"',
            about="The AT port: a device path, socket://host:port or rfc2217://host:port. /dev/ttyUSB0 works too, but "
            "changes its number. `gsmbridge modem scan` finds it. Required where neither imei nor iccid stands.",
        ),
        Setting(
            name="baudrate",
            read=read.choice_of_numbers(9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600),
            default="115_200",
            about="Speed of a real serial line. USB modems ignore it.",
        ),
        Setting(
            name="rtscts",
            read=read.boolean,
            default="false",
            about="Hardware flow control: only where the cable really has the wires, else the first write blocks.",
        ),
        Setting(
            name="imei",
            read=read.digits("IMEI", 14, 16),
            sample='"490154203237518"',
            about="Identity of the modem. With it the modem is found again under any port name, and no other is used.",
        ),
        Setting(
            name="iccid",
            read=read.digits("ICCID", 18, 20),
            sample='"8948010000012345678"',
            about="Identity of the SIM card. With it no other card is used.",
        ),
        Setting(
            name="pin_file",
            read=read.path,
            sample='"/etc/gsmbridge/gsm1.pin"',
            about="File with the SIM's PIN, readable by nobody but the service's user (mode 0600).",
        ),
        Setting(
            name="pin_credential",
            read=read.name("name of a credential"),
            sample='"gsm1.pin"',
            about="Or the name of a systemd credential with the PIN (LoadCredential=, LoadCredentialEncrypted=).",
        ),
        Setting(
            name="smsc",
            read=read.smsc,
            sample='"+48602951111"',
            about="Service centre, where the SIM has none or a wrong one.",
        ),
        Setting(
            name="storage",
            read=read.choice("SM", "ME", "MT"),
            sample='"SM"',
            about="Where incoming texts are kept until we have them: SM (card), ME (modem) or MT. Without it the "
            "profile's choice.",
        ),
        Setting(
            name="profile",
            read=read.name("name of a profile"),
            sample='"huawei"',
            about="The kind of modem, where it does not say so itself: see modems.md.",
        ),
        Setting(
            name="poll",
            read=read.duration(1, 3600),
            default='"30s"',
            about="How often the storage is looked at, should the modem have kept silent about a text.",
        ),
        Setting(
            name="result_timeout",
            read=read.duration(5, 900),
            sample='"180s"',
            about="How long a modem may take to say whether a text went out. Without it the profile's time.",
        ),
        Setting(
            name="trace",
            read=read.boolean,
            default="false",
            about="Log every line to and from this modem at debug level, texts and numbers included.",
        ),
        Setting(
            name="windows",
            read=read.each(read.window, '["8-21"]'),
            sample='["8-21"]',
            about="Hours in which this modem sends, on the clock of timing.zone. Without it always.",
        ),
        Setting(
            name="prices",
            read=read.prices,
            sample='{ "+48" = "0.05", "*" = "0.20" }',
            about="What a part costs by this modem, by beginning of the number; * is all others. For routes "
            "that look at costs, see routing.md. All prices in one currency.",
        ),
        *_limits("modem"),
        Setting(
            name="recording",
            read=read.duration(0, 86_400),
            default='"15m"',
            about="How far back the flight recorder goes: what was said to and by the modem, numbers and texts masked, "
            "on disk in state_dir. 0 switches it off.",
        ),
        Setting(
            name="repair",
            read=read.boolean,
            default="true",
            about="Repair the modem when it is in trouble: register anew, restart its radio, and what "
            "`gsmbridge modem prove` has shown to work on it. Without it the port is only opened again.",
        ),
        Setting(
            name="power_command",
            read=read.each(read.argument, '["/usr/local/bin/relay", "3"]'),
            sample='["/usr/local/bin/relay", "3"]',
            about="A program with its arguments that cuts this modem's power, waits, and gives it back: a relay, a "
            "smart plug, uhubctl. Run without a shell as the service's user.",
        ),
        Setting(
            name="balance_ussd",
            read=read.ussd_code,
            sample='"*101#"',
            about="The code by which this SIM is asked what is left on it; see modems.md. Without it nobody asks.",
        ),
        Setting(
            name="balance_pattern",
            read=read.balance_pattern,
            sample="'saldo:? ([0-9.,]+)'",
            about="Where the amount stands in the answer: a regular expression with one group around it, capitals "
            "or not. Without it the first number.",
        ),
        Setting(
            name="balance_every",
            read=read.duration(600, 31 * 86_400),
            default='"24h"',
            about="How often it is asked. Some operators charge for it.",
        ),
        Setting(
            name="balance_low",
            read=read.money,
            sample='"5.00"',
            about="Below this sim.balance_low is told, once.",
        ),
        Setting(
            name="balance_currency",
            read=read.currency,
            sample='"PLN"',
            about="The currency of this SIM, for people who read the amount.",
        ),
        Setting(
            name="calls",
            read=read.choice("ignore", "hang_up"),
            default='"ignore"',
            about="What to do when somebody calls this SIM: let it ring, or end the call. Nobody ever answers it, and "
            "it is told as a missed call.",
        ),
    ),
    "provider": _declare(
        Setting(
            name="id",
            read=read.channel_id,
            sample='"cloud1"',
            about="Name of the channel: a-z, 0-9, - and _; no modem has the same. Required.",
        ),
        Setting(
            name="driver",
            read=read.name("name of a driver"),
            sample='"serwersms"',
            about="Whose account it is: serwersms, freshmail, clickatell, mobizon or smsc. Required.",
        ),
        Setting(
            name="callback_token_file",
            read=read.path,
            sample='"/etc/gsmbridge/cloud1.callback"',
            about="File (mode 0600) with the secret part of the address by which the provider calls us, "
            "/v1/callbacks/ID/SECRET: 16 or more letters and digits. Without it calls are refused and reports are "
            "only asked for.",
        ),
        Setting(
            name="callback_token_credential",
            read=read.name("name of a credential"),
            sample='"cloud1.callback"',
            about="Or the name of a systemd credential with it.",
        ),
        Setting(
            name="windows",
            read=read.each(read.window, '["8-21"]'),
            sample='["8-21"]',
            about="Hours in which this account is used, on the clock of timing.zone. Without it always.",
        ),
        Setting(
            name="prices",
            read=read.prices,
            sample='{ "+48" = "0.05", "*" = "0.20" }',
            about="What a part costs by this account, by beginning of the number; * is all others. For routes "
            "that look at costs, see routing.md. All prices in one currency.",
        ),
        *_limits("account"),
    ),
    "route": _declare(
        Setting(
            name="name",
            read=read.channel_id,
            sample='"alarms"',
            about="Its name: a-z, 0-9, - and _. One of a ready-made route takes that one's place. Required.",
        ),
        Setting(
            name="channels",
            read=read.each(read.channel_id, '["gsm1", "providers"]'),
            sample='["modems", "providers"]',
            about="Where the messages may go, best first: ids, or the groups modems and providers. Required.",
        ),
        Setting(
            name="order",
            read=read.choice("listed", "least_load", "cheapest"),
            default='"listed"',
            about="Which of them is taken: the first in the list that can, the least loaded, or the cheapest by "
            "`prices`.",
        ),
        Setting(
            name="sticky",
            read=read.boolean,
            default="false",
            about="The channel that last sent to a person, or received from them, comes before all others while it can "
            "send, so that replies reach the same SIM.",
        ),
        Setting(
            name="max_cost",
            read=read.money,
            sample='"0.50"',
            about="A channel by which the whole message would cost more is not used, nor one of unknown price.",
        ),
        Setting(
            name="prefixes",
            read=read.each(read.prefix, '["+48", "+49"]'),
            sample='["+48"]',
            about="For recipients whose number begins so.",
        ),
        Setting(
            name="kinds",
            read=read.each(read.kind, '["text"]'),
            sample='["text", "binary"]',
            about="For these kinds of message.",
        ),
        Setting(
            name="classes",
            read=read.each(read.integer(0, 3), "[0]"),
            sample="[0]",
            about="For these message classes; 0 is flash.",
        ),
        Setting(
            name="senders",
            read=read.each(read.sender, '["Shop"]'),
            sample='["Shop"]',
            about="For orders with one of these senders.",
        ),
        Setting(
            name="min_priority",
            read=read.integer(-128, 127),
            sample="100",
            about="For messages of this priority and above.",
        ),
        Setting(
            name="keys",
            read=read.each(read.name("name of an API key"), '["crm"]'),
            sample='["crm"]',
            about="For orders made with these API keys.",
        ),
        Setting(
            name="countries",
            read=read.each(read.region, '["PL"]'),
            sample='["PL", "CZ"]',
            about="For recipients whose number is of these countries (ISO 3166).",
        ),
        Setting(
            name="times",
            read=read.each(read.window, '["mon-fri 8-16"]'),
            sample='["mon-fri 8-16"]',
            about="For messages that are due in these hours, on the clock of timing.zone; see timing.md.",
        ),
        Setting(
            name="windows",
            read=read.each(read.window, '["8-21"]'),
            sample='["8-21"]',
            about="Hours in which messages of this route may go; no rule of choice, they wait. Without it always.",
        ),
    ),
    "inbound_rule": _declare(
        Setting(
            name="name",
            read=read.channel_id,
            sample='"info"',
            about="Its name: a-z, 0-9, - and _. Required.",
        ),
        Setting(
            name="keywords",
            read=read.each(read.keyword, '["INFO"]'),
            sample='["INFO", "HELP"]',
            about="The first word of the text is one of these, in capitals or not.",
        ),
        Setting(
            name="prefixes",
            read=read.each(read.keyword, '["ORDER "]'),
            sample='["ORDER "]',
            about="The text begins so, in capitals or not.",
        ),
        Setting(
            name="channels",
            read=read.each(read.channel_id, '["gsm1"]'),
            sample='["gsm1"]',
            about="It came by one of these.",
        ),
        Setting(
            name="senders",
            read=read.each(read.party, '["+48600700800"]'),
            sample='["+48600700800"]',
            about="It came from one of these: numbers, how they begin, or names. A sender can be forged.",
        ),
        Setting(
            name="needs_token",
            read=read.boolean,
            default="false",
            about="Only the first answer that says the `reply_token` of the message it answers: a one-time code.",
        ),
        Setting(
            name="forward",
            read=read.each(read.name("id of a webhook"), '["whk_0d1tk58v2e8r7"]'),
            sample='["whk_0d1tk58v2e8r7"]',
            about="Written into the event as `forward`: whom it is for.",
        ),
        Setting(
            name="reply",
            read=read.sentence("an answer", '"We are open from 8 to 16."'),
            sample='"We are open from 8 to 16."',
            about="Answered with this text, from the SIM that it came to. Never to short codes, names, our own numbers "
            "or texts older than a day.",
        ),
        Setting(
            name="daily_cap",
            read=read.integer(1, 1000),
            default="3",
            about="Most answers by this rule to one number within 24 hours.",
        ),
        Setting(
            name="program",
            read=read.each(read.argument, '["/usr/local/bin/on-text"]'),
            sample='["/usr/local/bin/on-text"]',
            about="A program with its arguments, run without a shell, the message as JSON on its standard input. Needs "
            "inbound.allow_programs and senders.",
        ),
        Setting(
            name="program_timeout",
            read=read.duration(1, 3600),
            default='"30s"',
            about="Then it is killed, and run again later.",
        ),
    ),
}

# Keys of a modem that deserve an answer of their own.
REFUSED = {
    "pin": "a PIN does not stand in the configuration; write it into a file of mode 0600 and name that with pin_file, "
    "or use pin_credential with systemd",
}

_INTRODUCTIONS = {
    "service": "",
    "limits": "",
    "sending": "# Defaults for messages; each order may say otherwise.\n",
    "timing": "# When texts may go. All must agree: these windows, and those of route, channel, key and order.\n",
    "inbound": "# What comes in; see inbound.md.\n",
    "webhooks": "# Endpoints themselves are made with `gsmbridge webhook add`.\n",
    "mail": "",
    "canary": "# A text from one SIM here to another, on a schedule; see monitoring.md.\n",
    "modem": "# One such table for each modem.\n",
    "provider": "# One such table for each account at a provider.\n",
    "route": "# Routes of your own; the ready-made ones need no table. A rule that is left out lets all through.\n",
    "inbound_rule": "# What is done with incoming texts: the first rule that fits. A condition that is left out lets "
    "all through.\n",
}

_ENDINGS = {
    "provider": "# And the driver's own settings, see providers.md. Any of them may be read from elsewhere: NAME_file "
    "is a file\n# (mode 0600), NAME_credential a systemd credential. Passwords, keys, tokens and secrets must be.\n"
    '#username = "webapi_shop"\n#password_file = "/etc/gsmbridge/cloud1.password"\n',
}


def _comment(text: str) -> str:
    words, lines, line = text.split(), [], "#"
    for word in words:
        if len(line) + 1 + len(word) > 118:
            lines.append(line)
            line = "#"
        line += " " + word
    return "\n".join([*lines, line]) + "\n"
