"""Signatures by Standard Webhooks 1.0: secrets, and the headers that a request bears."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

from bridge.model import Instant

__all__ = ["SecretForm", "checked", "headers", "new_secret"]

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64  # octets, by the standard
USUAL = 32


class SecretForm(ValueError):
    """No secret of the standard's form. The message says what one looks like, and never repeats what was given."""


def new_secret(random_bytes: Callable[[int], bytes]) -> str:
    return PREFIX + base64.b64encode(random_bytes(USUAL)).decode()


def checked(secret: str) -> str:
    """The secret, if it is one. Raises `SecretForm`."""
    try:
        if not secret.startswith(PREFIX):
            raise SecretForm
        size = len(base64.b64decode(secret.removeprefix(PREFIX), validate=True))
        if not SHORTEST <= size <= LONGEST:
            raise SecretForm
    except (binascii.Error, ValueError):
        raise SecretForm(
            f'is no secret; it is "{PREFIX}" and the base64 of {SHORTEST} to {LONGEST} random octets; leave it out, '
            "and one is made"
        ) from None
    return secret


def headers(id: str, now: Instant, body: str, secrets: Sequence[str]) -> dict[str, str]:
    """One signature for each secret, so that receivers with the old and with the new one verify alike."""
    at = datetime.fromtimestamp(now // 1000, UTC)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(now // 1000),
        "webhook-signature": " ".join(Webhook(secret).sign(id, at, body) for secret in secrets),
    }
