"""The synthetic scenes keep their promises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from swathe.boxes import canonical, hulls, overlapping_pairs
from swathe.errors import UsageError
from swathe.testing.scenes import COLOURS, ObjectRule, draw, synthetic_scene, write_geotiff


def test_objects_are_inside_apart_and_canonical() -> None:
    scene = synthetic_scene(1500, 900, seed=4, rule=ObjectRule(count=150))
    assert len(scene.boxes) == 150
    around = hulls(scene.boxes)
    assert around[:, :2].min() >= 0
    assert (around[:, 2:] <= (1500, 900)).all()
    pairs, _ = overlapping_pairs(scene.boxes, scene.boxes)
    assert (pairs[:, 0] == pairs[:, 1]).all()
    np.testing.assert_array_equal(canonical(scene.boxes), scene.boxes)


def test_equal_seeds_make_equal_scenes() -> None:
    first, again, other = (synthetic_scene(400, 400, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.boxes, again.boxes)
    assert first.boxes.tolist() != other.boxes.tolist()


def test_a_window_is_a_piece_of_the_whole_drawing() -> None:
    scene = synthetic_scene(500, 400, seed=2)
    whole = draw(scene, 0, 0, 500, 400)
    np.testing.assert_array_equal(draw(scene, 120, 75, 200, 150), whole[75:225, 120:320])


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5])
def test_object_centres_have_the_colour_of_their_class(scale: float) -> None:
    scene = synthetic_scene(500, 400, seed=3)
    picture = draw(scene, 0, 0, int(500 * scale), int(400 * scale), scale)
    cols, rows = (scene.boxes[:, :2] * scale).astype(int).T
    np.testing.assert_array_equal(picture[rows, cols], COLOURS[scene.classes])


@pytest.mark.parametrize("tiled", [True, False])
def test_the_file_holds_the_drawing(tmp_path: Path, tiled: bool) -> None:
    scene = synthetic_scene(700, 600, seed=5)
    transform = (0.5, 0.0, 300_000.0, 0.0, -0.5, 5_000_000.0)
    path = write_geotiff(
        scene, tmp_path / "scene.tif", tiled=tiled, crs="EPSG:32645", transform=transform, overviews=(2,)
    )
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(np.moveaxis(file.read(), 0, 2), draw(scene, 0, 0, 700, 600))
        assert file.crs.to_epsg() == 32645
        assert tuple(file.transform)[:6] == transform
        assert file.overviews(1) == [2]


def test_impossible_rules_are_refused() -> None:
    with pytest.raises(UsageError, match="aspect"):
        ObjectRule(aspect=(0.5, 2.0))
