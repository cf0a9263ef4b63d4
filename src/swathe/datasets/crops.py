"""Training crops: the windows of the engine's own grid, with the objects each of them shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from swathe.datasets.sample import Sample
from swathe.raster.grid import Grid

if TYPE_CHECKING:
    from swathe.raster.window import Window

WHOLE_FROM = 0.7  # share of an object's area that must lie inside a crop for it to count as shown


@dataclass(frozen=True)
class Crop:
    """One window of a labelled image; its labels are relative to the window's corner and never clipped to it."""

    window: Window  # where the crop lies, image pixels
    indices: npt.NDArray[np.int64]  # (k,) place of each object in the sample the crop was taken from
    sample: Sample  # k objects in crop pixels; those that are cut too much are ignore regions


def crops(
    sample: Sample, width: int, height: int, *, tile: int, stride: int, whole_from: float = WHOLE_FROM
) -> list[Crop]:
    """Cut the labels of an image along the grid that detection uses.

    Args:
        sample: The labels of one image.
        width: Columns of the image.
        height: Rows of the image.
        tile: Side of the square windows, pixels.
        stride: Step between windows, pixels.
        whole_from: Objects with a smaller share of their area inside a crop become ignore regions in it.

    Returns:
        One crop per window in row order, those without objects included; objects outside a crop are left out of it.

    Raises:
        UsageError: If the sizes make no grid.
    """
    return [crop(sample, window, whole_from=whole_from) for window in Grid(width, height, tile, stride)]


def crop(sample: Sample, window: Window, *, whole_from: float = WHOLE_FROM) -> Crop:
    """Cut the labels of an image to one window.

    Args:
        sample: The labels of one image.
        window: The part to cut out, image pixels.
        whole_from: Objects with a smaller share of their area inside become ignore regions.

    Returns:
        The crop; its sample is named `<name>__<left>__<top>`.
    """
    shares = shares_inside(sample.polygons, window)
    indices = np.flatnonzero(shares > 0)
    inside = sample.select(indices)
    shown = Sample(
        f"{sample.name}__{window.col_off}__{window.row_off}",
        sample.image,
        inside.polygons - np.array([window.col_off, window.row_off], dtype=np.float64),
        inside.classes,
        inside.difficult | (shares[indices] < whole_from),
    )
    return Crop(window, indices, shown)


def shares_inside(polygons: npt.NDArray[np.float64], window: Window) -> npt.NDArray[np.float64]:
    """Return how much of each polygon's area lies inside a window, by exact clipping.

    Args:
        polygons: (n, 4, 2) corners x, y in pixels.
        window: The window, pixels.

    Returns:
        (n,) shares in 0..1; an object without area counts as inside (1) if its centre is.
    """
    import shapely

    left, top = window.col_off, window.row_off
    right, bottom = left + window.width, top + window.height
    low, high = polygons.min(axis=1), polygons.max(axis=1)
    shares: npt.NDArray[np.float64] = np.all((low >= (left, top)) & (high <= (right, bottom)), axis=1).astype(
        np.float64
    )
    near = np.all((high > (left, top)) & (low < (right, bottom)), axis=1)
    cut = np.flatnonzero(near & (shares == 0))
    shapes = shapely.make_valid(shapely.polygons(polygons[cut]))
    areas = shapely.area(shapes)
    clipped = shapely.area(shapely.intersection(shapes, shapely.box(left, top, right, bottom)))
    centres = polygons[cut].mean(axis=1)
    centred = np.all((centres >= (left, top)) & (centres < (right, bottom)), axis=1)
    shares[cut] = np.where(areas > 0, clipped / np.where(areas > 0, areas, 1.0), centred)
    return shares
