"""Replies, conversations, opt-outs, rules and calls: their verbs.

Who was written to lately is kept in runs (`sent_to`): some thousands of attempts each, sorted by recipient, appended
one behind the other. A search takes one step a run, and reads the attempts that are in none yet.
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge.model import (
    CallRow,
    Conversation,
    Inbound,
    Instant,
    OptOut,
    ProgramRun,
    Received,
    SentTo,
)
from bridge.store.queries import load
from bridge.store.rows import CALL, CONVERSATION, INBOUND, OPT_OUT, PROGRAM_RUN, RECEIVED
from bridge.store.statements import Statements

__all__ = ["RUN", "TalkChanges", "TalkView"]

TALK = load("talk")

RUN = 4096  # attempts: 250 runs a million, and half a millisecond for those that are in none yet
SETTLED = 2000  # milliseconds; attempts older than that have all been written, in whatever order they got their ids
HIGHEST = (1 << 63) - 1
_TIME_BITS = 20  # of an identifier lie below its milliseconds, see bridge.model


class TalkView(Statements):
    def sent_lately(self, recipient: str, since: Instant, limit: int) -> list[SentTo]:
        floor = since << _TIME_BITS
        wanted = {"recipient": recipient, "limit": limit}
        after = max(floor, self._value(TALK["mark"], {}) or 0)
        fresh = self._run(TALK["sent_since"], {**wanted, "after": after}).fetchall()
        older = self._run(TALK["sent_in_runs"], {**wanted, "since": floor}).fetchall()
        found = [SentTo(sim=sim, message=message, attempt=attempt) for sim, message, attempt in fresh + older]
        return sorted((s for s in found if s.attempt >= floor), key=lambda s: -s.attempt)[:limit]

    def conversation(self, id: int) -> Conversation | None:
        return self._one(CONVERSATION, TALK["conversation"], {"id": id})

    def conversation_of(self, sim: str, peer: str) -> Conversation | None:
        return self._one(CONVERSATION, TALK["conversation_of"], {"sim": sim, "peer": peer})

    def conversations(
        self, *, before: int | None = None, limit: int = 50, channel: str | None = None, peer: str | None = None
    ) -> list[Conversation]:
        wanted = {"before": _before(before), "limit": limit, "channel": channel, "peer": peer}
        return self._all(CONVERSATION, TALK["conversations"], wanted)

    def said(self, conversation: int, before: int | None, limit: int) -> list[int]:
        wanted = {"id": conversation, "before": _before(before), "limit": limit}
        return [message for (message,) in self._run(TALK["said"], wanted)]

    def heard(self, conversation: int, before: int | None, limit: int) -> list[Inbound]:
        return self._all(INBOUND, TALK["heard"], {"id": conversation, "before": _before(before), "limit": limit})

    def token_answers(self, message: int) -> int:
        return int(self._value(TALK["answers_to"], {"message": message}))

    def passed_on(
        self, sim: str, sender: str, reference: int, wide: bool, total: int, since: Instant
    ) -> list[Received]:
        wanted = {"sim": sim, "sender": sender, "reference": reference, "wide": int(wide), "total": total}
        return self._all(RECEIVED, TALK["passed_on"], {**wanted, "since": since})

    def opt_out(self, id: int) -> OptOut | None:
        return self._one(OPT_OUT, TALK["opt_out"], {"id": id})

    def opt_outs(self, *, number: str | None = None, before: int | None = None, limit: int = HIGHEST) -> list[OptOut]:
        return self._all(OPT_OUT, TALK["opt_outs"], {"number": number, "before": _before(before), "limit": limit})

    def auto_replies(self, peer: str, since: Instant, rule: str | None = None) -> int:
        return int(self._value(TALK["auto_replies"], {"peer": peer, "since": since, "rule": rule}))

    def program_runs(self, now: Instant, limit: int) -> list[ProgramRun]:
        return self._all(PROGRAM_RUN, TALK["program_runs"], {"now": now, "limit": limit})

    def program_runs_of(self, inbound: int) -> list[ProgramRun]:
        return self._all(PROGRAM_RUN, TALK["program_runs_of"], {"inbound": inbound})

    def next_program_run(self) -> Instant | None:
        due: Instant | None = self._value(TALK["next_program_run"], {})
        return due

    def calls(
        self, *, before: int | None = None, limit: int = 50, channel: str | None = None, caller: str | None = None
    ) -> list[CallRow]:
        wanted = {"before": _before(before), "limit": limit, "channel": channel, "caller": caller}
        return self._all(CALL, TALK["calls"], wanted)


class TalkChanges(TalkView):
    def keep_sent(self, now: Instant, window: int) -> bool:
        after = max((now - window) << _TIME_BITS, self._value(TALK["mark"], {}) or 0)
        values = {"after": after, "before": (now - SETTLED) << _TIME_BITS, "offset": RUN - 1}
        last = self._value(TALK["run_end"], values)
        if last is None:
            return False
        self._run(TALK["add_run"], {"last": last})
        self._run(TALK["fill_run"], {"last": last, "after": after})
        self._run(TALK["run_into_conversations"], {"last": last})
        return True

    def forget_sent(self, before: Instant, limit: int) -> int:
        runs = self._run(TALK["old_runs"], {"before": before << _TIME_BITS, "limit": limit}).fetchall()
        for (last,) in runs:
            self._run(TALK["drop_run"], {"last": last})
            self._run(TALK["empty_run"], {"last": last})
        return len(runs)

    def add_conversation(self, conversation: Conversation) -> None:
        self._run(TALK["add_conversation"], CONVERSATION.encode(conversation))

    def went_on(self, conversation: int, channel: str, inbound: int, now: Instant) -> None:
        self._run(TALK["went_on"], {"id": conversation, "channel": channel, "last": inbound, "now": now})

    def add_to_conversation(self, conversation: int, messages: Sequence[int]) -> None:
        for message in messages:
            self._run(TALK["add_to_conversation"], (conversation, message))

    def add_opt_out(self, opt_out: OptOut) -> bool:
        return self._run(TALK["add_opt_out"], OPT_OUT.encode(opt_out)).rowcount == 1

    def remove_opt_out(self, id: int) -> bool:
        return self._run(TALK["remove_opt_out"], {"id": id}).rowcount == 1

    def add_auto_reply(self, message: int, peer: str, rule: str, now: Instant) -> None:
        self._run(TALK["add_auto_reply"], {"message": message, "peer": peer, "rule": rule, "at": now})

    def forget_auto_replies(self, before: Instant) -> int:
        return self._run(TALK["forget_auto_replies"], {"before": before}).rowcount

    def add_program_run(self, run: ProgramRun) -> None:
        self._run(TALK["add_program_run"], PROGRAM_RUN.encode(run))

    def change_program_run(self, run: ProgramRun) -> None:
        self._run(
            TALK["change_program_run"],
            {
                "id": run.id,
                "due_at": run.due_at,
                "tries": run.tries,
                "ended_at": run.ended_at,
                "outcome": run.outcome,
            },
        )

    def add_call(self, call: CallRow) -> None:
        self._run(TALK["add_call"], CALL.encode(call))


def _before(id: int | None) -> int:
    return HIGHEST if id is None else id
