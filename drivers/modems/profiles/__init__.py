"""The families we know. A new one is a new file here, see ADDING.md."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from drivers.modems.profile import Profile, ProfileError, choose

__all__ = ["all_profiles", "by_name", "find"]


@cache
def all_profiles() -> tuple[Profile, ...]:
    """The PROFILE of every module in this folder, by name."""
    found: dict[str, Profile] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        profile: Profile = importlib.import_module(f"{__name__}.{module.name}").PROFILE
        if profile.name in found:
            raise ProfileError(f"two profiles are called {profile.name!r}")
        found[profile.name] = profile
    return tuple(found.values())


def by_name(name: str) -> Profile:
    """The profile of that name; `ProfileError` lists those that exist."""
    for profile in all_profiles():
        if profile.name == name:
            return profile
    raise ProfileError(f"no modem profile is called {name!r}; there are: " + ", ".join(p.name for p in all_profiles()))


def find(maker: str, model: str) -> Profile:
    """The profile for what AT+CGMI and AT+CGMM answered; `ProfileError` when two claim it."""
    return choose(all_profiles(), maker, model)
