"""`check`: the running service in one line, for monitoring systems."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bridge.cli.exits import Exit, Left, Stop
from bridge.cli.options import ConfigOption, KeyFileOption, OutputOption, UrlOption
from bridge.cli.output import Form

__all__ = ["check"]


def check(
    nagios: Annotated[
        bool, typer.Option("--nagios", help="Exit status 0, 1, 2 or 3 as Nagios and its kin expect them.")
    ] = False,
    queue_warning: Annotated[int, typer.Option(metavar="N", help="Due messages: a warning above.")] = 1000,
    queue_critical: Annotated[int, typer.Option(metavar="N", help="Due messages: critical above.")] = 10_000,
    age_warning: Annotated[
        float, typer.Option(metavar="S", help="Age of the oldest due message, seconds: a warning above.")
    ] = 300,
    age_critical: Annotated[float, typer.Option(metavar="S", help="The same: critical above.")] = 1800,
    doubts_warning: Annotated[int, typer.Option(metavar="N", help="Open doubts: a warning above.")] = 0,
    doubts_critical: Annotated[int, typer.Option(metavar="N", help="Open doubts: critical above.")] = 20,
    webhooks_warning: Annotated[
        float,
        typer.Option(metavar="S", help="Age of the oldest event that an endpoint has not taken: a warning above."),
    ] = 600,
    webhooks_critical: Annotated[float, typer.Option(metavar="S", help="The same: critical above.")] = 7200,
    config: ConfigOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Say in one line how the running service is, with figures for a monitoring system."""
    from bridge.cli.client import connect
    from bridge.cli.output import clean, document
    from bridge.doctor.thresholds import Level, Measure, judge, line

    states: dict[str, str] = {}
    measures: list[Measure] = []
    try:
        for name, warning, critical in (
            ("queue", queue_warning, queue_critical),
            ("age", age_warning, age_critical),
            ("doubts", doubts_warning, doubts_critical),
            ("webhooks", webhooks_warning, webhooks_critical),
        ):
            if warning > critical:
                raise Stop(Exit.USAGE, f"--{name}-warning {warning:g} is above --{name}-critical {critical:g}")
        with connect(config, url, key_file, patience=10.0) as service:
            channels: list[dict[str, Any]] = service.get("/v1/channels")["items"]
            figures = _figures(service.text("/metrics"))
        states = {c["id"]: "paused" if c["paused_until"] else c["state"] for c in channels}
        measures = [
            Measure(name="queue", value=figures["gsmbridge_queue_due"], warning=queue_warning, critical=queue_critical),
            Measure(
                name="oldest_age",
                value=figures["gsmbridge_queue_oldest_due_seconds"],
                warning=age_warning,
                critical=age_critical,
                unit="s",
            ),
            Measure(
                name="doubts",
                value=figures["gsmbridge_doubts_open"],
                warning=doubts_warning,
                critical=doubts_critical,
            ),
            Measure(
                name="webhook_age",
                value=figures.get("gsmbridge_webhook_oldest_seconds", 0.0),  # absent without an endpoint
                warning=webhooks_warning,
                critical=webhooks_critical,
                unit="s",
            ),
        ]
        worries = [f"silent block of {c['id']} suspected" for c in channels if c["arrivals"]["silent_block"]]
        if figures.get("gsmbridge_canary_ok") == 0:
            worries.append("canary missed")
        level, told = judge(states, measures, worries=worries)
    except Stop as stop:
        down = stop.exit in (Exit.UNAVAILABLE, Exit.TEMPFAIL, Exit.INTERNAL)
        level = Level.CRITICAL if down else Level.UNKNOWN
        told = line(level, " ".join(stop.detail.split()).replace("|", "/"))
    except KeyError as missing:
        level = Level.UNKNOWN
        told = line(level, f"the service does not tell {missing.args[0]}")
    if output is Form.JSON:
        figures_told = {m.name: {"value": m.value, "warning": m.warning, "critical": m.critical} for m in measures}
        document(
            {
                "level": level.name.lower(),
                "line": told,
                "channels": states,
                "measures": figures_told,
            }
        )
    else:
        print(clean(told))
    if nagios:
        raise Left(level)
    if level:
        raise typer.Exit(Exit.FAILED if level is Level.WARNING else Exit.UNAVAILABLE)


def _figures(text: str) -> dict[str, float]:
    """By name; of a metric with labels the largest."""
    from prometheus_client.parser import text_string_to_metric_families

    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for s in family.samples:
            found[s.name] = max(s.value, found.get(s.name, s.value))
    return found
