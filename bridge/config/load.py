"""Files and environment: where the configuration and its secrets come from."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from bridge.config.parse import parse
from bridge.config.settings import DEFAULT_STATE_DIR, ConfigError, Problem, SecretKind, SecretProblem, Settings
from bridge.config.walk import Judge

__all__ = ["default_paths", "default_state_dir", "load"]

_MOST_FILE = 1 << 20  # a configuration of a megabyte is a mistake
_MOST_SECRET = 4096  # octets; bearer tokens can be long


def load(path: Path | None = None, *, secrets: bool = True, judge: Judge | None = None) -> Settings:
    """Read the configuration, its secrets too. None: the first of `default_paths()` that exists, else the defaults with
    `source` None. `secrets` False leaves every secret out, for programs that only look for the service.
    `judge`: see `parse`. Raises `ConfigError`."""
    if path is None:
        path = next((p for p in default_paths() if p.exists()), None)
    state_dir = default_state_dir()
    if path is None:
        return parse("", read_secret=_read_secret, state_dir=state_dir)
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_FILE + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else f"it is no UTF-8 text ({error.reason})"
        raise ConfigError([Problem(at="", detail=f"{path} cannot be read: {why}")], path) from None
    if len(text) > _MOST_FILE:
        raise ConfigError([Problem(at="", detail=f"{path} is larger than 1 MiB; is it the right file?")], path)
    reader = _read_secret if secrets else None
    return parse(text, read_secret=reader, judge=judge, state_dir=state_dir, source=path)


def default_paths() -> list[Path]:
    """Where a configuration is looked for when none is named, best first."""
    named = os.environ.get("GSMBRIDGE_CONFIG")
    if named:
        return [Path(named)]
    own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "gsmbridge" / "config.toml"
    system = Path("/etc/gsmbridge/config.toml")
    return [system] if os.geteuid() == 0 else [own, system]


def default_state_dir() -> Path:
    """systemd's $STATE_DIRECTORY, else /var/lib/gsmbridge for root, else the user's own state directory."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    if os.geteuid() == 0:
        return DEFAULT_STATE_DIR
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "gsmbridge"


def _read_secret(kind: SecretKind, name: str) -> str:
    if kind is SecretKind.CREDENTIAL:
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        if not directory:
            raise SecretProblem(
                f"there are no credentials here ($CREDENTIALS_DIRECTORY is not set); start the service by systemd with "
                f"LoadCredential={name}:..., or name a file"
            )
        path = Path(directory) / name
    else:
        path = Path(name)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if kind is SecretKind.FILE and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise SecretProblem(f"{path} can be read by others (mode {mode & 0o777:04o}); run: chmod 600 {path}")
            content = file.read(_MOST_SECRET + 1).decode()
    except OSError as error:
        raise SecretProblem(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SecretProblem(f"{path} is no text") from None
    if len(content) > _MOST_SECRET:
        raise SecretProblem(f"{path} is longer than {_MOST_SECRET} characters; is it the right file?")
    return content
