"""Who asks: a bearer key, or the operator on the private socket.

Keys are `gsmb_<hint>_<secret>`; the store knows the SHA-256 of the whole. The secret has 256 random bits, so a slow
hash would protect nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec

from bridge.api.problems import Refusal
from bridge.model import LOCAL_CLIENT, ApiKey, Instant, Scope
from bridge.store import Store

__all__ = ["OPERATOR", "Caller", "KeyRing", "NewKey", "new_key", "require"]

_FRESH = 500  # milliseconds that a key is believed without asking the store; a revocation must work within a second
_MOST_CACHED = 256  # keys; each costs about 300 bytes
_LONGEST = 200  # octets of an Authorization header worth hashing; a key has 58
_RANK = {Scope.READ: 0, Scope.SEND: 1, Scope.ADMIN: 2}
_CHALLENGE = [(b"www-authenticate", b'Bearer realm="gsm-bridge"')]
_HINT_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who is behind a request. `client` owns what is ordered."""

    client: int
    scope: Scope
    name: str = ""  # of its key; the operator at the machine has none
    hours: str | None = None  # windows that bind what is ordered, as they are stored

    @property
    def sees(self) -> int | None:
        """The client whose messages may be read; None: everybody's."""
        return None if self.scope is Scope.ADMIN else self.client

    def may(self, scope: Scope) -> bool:
        return _RANK[self.scope] >= _RANK[scope]


OPERATOR = Caller(client=LOCAL_CLIENT, scope=Scope.ADMIN)


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    secret: str  # shown once
    hint: str
    digest: bytes


def new_key(random_bytes: Callable[[int], bytes]) -> NewKey:
    hint = "".join(_HINT_LETTERS[b & 31] for b in random_bytes(8))
    secret = f"gsmb_{hint}_{base64.urlsafe_b64encode(random_bytes(32)).decode().rstrip('=')}"
    return NewKey(secret=secret, hint=hint, digest=hashlib.sha256(secret.encode()).digest())


def require(caller: Caller, scope: Scope) -> None:
    """Raises the 403 when the caller may not do what needs `scope`."""
    if not caller.may(scope):
        raise Refusal(
            "scope_missing",
            f'this needs a key of scope "{scope}", yours has "{caller.scope}"; make one with: gsmbridge key create',
        )


class KeyRing:
    """Finds the caller of a request. Keys just seen are remembered for half a second."""

    def __init__(self, store: Store, now: Callable[[], Instant]) -> None:
        self._store = store
        self._now = now
        self._seen: OrderedDict[bytes, tuple[Caller, Instant]] = OrderedDict()

    async def caller(self, scope: Any) -> Caller:
        """The caller of an ASGI HTTP request. Raises the 401."""
        if scope["state"].get("operator"):
            return OPERATOR
        header: bytes | None = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                if header is not None:
                    raise Refusal("key_missing", "there are two Authorization headers; send one", headers=_CHALLENGE)
                header = value
        if header is None:
            raise Refusal("key_missing", "send your key as: Authorization: Bearer gsmb_...", headers=_CHALLENGE)
        if header[:7].lower() != b"bearer " or len(header) > _LONGEST:
            raise Refusal("key_missing", "the header must read: Authorization: Bearer gsmb_...", headers=_CHALLENGE)
        digest = hashlib.sha256(header[7:].strip()).digest()
        seen = self._seen.get(digest)
        # A clock that stepped back must not make an old answer young again.
        if seen is not None and 0 <= self._now() - seen[1] < _FRESH:
            return seen[0]
        return await self._look_up(digest)

    def forget(self) -> None:
        """A key was revoked: ask the store again."""
        self._seen.clear()

    async def _look_up(self, digest: bytes) -> Caller:
        asked_at = self._now()
        key: ApiKey | None = await self._store.read(lambda view: view.key_by_digest(digest))
        self._seen.pop(digest, None)
        if key is None or not hmac.compare_digest(key.digest, digest):
            raise Refusal("key_unknown", "no key like this was made here; see: gsmbridge key ls", headers=_CHALLENGE)
        if key.revoked_at is not None:
            raise Refusal("key_revoked", "the key was revoked; ask the operator for a new one", headers=_CHALLENGE)
        caller = Caller(client=key.id, scope=key.scope, name=key.name, hours=key.windows)
        self._seen[digest] = (caller, asked_at)
        if len(self._seen) > _MOST_CACHED:
            self._seen.popitem(last=False)
        return caller
