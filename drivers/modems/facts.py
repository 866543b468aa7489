"""What is known about the modem in front of us."""

from __future__ import annotations

import msgspec

from drivers.modems import replies
from drivers.modems.events import Answer
from drivers.modems.profile import Profile
from drivers.modems.replies import Registration

__all__ = ["Facts", "learn"]


class Facts(msgspec.Struct, kw_only=True):
    """Filled by the bring-up, kept up to date while the modem runs."""

    profile: Profile
    maker: str = ""
    model: str = ""
    firmware: str = ""
    imei: str = ""
    iccid: str = ""
    imsi: str = ""
    service: int = 0  # +CSMS: 1 = +CMT and +CDS must be acknowledged
    service_centre: str | None = None  # None = not told
    registrations: dict[str, int] = {}  # stat by domain
    operator: str = ""
    signal_dbm: int | None = None
    storages: tuple[str, ...] = ()  # what can be read from, by +CPMS=?
    storage: str = ""  # where incoming texts go; "" = the modem does not tell
    used: int = -1
    size: int = -1
    direct: bool = False  # no storage takes texts: they come as +CMT
    announces: bool = False  # +CNMI was accepted
    reports: bool = False  # delivery reports come
    stored_reports: bool = False  # as +CDSI

    def sim(self, channel: str) -> str:
        """What fingerprints and references belong to."""
        return self.iccid or (f"imei:{self.imei}" if self.imei else channel)

    @property
    def full(self) -> bool:
        """No place is left for incoming texts; False also where the modem does not tell."""
        return 0 < self.size <= self.used

    @property
    def full_model(self) -> str:
        """Maker and model, the maker once."""
        return self.model if self.maker and self.model.startswith(self.maker) else f"{self.maker} {self.model}".strip()

    def note(self, registration: Registration) -> None:
        self.registrations[registration.domain] = registration.stat

    @property
    def registered(self) -> bool | None:
        """None when the modem does not tell."""
        known = [Registration(domain=domain, stat=stat) for domain, stat in self.registrations.items()]
        told = [r for r in known if r.domain in ("CREG", "CEREG")]
        return any(r.usable for r in told) if told else None

    @property
    def registration(self) -> str:
        """One word: home, roaming, searching, denied ..."""
        order = ("CREG", "CEREG")
        stats = [self.registrations[domain] for domain in order if domain in self.registrations]
        best = next((s for s in stats if s in (1, 5, 6, 7, 9, 10)), None)
        if best is None:
            best = next((s for s in stats if s in (3, 2)), stats[0] if stats else None)
        return "" if best is None else replies.REGISTRATION_WORDS.get(best, f"state {best}")

    @property
    def acknowledges_texts(self) -> bool:
        return self.service == 1 and self.profile.acknowledges_texts

    @property
    def acknowledges_reports(self) -> bool:
        return self.service == 1 and self.profile.acknowledges_reports


def learn(facts: Facts, answer: Answer) -> None:
    """Take from an answer what it tells. Unreadable answers tell nothing."""
    lines = answer.lines
    if not answer.final.ok or not lines:
        return
    match answer.command.text:
        case "AT+CIMI":
            facts.imsi = replies.first_digits(lines, 14, 15)
        case "AT+CREG?" | "AT+CEREG?":
            registration = replies.registration(lines[-1], answer=True)
            if registration is not None:
                facts.note(registration)
        case "AT+COPS?":
            facts.operator = replies.operator(lines)
        case "AT+CSQ" | "AT+CESQ":
            facts.signal_dbm = replies.signal_dbm(lines)
        case "AT+CSCA?":
            facts.service_centre = replies.service_centre(lines)
        case "AT+CSMS?":
            numbers = replies.integers(lines[-1])
            facts.service = numbers[0] if numbers else 0
        case "AT+CPMS?":
            memories = replies.memories(lines)
            if memories is not None:
                facts.used, facts.size = memories.used, memories.size
                facts.storage = memories.receive or memories.read or facts.storage
        case _:
            pass
