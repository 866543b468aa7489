"""Whether the wall clock is to be believed. Pure.

A board without a battery wakes in 1970, people set clocks by hand, and a time server corrects them. While the clock is
not to be trusted the bridge goes by a clock of its own: the last time that was good, carried on by the time that has
passed since the start of the machine. That clock never runs ahead of the true one, so nothing is sent too early and
nothing expires that has not. What the wall clock says is taken over when it is confirmed:

- the kernel says that it is synchronised (setting the clock by hand takes that back, a time server gives it anew), or
- it has run for ten minutes without another step, where the configuration does not insist on the kernel's word.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from bridge.model import Instant

__all__ = ["BUILD", "JUMP", "Belief", "Distrust", "Reading", "Rules", "Trust", "begin", "believed", "look"]

BUILD: Instant = 1_759_276_800_000  # 2025-10-01: no clock that says less is right. Raised with releases
JUMP = 600_000  # milliseconds: a step of the clock up to this is followed at once
STEP = 2_000  # less is a correction of the clock's speed, more is a step
SETTLE = 600_000


class Trust(StrEnum):
    """What is asked of the wall clock."""

    AUTO = "auto"
    SYNCHRONISED = "synchronised"  # only the kernel's word counts
    ALWAYS = "always"


class Distrust(StrEnum):
    """Why it is not believed."""

    BEFORE_BUILD = "before_build"
    BEHIND_STORE = "behind_store"
    NOT_SYNCHRONISED = "not_synchronised"
    STEPPED_AHEAD = "stepped_ahead"
    STEPPED_BACK = "stepped_back"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    trust: Trust = Trust.AUTO
    build: Instant = BUILD
    settle: int = SETTLE


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """`boot`: milliseconds since the machine started, time asleep included. `synchronised`: the kernel's word; None: it
    says nothing. `battery`: the machine has a clock that runs while it is off, or is of a kind that has one."""

    wall: Instant
    boot: int
    synchronised: bool | None = None
    battery: bool = True


class Belief(msgspec.Struct, frozen=True, kw_only=True):
    """What is thought of the wall clock, and its last reading. `steady`: since when (`boot`) it has not stepped.
    `highest`: the latest time that was good. While it is not trusted, `base` and `base_boot` are where the bridge's own
    clock began. `stepped`: milliseconds of the step that the last look has found."""

    wall: Instant
    boot: int
    steady: int
    highest: Instant
    distrust: Distrust | None = None
    base: Instant = 0
    base_boot: int = 0
    stepped: int = 0

    @property
    def trusted(self) -> bool:
        return self.distrust is None


def begin(reading: Reading, highest: Instant, rules: Rules) -> Belief:
    """At the start. `highest`: the latest time that was good before."""
    distrust: Distrust | None = None
    if rules.trust is Trust.ALWAYS:
        pass
    elif reading.wall < rules.build:
        distrust = Distrust.BEFORE_BUILD
    elif reading.synchronised:
        pass
    elif reading.wall < highest - JUMP:
        distrust = Distrust.BEHIND_STORE
    elif rules.trust is Trust.SYNCHRONISED or (reading.synchronised is False and not reading.battery):
        distrust = Distrust.NOT_SYNCHRONISED
    base = reading.wall if distrust is None else max(reading.wall, highest, rules.build)
    return Belief(
        wall=reading.wall,
        boot=reading.boot,
        steady=reading.boot,
        highest=base,
        distrust=distrust,
        base=base,
        base_boot=reading.boot,
    )


def look(belief: Belief, reading: Reading, rules: Rules) -> Belief:
    """What is thought after this reading."""
    step = (reading.wall - belief.wall) - (reading.boot - belief.boot)
    step = step if abs(step) > STEP else 0
    ours = believed(belief, reading.boot)
    seen = msgspec.structs.replace(
        belief,
        wall=reading.wall,
        boot=reading.boot,
        stepped=step,
        steady=reading.boot if step else belief.steady,
        highest=ours if not belief.trusted else belief.highest,
    )
    distrust = _distrust_of(belief, seen, reading, rules, ours)
    if distrust is None:
        return msgspec.structs.replace(seen, distrust=None, highest=reading.wall)
    if belief.trusted:  # from here on by our own clock
        return msgspec.structs.replace(seen, distrust=distrust, base=ours, base_boot=reading.boot, highest=ours)
    return msgspec.structs.replace(seen, distrust=distrust)


def believed(belief: Belief, boot: int) -> Instant:
    """The time that the bridge goes by."""
    if belief.trusted:
        return belief.wall + boot - belief.boot
    return belief.base + boot - belief.base_boot


def _distrust_of(before: Belief, seen: Belief, reading: Reading, rules: Rules, ours: Instant) -> Distrust | None:
    if rules.trust is Trust.ALWAYS:
        return None
    if reading.wall < rules.build:
        return Distrust.BEFORE_BUILD
    if reading.synchronised:
        return None
    away = reading.wall - ours
    if before.trusted:
        if abs(away) <= JUMP:
            return None
        return Distrust.STEPPED_AHEAD if away > 0 else Distrust.STEPPED_BACK
    stepped = seen.steady > before.base_boot or before.distrust in (Distrust.STEPPED_AHEAD, Distrust.STEPPED_BACK)
    if stepped and before.distrust is not Distrust.NOT_SYNCHRONISED and abs(away) <= JUMP:
        return None if rules.trust is Trust.AUTO else Distrust.NOT_SYNCHRONISED  # set back to where it was right
    settled = reading.boot - seen.steady >= rules.settle
    # Not one that was behind the store from the start: it is known to be wrong, and nobody has set it.
    if rules.trust is Trust.AUTO and settled and (stepped or before.distrust is not Distrust.BEHIND_STORE):
        return None
    if stepped:
        return Distrust.STEPPED_AHEAD if away > 0 else Distrust.STEPPED_BACK
    return before.distrust
