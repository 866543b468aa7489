"""/v1/channels: the modems and the accounts, and how they are."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from litestar import get

from bridge.api.operation import Operation
from bridge.api.problems import Refusal
from bridge.api.routing import OPERATION, AnyRequest, PartsOf
from bridge.api.shapes import ChannelOut, channel_out
from bridge.model import ChannelSnapshot, Scope

__all__ = ["ROUTES", "Channels", "no_channel"]


class Channels(msgspec.Struct, frozen=True, kw_only=True):
    items: list[ChannelOut]


@get("/v1/channels", opt={OPERATION: Operation(summary="All channels", scope=Scope.READ, answer=Channels)})
async def list_channels(parts: PartsOf) -> Channels:
    return Channels(items=[channel_out(one) for one in await parts.channels()])


@get(
    "/v1/channels/{id:str}",
    opt={
        OPERATION: Operation(summary="One channel", scope=Scope.READ, answer=ChannelOut, codes=("channel_not_found",))
    },
)
async def get_channel(request: AnyRequest, parts: PartsOf) -> ChannelOut:
    wanted: str = request.path_params["id"]
    channels = await parts.channels()
    for one in channels:
        if one.id == wanted:
            return channel_out(one)
    raise no_channel(wanted, channels)


ROUTES = (list_channels, get_channel)


def no_channel(wanted: str, channels: Sequence[ChannelSnapshot]) -> Refusal:
    known = ", ".join(sorted(one.id for one in channels)) or "none is configured"
    return Refusal("channel_not_found", f"there is no channel {wanted[:40]!r}; there are: {known}")
