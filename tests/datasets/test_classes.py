"""Class names: the lists, and names of one set for those of another."""

from __future__ import annotations

import numpy as np
import pytest

from swathe.datasets import classes
from swathe.datasets.classes import map_classes
from swathe.datasets.sample import Sample
from swathe.errors import SourceError


def sample_of(*names: str) -> Sample:
    return Sample("a", None, np.arange(len(names) * 8.0).reshape(-1, 4, 2), names, np.zeros(len(names), dtype=np.bool_))


@pytest.mark.parametrize(
    ("names", "count"),
    [
        (classes.DOTA_V1_0, 15),
        (classes.DOTA_V1_5, 16),
        (classes.DOTA_V2_0, 18),
        (classes.DIOR_R, 20),
        (classes.NWPU_VHR10, 10),
    ],
)
def test_lists(names: tuple[str, ...], count: int) -> None:
    assert len(set(names)) == len(names) == count


def test_every_known_class_that_dota_has_gets_its_name() -> None:
    mapped = map_classes(sample_of(*classes.NWPU_VHR10)).classes
    assert set(mapped) - set(classes.DOTA_V1_0) == {"vehicle"}
    only_dior = {"chimney", "dam", "golffield", "overpass", "stadium", "trainstation", "vehicle", "windmill"}
    only_dior |= {"expressway-service-area", "expressway-toll-station"}
    assert set(map_classes(sample_of(*classes.DIOR_R)).classes) - set(classes.DOTA_V2_0) == only_dior


def test_mapping_is_by_name_without_regard_to_case() -> None:
    assert map_classes(sample_of("Airplane", "Expressway-Service-area", "tennis court", "Person")).classes == (
        "plane",
        "expressway-service-area",
        "tennis-court",
        "Person",
    )
    assert map_classes(sample_of("small-vehicle", "vehicle"), {"small-vehicle": "vehicle"}).classes == ("vehicle",) * 2


def test_unwanted_classes() -> None:
    sample = sample_of("plane", "car", "ship")
    with pytest.raises(SourceError, match="not wanted: car"):
        map_classes(sample, wanted=("plane", "ship"))
    ignored = map_classes(sample, wanted=("plane", "ship"), others="ignore")
    assert ignored.classes == sample.classes
    assert ignored.difficult.tolist() == [False, True, False]
    dropped = map_classes(sample, wanted=("plane", "ship"), others="drop")
    assert dropped.classes == ("plane", "ship")
    assert np.array_equal(dropped.polygons, sample.polygons[[0, 2]])
    assert map_classes(sample_of("airplane"), wanted=("plane",)).classes == ("plane",)
