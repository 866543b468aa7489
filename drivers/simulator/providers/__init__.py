"""Five providers that exist only here: ASGI services written from the providers' documents, not from our clients."""

from __future__ import annotations

from drivers.simulator.providers.account import Account, Course
from drivers.simulator.providers.callbacks import Attempt
from drivers.simulator.providers.faults import CAPTIVE_PORTAL, Fault, FaultKind
from drivers.simulator.providers.ledger import Ledger, Taken
from drivers.simulator.providers.serve import serve_providers
from drivers.simulator.providers.service import Message, Reply, Seen, Service
from drivers.simulator.providers.simulation import NAMES, ProviderSimulation

__all__ = [
    "CAPTIVE_PORTAL",
    "NAMES",
    "Account",
    "Attempt",
    "Course",
    "Fault",
    "FaultKind",
    "Ledger",
    "Message",
    "ProviderSimulation",
    "Reply",
    "Seen",
    "Service",
    "Taken",
    "serve_providers",
]
