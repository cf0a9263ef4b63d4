"""All kinds of hostile input, in the order in which cases take their turns."""

from __future__ import annotations

from hostile import commands, configurations, labels, names, rasters, stores, virtual, weights
from hostile.case import Maker

MAKERS: tuple[Maker, ...] = (
    *rasters.MAKERS,
    *virtual.MAKERS,
    *names.MAKERS,
    *labels.MAKERS,
    *configurations.MAKERS,
    *configurations.OPTIONS,
    *weights.MAKERS,
    *stores.MAKERS,
    *stores.FORGED,
    *commands.MAKERS,
)
KINDS: tuple[str, ...] = tuple(dict.fromkeys(maker.kind for maker in MAKERS))
