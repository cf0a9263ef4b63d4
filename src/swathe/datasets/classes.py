"""Class lists of the public data sets, and one set's names for another's: always by name, never by position."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from swathe.datasets.sample import Sample
from swathe.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

DOTA_V1_0 = (
    "plane",
    "baseball-diamond",
    "bridge",
    "ground-track-field",
    "small-vehicle",
    "large-vehicle",
    "ship",
    "tennis-court",
    "basketball-court",
    "storage-tank",
    "soccer-ball-field",
    "roundabout",
    "harbor",
    "swimming-pool",
    "helicopter",
)
DOTA_V1_5 = (*DOTA_V1_0, "container-crane")
DOTA_V2_0 = (*DOTA_V1_5, "airport", "helipad")
DIOR_R = (
    "airplane",
    "airport",
    "baseballfield",
    "basketballcourt",
    "bridge",
    "chimney",
    "dam",
    "expressway-service-area",
    "expressway-toll-station",
    "golffield",
    "groundtrackfield",
    "harbor",
    "overpass",
    "ship",
    "stadium",
    "storagetank",
    "tenniscourt",
    "trainstation",
    "vehicle",
    "windmill",
)
NWPU_VHR10 = (
    "airplane",
    "ship",
    "storage-tank",
    "baseball-diamond",
    "tennis-court",
    "basketball-court",
    "ground-track-field",
    "harbor",
    "bridge",
    "vehicle",
)

# Names of DIOR-R and NWPU VHR-10 that DOTA spells otherwise, and each known name for itself, so that case is put right.
# `vehicle` is not renamed: DOTA has two sizes of it, so whoever joins the sets decides ({"vehicle": "small-vehicle"},
# or both DOTA names to "vehicle").
DOTA_NAMES: Mapping[str, str] = MappingProxyType(
    {
        **{name: name for name in (*DIOR_R, *DOTA_V2_0)},
        "airplane": "plane",
        "baseballfield": "baseball-diamond",
        "basketballcourt": "basketball-court",
        "groundtrackfield": "ground-track-field",
        "storagetank": "storage-tank",
        "tenniscourt": "tennis-court",
        **{name.replace("-", " "): name for name in DOTA_V2_0 if "-" in name},
    }
)

Others = Literal["error", "ignore", "drop"]


def map_classes(
    sample: Sample,
    mapping: Mapping[str, str] = DOTA_NAMES,
    *,
    wanted: Collection[str] | None = None,
    others: Others = "error",
) -> Sample:
    """Rename the classes of a sample and decide what happens to those that are not wanted.

    Args:
        sample: The labels of one image.
        mapping: New name by old name; keys are compared without regard to case, names without an entry stay.
        wanted: The class list after renaming; None accepts every name.
        others: What becomes of objects outside `wanted`: refused, kept as ignore regions, or dropped as background.

    Returns:
        The sample under its new names.

    Raises:
        SourceError: If `others` is "error" and an object's class is not wanted.
        UsageError: If `others` is something else.
    """
    if others not in get_args(Others):
        raise UsageError(argument="others", value=others, accepted=f"one of {', '.join(get_args(Others))}")
    by_lower_case = {old.lower(): new for old, new in mapping.items()}
    names = tuple(by_lower_case.get(name.lower(), name) for name in sample.classes)
    renamed = Sample(sample.name, sample.image, sample.polygons, names, sample.difficult)
    if wanted is None:
        return renamed
    known = np.asarray([name in wanted for name in names], dtype=np.bool_)
    if known.all():
        return renamed
    if others == "error":
        unknown = ", ".join(sorted({name for name in names if name not in wanted}))
        raise SourceError(
            f"labels of {sample.name!r} have classes that are not wanted: {unknown}; the class list is "
            f"{', '.join(wanted)}. Map them to one of these, or say that others are ignored or dropped"
        )
    if others == "drop":
        return renamed.select(np.flatnonzero(known))
    return Sample(sample.name, sample.image, sample.polygons, names, sample.difficult | ~known)
