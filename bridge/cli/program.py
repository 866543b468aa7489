"""The program: every command under its name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated

import typer

from bridge.cli import (
    backups,
    bundle,
    configuration,
    conversations,
    demo,
    dialogue,
    doctor,
    inbox,
    install,
    keys,
    messages,
    modems,
    optouts,
    prove,
    providers,
    reschedule,
    routes,
    schedules,
    send,
    service,
    simulators,
    ussd,
    watch,
    webhooks,
)
from bridge.cli.exits import Exit

__all__ = ["program"]


def _version(wanted: bool) -> None:
    if wanted:
        from bridge import __version__

        print(f"gsmbridge {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """SMS gateway for GSM modems and providers: it never loses, doubles or silently drops a text."""


def _group(help: str) -> typer.Typer:
    return typer.Typer(help=help, no_args_is_help=True, context_settings=_CONTEXT)


def _add(group: typer.Typer, command: Callable[..., None], name: str | None = None) -> None:
    @wraps(command)
    def guarded(**arguments: object) -> None:
        try:
            command(**arguments)
        except KeyboardInterrupt:
            raise typer.Exit(Exit.INTERRUPTED) from None
        except BrokenPipeError:
            # Whoever read our output has seen enough (`| head`): no failure. What is left goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit from None

    group.command(name)(guarded)


_CONTEXT = {"help_option_names": ["-h", "--help"]}

program = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=_CONTEXT,
    callback=_root,
)
_add(program, service.run)
_add(program, demo.demo)
_add(program, simulators.simulate)
_add(program, send.send)
_add(program, messages.ls)
_add(program, messages.show)
_add(program, messages.cancel)
_add(program, reschedule.reschedule)
_add(program, inbox.inbox)
_add(program, conversations.reply)
_add(program, optouts.calls)
_add(program, doctor.doctor)
_add(program, watch.check)
_add(program, bundle.support_bundle, "support-bundle")
_add(program, backups.backup)
_add(program, backups.restore)
_add(program, install.install)

_conversation = _group("Conversations: what people write to us, and we to them.")
_add(_conversation, conversations.ls)
_add(_conversation, conversations.show)
program.add_typer(_conversation, name="conversation")

_optout = _group("Opt-outs: who wants no more texts.")
_add(_optout, optouts.ls)
_add(_optout, optouts.add)
_add(_optout, optouts.remove)
program.add_typer(_optout, name="optout")

_modem = _group("The modems: what they are, how they are, where they are.")
_add(_modem, modems.ls)
_add(_modem, modems.info)
_add(_modem, modems.scan)
_add(_modem, ussd.ussd)
_add(_modem, prove.prove)
_add(_modem, dialogue.recording)
_add(_modem, dialogue.record)
_add(_modem, dialogue.replay)
program.add_typer(_modem, name="modem")

_provider = _group("The accounts at providers: what they are, how they are, what can be asked.")
_add(_provider, providers.ls)
_add(_provider, providers.balance)
_add(_provider, providers.cost)
_add(_provider, providers.senders)
_add(_provider, providers.status)
_add(_provider, providers.messages)
_add(_provider, providers.check, "test")
_add(_provider, providers.hlr)
program.add_typer(_provider, name="provider")

_route = _group("Routes: where messages go.")
_add(_route, routes.explain, "test")
program.add_typer(_route, name="route")

_schedule = _group("Recurring sends: a text again and again, by a rule.")
_add(_schedule, schedules.add)
_add(_schedule, schedules.ls)
_add(_schedule, schedules.show)
_add(_schedule, schedules.following, "next")
_add(_schedule, schedules.edit)
_add(_schedule, schedules.pause)
_add(_schedule, schedules.resume)
_add(_schedule, schedules.remove, "rm")
program.add_typer(_schedule, name="schedule")
_webhook = _group("Endpoints that hear of events: webhooks and mail addresses.")
_add(_webhook, webhooks.add)
_add(_webhook, webhooks.ls)
_add(_webhook, webhooks.show)
_add(_webhook, webhooks.remove, "rm")
_add(_webhook, webhooks.try_out, "test")
_add(_webhook, webhooks.rotate)
_add(_webhook, webhooks.enable)
_add(_webhook, webhooks.disable)
_add(_webhook, webhooks.deliveries)
_add(_webhook, webhooks.dead)
_add(_webhook, webhooks.replay)
program.add_typer(_webhook, name="webhook")

_key = _group("API keys.")
_add(_key, keys.create)
_add(_key, keys.ls)
_add(_key, keys.revoke)
program.add_typer(_key, name="key")

_config = _group("The configuration file.")
_add(_config, configuration.check)
_add(_config, configuration.example)
_add(_config, configuration.show)
program.add_typer(_config, name="config")
