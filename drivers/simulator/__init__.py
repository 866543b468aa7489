"""Modems, SIM cards and a network that exist only here; see README.md beside this file."""

from __future__ import annotations

from drivers.simulator.faults import Answer, Cure, Faults, Injection, NetworkFaults, ReportFault, SendFault, Stage, Then
from drivers.simulator.ledger import Entry, Ledger
from drivers.simulator.network import Network
from drivers.simulator.simulation import SimulatedModem, Simulation

__all__ = [
    "Answer",
    "Cure",
    "Entry",
    "Faults",
    "Injection",
    "Ledger",
    "Network",
    "NetworkFaults",
    "ReportFault",
    "SendFault",
    "SimulatedModem",
    "Simulation",
    "Stage",
    "Then",
]
