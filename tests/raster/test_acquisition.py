"""The time of a scene is what its file says, in UTC."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import rasterio

from swathe.raster.acquisition import to_utc
from swathe.raster.opening import open_scene

from .conftest import Write


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024:05:01 10:20:30", "2024-05-01T10:20:30Z"),
        ("2024-05-01 10:20:30", "2024-05-01T10:20:30Z"),
        ("2024-05-01T10:20:30Z", "2024-05-01T10:20:30Z"),
        ("2024-05-01T10:20:30.999Z", "2024-05-01T10:20:30Z"),
        ("2024-05-01T23:20:30-02:00", "2024-05-02T01:20:30Z"),
        ("2024/05/01 10:20:30 UTC ", "2024-05-01T10:20:30Z"),
        ("0000:00:00 00:00:00", None),
        ("2024:13:01 10:20:30", None),
        ("0001-01-01T00:00:00+10:00", None),
        ("2024-05-01", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_times(text: str | None, expected: str | None) -> None:
    assert to_utc(text) == expected


def test_satellite_metadata_come_before_the_time_of_the_file(write: Write, picture: Callable[..., np.ndarray]) -> None:
    path = write(picture(60, 50))
    assert open_scene(path).acquired is None
    with rasterio.open(path, "r+") as file:
        file.update_tags(TIFFTAG_DATETIME="2024:05:03 00:00:00")
    assert open_scene(path).acquired == "2024-05-03T00:00:00Z"
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="IMAGERY", ACQUISITIONDATETIME="2024-05-01 10:20:30")
    assert open_scene(path).acquired == "2024-05-01T10:20:30Z"
