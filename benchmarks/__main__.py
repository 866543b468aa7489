"""`python -m benchmarks [names] [--quick] [--json FILE]`: measure, print a table, keep JSON."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from rich.console import Console

from benchmarks.bench import Bench
from benchmarks.figures import FIGURES
from benchmarks.machine import describe
from benchmarks.report import Figure, Results, show
from bridge import __version__

_HERE = Path(__file__).resolve().parent
_WIDTH = 130  # of a table that goes to a file


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 whether goals are met or not: a machine may be slower; what fails outright raises."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that our processes end with us
    console, progress = Console(), Console(stderr=True, style="dim")
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    began = monotonic()
    runs = options.runs or (1 if options.quick else 3)
    with (
        tempfile.TemporaryDirectory(prefix="gsmbridge-bench-", dir=options.dir) as work,
        tempfile.TemporaryDirectory(prefix="gsmb-") as runtime,
    ):
        machine = describe(Path(work))
        bench = Bench(
            Path(work),
            Path(runtime),
            runs=runs,
            rows=options.rows if options.rows is not None else (20_000 if options.quick else 1_000_000),
            quick=options.quick,
            say=lambda what: progress.print(f"  {what}", highlight=False),
        )
        figures: list[Figure] = []
        for name in options.names or FIGURES:
            progress.print(f"{monotonic() - began:5.0f} s  {name}", highlight=False)
            figures += FIGURES[name](bench)
    results = Results(
        machine=machine,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        quick=options.quick,
        runs=runs,
        seconds=monotonic() - began,
        figures=figures,
    )
    show(results, console)
    file = options.json
    if file is None and not options.quick and not options.names:
        file = _HERE / "results" / f"{datetime.now(UTC):%Y-%m-%d-%H%M}.json"
    if file is not None:
        results.keep(file)
        console.print(f"kept in {file}", highlight=False)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the figures of README.md here.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"only these: {', '.join(FIGURES)}")
    parser.add_argument(
        "--quick", action="store_true", help="short runs and few rows: shows that it works, not how well"
    )
    parser.add_argument("--runs", type=int, metavar="N", help="runs of each figure (default 3, with --quick 1)")
    parser.add_argument(
        "--rows", type=int, metavar="N", help="deferred rows of the full store (default 1,000,000; 0: none)"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="keep the results here (default: results/, whole runs)"
    )
    parser.add_argument(
        "--dir",
        type=Path,
        metavar="DIR",
        default=_HERE.parents[1],
        help="a directory on the disk to measure (default: the one that holds the repository)",
    )
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in FIGURES:
            parser.error(f"there is no figure {name!r}; there are {', '.join(FIGURES)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
