"""Three ledgers joined: what was promised, what was on the air, what the store says.

This shares no code with the product."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

__all__ = ["join"]

SETTLED = {"sent", "delivered", "sent_no_report"}


def join(promised: Sequence[tuple[str, str, str]], taken: Sequence[str], stored: Sequence[dict[str, Any]]) -> int:
    """`promised`: id, text and policy of each order. Returns how many are in doubt for good. Raises AssertionError."""
    by_id = {message["id"]: message for message in stored}
    on_air = Counter(taken)
    lost = [text for id, text, _ in promised if id not in by_id]
    assert not lost, f"promised and not in the store: {lost}"
    doubts = 0
    for id, text, policy in promised:
        message, sends = by_id[id], on_air[text]
        if message["status"] in SETTLED:
            assert sends >= 1, f"{text} is said to be {message['status']} and was never sent"
        else:
            assert message["status"] in {"in_doubt", "unknown"}, json.dumps(message)
            assert policy == "at_most_once", json.dumps(message)
            doubts += 1
        if policy == "at_most_once":
            assert sends <= 1, f"{text} was sent {sends} times although at most once was asked"
        if sends > 1:
            assert message["possible_duplicate"], f"{text} was sent {sends} times in silence"
    return doubts
