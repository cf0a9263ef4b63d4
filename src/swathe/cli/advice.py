"""What `swathe detect` and `swathe plan` say about scenes that are better converted first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from swathe.cli.output import echo
from swathe.counts import counted

if TYPE_CHECKING:
    from swathe.engine.plan import Plan
    from swathe.raster.advice import Advice


def advice(plan: Plan, workers: int) -> list[Advice]:
    """Return which scenes of a plan are better converted first, the one with the largest gain in front.

    Args:
        plan: The plan.
        workers: Worker processes; 0 for none.

    Returns:
        The advice, none for scenes that are well as they are.
    """
    from swathe.raster.advice import advise

    settings = plan.settings
    found = (
        advise(scene.source, scene.scales, settings.tile, settings.stride, max(1, workers)) for scene in plan.scenes
    )
    return sorted((item for item in found if item is not None), key=lambda item: -item.gain)


def say_advice(found: Sequence[Advice]) -> None:
    """Print advice as one message for people, if there is any; the standard output stays for results.

    Args:
        found: The advice, the largest gain in front.
    """
    if not found:
        return
    first, *others = found
    more = f"; {counted(len(others), 'more scene')} would gain, too" if others else ""
    echo(
        f"Hint     {first.scene} would take about {first.gain:.2g} times less decoding if it were converted: "
        f"{first.reason}{more}; `swathe convert SOURCES -o FOLDER` does that once",
        err=True,
    )
