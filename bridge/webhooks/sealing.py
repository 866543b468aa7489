"""Endpoints' secrets in the database: sealed with a key that is not in it, so that a copy of it gives none away.

The key is systemd's credential `gsmbridge-seal`, or the file `seal.key` in the state directory (mode 0600), made when
it is first needed.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

__all__ = ["Seal", "SealBroken"]

CREDENTIAL = "gsmbridge-seal"
FILE = "seal.key"


class SealBroken(Exception):
    """The key is missing, or is another one. The message says what to do."""


class Seal:
    """Opened at the first use: who has no endpoints needs no key."""

    def __init__(self, state_dir: Path) -> None:
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        given = Path(credentials) / CREDENTIAL if credentials else None
        self._path = given if given is not None and given.exists() else state_dir / FILE
        self._fernet: Fernet | None = None

    def seal(self, value: str) -> bytes:
        return self._opened(make=True).encrypt(value.encode())

    def unseal(self, sealed: bytes) -> str:
        """Raises `SealBroken`."""
        try:
            return self._opened(make=False).decrypt(sealed).decode()
        except InvalidToken:
            raise SealBroken(
                f"a secret was sealed with another key than {self._path}; put the old one back, or rotate the secret"
            ) from None

    def _opened(self, *, make: bool) -> Fernet:
        if self._fernet is None:
            self._fernet = self._read(make)
        return self._fernet

    def _read(self, make: bool) -> Fernet:
        try:
            return Fernet(self._path.read_bytes().strip())
        except FileNotFoundError:
            if not make:
                raise SealBroken(f"{self._path} is missing; put it back, or rotate the secrets") from None
        except (ValueError, OSError) as error:
            raise SealBroken(f"{self._path} cannot be used as a key: {error}") from None
        key = Fernet.generate_key()
        partial = self._path.with_name(f"{FILE}.partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(key + b"\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path)
        return Fernet(key)
