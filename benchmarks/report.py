"""Figures against their goals: a table for people, JSON for keeping."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.machine import Machine

__all__ = ["Figure", "Goal", "Results", "percentile", "show"]


class Goal(msgspec.Struct, frozen=True):
    bound: float
    at_least: bool  # else: at most

    def met_by(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure: a value for each run, of which the median counts. Without a goal it is there to compare with."""

    name: str
    unit: str
    values: list[float]
    goal: Goal | None = None
    note: str = ""

    @property
    def middle(self) -> float:
        return median(self.values)

    @property
    def met(self) -> bool | None:
        return None if self.goal is None else self.goal.met_by(self.middle)


class Results(msgspec.Struct, frozen=True, kw_only=True):
    machine: Machine
    measured_at: str
    version: str
    quick: bool  # fewer and shorter runs than the figures deserve
    runs: int
    seconds: float
    figures: list[Figure]

    def keep(self, path: Path) -> None:
        plain = msgspec.to_builtins(self)
        for shown, figure in zip(plain["figures"], self.figures, strict=True):
            shown["median"] = figure.middle
            shown["met"] = figure.met
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(plain), indent=2) + b"\n")


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(percent / 100 * len(ordered) + 0.5) - 1))]


def show(results: Results, console: Console) -> None:
    table = Table(title="gsm-bridge, measured here" + (" (--quick: only a check)" if results.quick else ""))
    table.add_column("figure")
    table.add_column("median", justify="right")
    table.add_column("lowest .. highest", justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("goal", justify="right", no_wrap=True)
    table.add_column("met", no_wrap=True)
    for figure in results.figures:
        values = figure.values
        table.add_row(
            escape(figure.name) + (f"\n  [dim]{escape(figure.note)}[/dim]" if figure.note else ""),
            _number(figure.middle),
            f"{_number(min(values))} .. {_number(max(values))}" if len(values) > 1 else "",
            figure.unit,
            "" if figure.goal is None else f"{'>=' if figure.goal.at_least else '<='} {_number(figure.goal.bound)}",
            {None: "", True: "yes", False: "[bold red]SHORT[/bold red]"}[figure.met],
        )
    console.print(table)
    for line in results.machine.lines():
        console.print(escape(line), highlight=False)
    console.print(
        f"Medians of {results.runs} runs; daemon, simulator and client are processes of their own and share the cores.",
        highlight=False,
    )
    short = [figure.name for figure in results.figures if figure.met is False]
    if short:
        console.print(f"[bold red]Short of the goal:[/bold red] {escape('; '.join(short))}", highlight=False)
    else:
        console.print("Every goal is met.")


def _number(value: float) -> str:
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.4g}" if size >= 10 else f"{value:.3g}"
