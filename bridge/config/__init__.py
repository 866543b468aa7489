"""The one configuration file: TOML in, frozen settings out, or every mistake at once with its place.

Each setting is declared once, in `declared`. All is pure but `load`, which reads the file and, through references
(`pin_file`, `password_credential`), the secrets, which never stand in the file itself.
"""

from __future__ import annotations

from bridge.config.declared import example
from bridge.config.load import default_paths, default_state_dir, load
from bridge.config.parse import parse
from bridge.config.settings import (
    DEFAULT_STATE_DIR,
    GROUPS,
    READY_MADE,
    Canary,
    ConfigError,
    InboundRule,
    InboundSettings,
    Limits,
    Mail,
    Modem,
    Problem,
    Provider,
    Route,
    Secret,
    SecretKind,
    SecretProblem,
    Sending,
    Service,
    Settings,
    Timing,
    Webhooks,
)

__all__ = [
    "DEFAULT_STATE_DIR",
    "GROUPS",
    "READY_MADE",
    "Canary",
    "ConfigError",
    "InboundRule",
    "InboundSettings",
    "Limits",
    "Mail",
    "Modem",
    "Problem",
    "Provider",
    "Route",
    "Secret",
    "SecretKind",
    "SecretProblem",
    "Sending",
    "Service",
    "Settings",
    "Timing",
    "Webhooks",
    "default_paths",
    "default_state_dir",
    "example",
    "load",
    "parse",
]
