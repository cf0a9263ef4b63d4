"""Where the time of a run went, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swathe.stages import BESIDE

if TYPE_CHECKING:
    from swathe.engine.events import RunSummary


def profile_lines(summary: RunSummary, workers: int) -> list[str]:
    """Return the lines of the table: seconds of all workers by stage, and their share of the time that all had.

    Args:
        summary: What the run did.
        workers: Its worker processes, 0 for none.

    Returns:
        The lines; "idle" is what remains: workers without a job, and the commits of the driver.
    """
    whole, windows = max(1, workers) * summary.seconds, max(1, summary.windows - summary.resumed_windows)
    idle = whole - sum(seconds for name, seconds in summary.stages.items() if name not in BESIDE)
    rows = [*summary.stages.items(), ("idle", max(0.0, idle))]
    lines = [f"{'Profile':8s} {'stage':8s} {'seconds':>8s} {'share':>6s} {'ms per window':>14s}"]
    for name, seconds in rows:
        beside = "  beside the model" if name in BESIDE else ""
        share = seconds / whole if whole > 0 else 0.0
        lines.append(f"{'':8s} {name:8s} {seconds:8.2f} {share:6.1%} {1000 * seconds / windows:14.2f}{beside}")
    return lines
