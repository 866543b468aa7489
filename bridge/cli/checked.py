"""The whole configuration, checked as the service needs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.config import Settings

__all__ = ["load_checked"]


def load_checked(config: Path | None) -> Settings:
    """The settings with their secrets, and what only the drivers know checked: modem profiles. Raises `ConfigError`."""
    from bridge.config import ConfigError, Problem, load

    settings = load(config)
    if all(modem.profile is None for modem in settings.modems):
        return settings
    from drivers.modems.profile import ProfileError
    from drivers.modems.profiles import by_name

    problems = []
    for index, modem in enumerate(settings.modems):
        try:
            by_name(modem.profile or "generic")
        except ProfileError as error:
            problems.append(Problem(at=f"modem[{index}].profile", detail=str(error)))
    if problems:
        raise ConfigError(problems, settings.source)
    return settings
