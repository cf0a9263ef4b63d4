"""Statistics of detections as a picture: classes, scores, sizes and directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swathe.atomic import published_file
from swathe.counts import counted

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from swathe.statistics import Statistics

SUFFIXES = (".png", ".svg", ".pdf")
COLOUR = "#0072b2"


def draw_histograms(result: Statistics, path: Path) -> None:
    """Draw classes and histograms; the file appears when it is complete.

    Args:
        result: The numbers.
        path: Picture to write, replaced if it exists; one of `SUFFIXES`, which chooses the format.

    Raises:
        StoreError: If it cannot be written.
    """
    import matplotlib

    with matplotlib.rc_context({"text.parse_math": False}):  # a class may have dollars in its name
        figure = _figure(result)
    with published_file(path, overwrite=True) as stream:
        figure.savefig(stream, format=path.suffix.lower()[1:], dpi=120)


def _figure(result: Statistics) -> Figure:
    """Draw classes and histograms."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    plots: Any = figure.subplots(2, 3).ravel()
    classes = list(result.per_class.items())[::-1]
    plots[0].barh([name for name, _ in classes], [count for _, count in classes], color=COLOUR)
    plots[0].xaxis.get_major_locator().set_params(integer=True)
    plots[0].set_title(counted(result.detections, "detection"))
    for plot, histogram in zip(plots[1:], result.histograms, strict=False):
        plot.stairs(histogram.counts, histogram.edges, fill=True, color=COLOUR)
        plot.set_xlabel(histogram.name + (f" [{histogram.unit}]" if histogram.unit else ""))
        plot.set_ylabel("detections")
        plot.yaxis.get_major_locator().set_params(integer=True)
    for plot in plots[1 + len(result.histograms) :]:
        plot.set_axis_off()
    return figure
