"""What a channel tells of its work, as events. Costs nothing while nobody wants to know of single messages."""

from __future__ import annotations

import logging

import msgspec

from bridge.events import ChannelData, EventType, SimData
from bridge.model import Attempt, Message, show_id
from bridge.outbound import reports
from bridge.policy.fitness import Pause
from bridge.telemetry import Telemetry
from drivers.contract import (
    Health,
    LateResult,
    LinkChange,
    LinkState,
    MaybeSent,
    Receipt,
    Repair,
    RepairState,
    SubmitError,
)

__all__ = ["Teller"]

STORAGE_FULL = "storage_full"  # the driver's word
PIN_REQUIRED = "sim_pin_required"  # the driver's word
QUIET = frozenset({LinkState.UP, LinkState.STARTING})  # no reason for a warning


class Teller:
    def __init__(self, telemetry: Telemetry, channel: str) -> None:
        self._telemetry = telemetry
        self._channel = channel
        self._link_told: tuple[EventType, str] | None = None
        self._full_told = False

    def armed(self, message: Message, attempt: Attempt) -> None:
        if self._telemetry.wanted:
            self._telemetry.message(
                "armed",
                message=show_id("msg", message.id),
                channel=self._channel,
                part=attempt.part,
                parts=message.parts,
            )

    def ended(
        self, message: Message, attempt: Attempt, receipt: Receipt | None, error: SubmitError | None, *, last: bool
    ) -> None:
        """A submission's end. `last`: no part is left."""
        if not self._telemetry.wanted:
            return
        id = show_id("msg", message.id)
        if receipt is not None:
            self._telemetry.message(
                "sent" if last else "part_sent",
                message=id,
                channel=self._channel,
                part=attempt.part,
                parts=message.parts,
                tp_mr=receipt.tp_mr,
                reference=receipt.reference,
            )
        elif error is not None:
            name = "in_doubt" if isinstance(error, MaybeSent) else "not_sent"
            self._telemetry.message(name, message=id, channel=self._channel, code=error.code, reason=error.detail)

    def reported(self, taken: reports.Taken) -> None:
        if taken.repeat or not self._telemetry.wanted:
            return
        if taken.message is None:
            self._telemetry.message("report_unmatched", channel=self._channel)
            return
        self._telemetry.message(
            "report",
            message=show_id("msg", taken.message),
            channel=self._channel,
            fate=taken.fate,
            status=taken.status,
        )

    def late(self, late: LateResult, taken: reports.Taken) -> None:
        if taken.message is not None:
            self._telemetry.message(
                "late_result",
                message=show_id("msg", taken.message),
                channel=self._channel,
                status=taken.status,
                tp_mr=late.receipt.tp_mr if late.receipt else None,
            )

    def link(self, change: LinkChange) -> None:
        self._telemetry.notable(
            f"channel_{change.state}",
            level=logging.INFO if change.state in QUIET else logging.WARNING,
            channel=self._channel,
            code=change.code or None,
            reason=change.reason or None,
            model=change.model or None,
            port=change.port or None,
        )

    def repair(self, step: Repair) -> None:
        self._telemetry.notable(
            "channel_repaired" if step.state is RepairState.CURED else "channel_repair",
            level=logging.INFO if step.state is RepairState.CURED else logging.WARNING,
            channel=self._channel,
            state=step.state.value,
            rung=step.rung or None,
            reason=step.reason or None,
            steps=step.steps or None,
            seconds=round(step.seconds) if step.state is RepairState.CURED else None,
        )

    def repair_events(self, step: Repair) -> list[tuple[EventType, msgspec.Struct]]:
        if step.state is not RepairState.CURED:
            return []
        return [(EventType.CHANNEL_REPAIRED, ChannelData(channel=self._channel, code=step.rung, reason=step.reason))]

    def link_events(self, change: LinkChange) -> list[tuple[EventType, msgspec.Struct]]:
        """What listeners hear of it. A link that goes up and down while it is tried is told once for each reason."""
        if change.state is LinkState.STARTING or change.code == STORAGE_FULL:
            return []
        type = EventType.CHANNEL_UP if change.state is LinkState.UP else EventType.CHANNEL_DOWN
        if self._link_told == (type, change.code):
            return []
        self._link_told = type, change.code
        code, reason = change.code, change.reason
        data = ChannelData(channel=self._channel, state=change.state, code=code, reason=reason, iccid=change.iccid)
        told: list[tuple[EventType, msgspec.Struct]] = [(type, data)]
        if change.code == PIN_REQUIRED:
            sim = SimData(channel=self._channel, sim=change.iccid, code=code, reason=reason)
            told.append((EventType.SIM_PIN_REQUIRED, sim))
        return told

    def storage_events(self, change: LinkChange, health: Health) -> list[tuple[EventType, msgspec.Struct]]:
        """Full, once; and again only after there was room."""
        used, size = health.storage_used, health.storage_size
        if change.code != STORAGE_FULL:
            self._full_told = self._full_told and not (used is not None and size is not None and used < size)
            return []
        if self._full_told:
            return []
        self._full_told = True
        told = ChannelData(
            channel=self._channel, code=change.code, reason=change.reason, iccid=change.iccid, used=used, size=size
        )
        return [(EventType.CHANNEL_STORAGE_FULL, told)]

    def paused(self, pause: Pause) -> tuple[EventType, msgspec.Struct]:
        """Returns what listeners hear of it."""
        self._telemetry.notable(
            "channel_paused",
            level=logging.WARNING,
            channel=self._channel,
            code=pause.code,
            reason=pause.reason,
            seconds=pause.milliseconds // 1000,
        )
        data = ChannelData(channel=self._channel, state="paused", code=pause.code, reason=pause.reason)
        return EventType.CHANNEL_DOWN, data

    def resumed(self) -> tuple[EventType, msgspec.Struct]:
        """Something got through after a pause. Returns what listeners hear of it."""
        self._telemetry.notable("channel_resumed", channel=self._channel)
        return EventType.CHANNEL_UP, ChannelData(channel=self._channel, state=LinkState.UP)

    def probed(self) -> None:
        """The pause is over; one message goes to see."""
        self._telemetry.notable("channel_probed", channel=self._channel)
