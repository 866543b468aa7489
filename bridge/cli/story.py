"""One message, batch or inbound message in a readable form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.cli.output import clean, clock, count, moment, pairs, table

__all__ = ["batch", "inbound", "message"]


def message(m: Mapping[str, Any]) -> None:
    pairs(
        {
            "id": m["id"],
            "to": m["to"],
            "status": m["status"],
            "why": m.get("reason") or m.get("code"),
            "text": m.get("text"),
            "kind": None if m.get("kind") == "text" else m.get("kind"),
            "encoding": f"{m['encoding']}, {count(m['part_count'], 'part')}",
            "class": m.get("class"),
            "priority": m.get("priority") or None,
            "policy": m.get("policy"),
            "channel": m.get("channel"),
            "ref": m.get("ref"),
            "batch": m.get("batch"),
            "ordered": moment(m["created_at"]),
            "due": moment(m.get("due_at")) if m.get("due_at") != m["created_at"] else None,
            "valid until": moment(m.get("expires_at")),
            "may be twice": "yes: it was sent again while nobody knew of the first time"
            if m.get("possible_duplicate")
            else None,
        }
    )
    attempts = m.get("attempts") or []
    if attempts:
        print()
        table(
            ("PART", "CHANNEL", "ARMED", "ENDED", "STATE", "TP-MR", "REPORT", "DETAIL"),
            (
                (
                    f"{a['part']}/{m['part_count']}",
                    a["channel"],
                    clock(a["armed_at"]),
                    clock(a.get("ended_at")),
                    a["state"],
                    a.get("tp_mr") if a.get("tp_mr") is not None else a.get("reference"),
                    _report(a),
                    a.get("detail") or a.get("code"),
                )
                for a in attempts
            ),
            empty="",
        )
    history = m.get("history") or []
    if history:
        print()
        table(
            ("WHEN", "WHAT", "DETAIL"),
            ((clock(h["at"]), h["event"], _in_words(h["data"])) for h in history),
            empty="",
        )


def _in_words(data: Mapping[str, Any]) -> dict[str, Any]:
    """Instants as people read them."""
    return {
        name: _moment(value) if name in ("until", "due_at") and isinstance(value, int) else value
        for name, value in data.items()
    }


def _moment(instant: int) -> str:
    from bridge.cli.output import moment
    from bridge.clock import rfc3339

    return moment(rfc3339(instant))


def batch(b: Mapping[str, Any]) -> None:
    pairs(
        {
            "id": b["id"],
            "messages": b["count"],
            "ref": b.get("ref"),
            "ordered": moment(b["created_at"]),
            **{f"  {status}": number for status, number in (b.get("counts") or {}).items()},
        }
    )
    print(clean(f"\nIts messages: gsmbridge ls --batch {b['id']}", lines=True))


_ELSEWHERE = ("text", "hex")  # of the content: shown as text and data


def inbound(i: Mapping[str, Any]) -> None:
    pairs(
        {
            "id": i["id"],
            "from": i["sender"],
            "text": i.get("text"),
            "kind": None if i.get("kind") == "text" else i.get("kind"),
            "data": i.get("data"),
            "channel": i["channel"],
            "received": moment(i["received_at"]),
            "sent": moment(i.get("sent_at")),
            "parts": i["part_count"],
            "missing": i.get("missing"),
            "class": i.get("class"),
            "port": i.get("port"),
            "replaces": i.get("replaces"),
            "content": {
                k: v for k, v in (i.get("content") or {}).items() if v not in (None, "") and k not in _ELSEWHERE
            },
            "answers": i.get("in_reply_to"),
            "conversation": i.get("conversation"),
            "withheld": i.get("withheld"),
            "note": i.get("note"),
        }
    )


def _report(attempt: Mapping[str, Any]) -> str:
    report = attempt["report"]
    if report is None:
        return ""
    status = "" if report["tp_status"] is None else f"{report['tp_status']:#04x} "
    return status + clock(report["received_at"])
