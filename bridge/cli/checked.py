"""The whole configuration, checked as the service needs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.config import Modem, Provider, Settings

__all__ = ["load_checked"]


def load_checked(config: Path | None) -> Settings:
    """The settings with their secrets, and what only the drivers know checked: modem profiles, the settings of
    accounts. Raises `ConfigError` with every mistake."""
    from bridge.config import load

    return load(config, judge=_judge)


def _judge(channel: Modem | Provider) -> Iterator[tuple[str, str]]:
    from bridge.config import Provider

    if isinstance(channel, Provider):
        yield from _account(channel)
    elif channel.profile is not None:
        from drivers.modems.profile import ProfileError
        from drivers.modems.profiles import by_name

        try:
            by_name(channel.profile)
        except ProfileError as error:
            yield "profile", str(error)


def _account(provider: Provider) -> Iterator[tuple[str, str]]:
    """Values are not shown: among them are secrets."""
    import msgspec

    from drivers import registry

    try:
        kind = registry.options_of(provider.driver)
    except KeyError:
        yield "driver", f"there is no such driver{_meant(provider.driver, registry.PROVIDERS)}"
        return
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    wrong = False
    for name, value in provider.options.items():
        if name not in fields:
            wrong = True
            yield name, f"{provider.driver} has no such setting{_meant(name, tuple(fields))}"
            continue
        try:
            msgspec.convert(value, fields[name].type, strict=False)
        except msgspec.ValidationError as error:
            wrong = True
            yield name, f"is not of its type: {str(error).partition(' - at ')[0].lower()}"
    for name, field in fields.items():
        if field.required and name not in provider.options:
            wrong = True
            yield name, f"is missing; {provider.driver} needs it (or {name}_file, {name}_credential)"
    if wrong:
        return
    try:
        msgspec.convert(provider.options, kind, strict=False)
    except msgspec.ValidationError as error:
        # The driver's own rules speak of their setting first: "url must be https".
        first, _, rest = str(error).partition(" ")
        yield (first, rest) if first in fields else ("", str(error))


def _meant(name: str, known: tuple[str, ...]) -> str:
    import difflib

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}"
