"""Opt-outs, automatic answers and programs, in the transaction that stores the message: none is lost, none is done
twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import msgspec

from bridge.inbound.optouts import tell
from bridge.model import LOCAL_CLIENT, Category, Ids, Inbound, Instant, Message, OptOut, ProgramRun
from bridge.policy import inbound_rules
from bridge.policy.admission import Defaults, Order, Rejected, admit
from bridge.policy.gate import passes
from bridge.policy.inbound_rules import DAY, Facts, Rule, Rules, Wish
from bridge.store import Changes

__all__ = ["Effects", "RuleBook"]

log = logging.getLogger("gsmbridge.inbound")

OPT_OUT = "(opt-out)"  # the rule's name of answers to opt-out words; no rule can be called so


class Effects(msgspec.Struct, kw_only=True):
    """What is to be done once it is on disk."""

    forward: tuple[str, ...] = ()
    opted_out: list[OptOut] = []
    opted_in: list[OptOut] = []
    answers: int = 0
    programs: int = 0


class RuleBook:
    """`line(sim, channel)`: the channel that holds this SIM now. `defaults()`: of orders."""

    def __init__(
        self,
        rules: Rules,
        ids: Ids,
        *,
        defaults: Callable[[], Defaults],
        line: Callable[[str, str], str | None],
    ) -> None:
        self.rules = rules
        self._ids = ids
        self._defaults = defaults
        self._line = line

    def denied(self, sender: str) -> bool:
        return not passes(sender, self.rules.allow_from, self.rules.deny_from)

    def apply(
        self, changes: Changes, inbound: Inbound, peer: str, answered: Message | None, named: bool, now: Instant
    ) -> Effects:
        """`answered`: the message that it answers; `named`: by its token, for the first time."""
        effects = Effects()
        wish = inbound_rules.wish(inbound.text, self.rules)
        if wish is not None:
            self._obey(changes, wish, inbound, peer, answered, now, effects)
            return effects
        facts = Facts(channel=inbound.channel, sender=peer, text=inbound.text, named=named)
        rule = inbound_rules.fitting(facts, self.rules.rules)
        if rule is None:
            return effects
        effects.forward = rule.forward
        if rule.reply:
            self._answer(changes, inbound, peer, rule.reply, rule.name, rule.daily_cap, now, effects)
        if rule.program and not _old(inbound, now):
            run = ProgramRun(id=self._ids.next(), inbound=inbound.id, rule=rule.name, due_at=now)
            changes.add_program_run(run)
            effects.programs = 1
        return effects

    def rule(self, name: str) -> Rule | None:
        return next((r for r in self.rules.rules if r.name == name), None)

    def _obey(
        self,
        changes: Changes,
        wish: Wish,
        inbound: Inbound,
        peer: str,
        answered: Message | None,
        now: Instant,
        effects: Effects,
    ) -> None:
        """An opt-out holds for the sender ID that was answered, or, where there was none, for the channel."""
        sender = (answered.sender or "") if answered is not None else ""
        channel = "" if sender else inbound.channel
        if wish.out:
            opt_out = OptOut(
                id=self._ids.next(),
                number=peer,
                sender=sender,
                channel=channel,
                created_at=now,
                word=wish.word,
                inbound=inbound.id,
            )
            if changes.add_opt_out(opt_out):
                effects.opted_out.append(opt_out)
                tell(changes, opt_out, now, added=True)
                self._answer(changes, inbound, peer, self.rules.out_answer, OPT_OUT, None, now, effects)
            return
        for found in _undone(changes.opt_outs(number=peer), sender, channel):
            changes.remove_opt_out(found.id)
            effects.opted_in.append(found)
            tell(changes, found, now, added=False, word=wish.word, inbound=inbound.id)
        if effects.opted_in:
            self._answer(changes, inbound, peer, self.rules.in_answer, OPT_OUT, None, now, effects)

    def _answer(
        self,
        changes: Changes,
        inbound: Inbound,
        peer: str,
        text: str,
        rule: str,
        cap: int | None,
        now: Instant,
        effects: Effects,
    ) -> None:
        if not text:
            return
        why = inbound_rules.no_answer(
            peer,
            sent_at=inbound.sent_at,
            now=now,
            given=changes.auto_replies(peer, now - DAY),
            by_rule=changes.auto_replies(peer, now - DAY, rule),
            rules=self.rules,
            cap=cap,
        )
        channel = self._line(inbound.sim, inbound.channel)
        if why or channel is None:
            log.info("not_answered rule=%s reason=%s", rule, why or "its channel is gone")
            return
        order = Order(to=peer, text=text, channel=channel, category=Category.TRANSACTIONAL, ref=f"rule {rule}")
        try:
            message = admit(order, self._defaults(), id=self._ids.next(), client=LOCAL_CLIENT, now=now)
        except Rejected as error:
            log.warning("not_answered rule=%s codes=%s", rule, ",".join(c.code for c in error.complaints))
            return
        if message.parts > 1:
            message = msgspec.structs.replace(message, concatenation=changes.next_concatenation(message.to))
        changes.add([message])
        changes.add_auto_reply(message.id, peer, rule, now)
        effects.answers += 1


def _undone(opt_outs: list[OptOut], sender: str, channel: str) -> Iterator[OptOut]:
    """Those that a word had made, for the same sender ID or channel. The operator's own stay."""
    for o in opt_outs:
        if o.word and (o.sender == sender if sender else o.channel in ("", channel)):
            yield o


def _old(inbound: Inbound, now: Instant) -> bool:
    return inbound.sent_at is not None and now - inbound.sent_at > inbound_rules.OLD
