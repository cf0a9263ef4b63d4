"""Scenes are looked at so that objects are as large in pixels as the model knows them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rasterio.crs import CRS

from engine.test_plan import empty_scene
from swathe.engine.plan import make_plan
from swathe.engine.scale import MOST_ENLARGED, scale_note, scene_scales
from swathe.engine.settings import RunSettings
from swathe.raster.scene import Scene

UTM = CRS.from_epsg(32633).to_wkt()


def scene_of(metres: float, **changes: object) -> Scene:
    """Return a scene in a projection that keeps lengths at its centre, up to the 0.9996 of its middle."""
    transform = (metres, 0.0, 500_000.0 - 500 * metres, 0.0, -metres, 5_500_000.0)
    return replace(empty_scene(1000, 800), crs=UTM, transform=transform, **changes)


def wants(resolution: float | None, *scales: float) -> RunSettings:
    return RunSettings(tile=256, stride=192, scales=scales or (1.0,), resolution=resolution)


def test_scale_is_the_ratio_of_ground_resolutions() -> None:
    assert scene_scales(scene_of(0.074), wants(0.176)) == pytest.approx((0.42,), abs=0.002)
    assert scene_scales(scene_of(0.6), wants(0.3)) == pytest.approx((2.0,), abs=0.01)


def test_several_scales_are_factors_of_the_right_one() -> None:
    assert scene_scales(scene_of(0.6), wants(0.3, 0.5, 1.0, 1.5)) == pytest.approx((1.0, 2.0, 3.0), abs=0.01)


@pytest.mark.parametrize("metres", [0.092, 0.1, 0.109])
def test_full_resolution_is_taken_where_it_is_close(metres: float) -> None:
    assert scene_scales(scene_of(metres), wants(0.1)) == (1.0,)


def test_an_overview_is_taken_where_it_is_close() -> None:
    assert scene_scales(scene_of(0.1, overviews=(2, 4)), wants(0.385)) == (0.25,)
    assert scene_scales(scene_of(0.1, overviews=(2,)), wants(0.385)) == pytest.approx((0.26,), abs=0.001)


def test_a_scene_without_georeference_is_told_its_resolution() -> None:
    bare = empty_scene(1000, 800)
    assert scene_scales(bare, wants(0.3)) == (1.0,)
    assert "nothing says how large" in (scale_note(bare, wants(0.3)) or "")
    assert scene_scales(replace(bare, resolution=0.6), wants(0.3)) == (2.0,)


def test_the_georeference_goes_before_what_the_caller_says() -> None:
    assert scene_scales(scene_of(0.6, resolution=0.1), wants(0.3)) == pytest.approx((2.0,), abs=0.01)


def test_a_model_without_resolution_takes_scales_as_they_are() -> None:
    assert scene_scales(scene_of(0.6), wants(None, 0.5, 1.0)) == (0.5, 1.0)
    assert scale_note(scene_of(0.6), wants(None)) is None


def test_scenes_are_not_blown_up_without_end() -> None:
    coarse = scene_of(30.0)
    assert scene_scales(coarse, wants(0.3)) == (MOST_ENLARGED,)
    assert "no more" in (scale_note(coarse, wants(0.3)) or "")


def test_the_note_names_both_resolutions() -> None:
    note = scale_note(scene_of(0.074), wants(0.176)) or ""
    assert "17.6 cm" in note
    assert "7.4 cm" in note
    assert "scale 0.42" in note


def test_a_run_is_known_by_its_rule_and_a_scene_by_what_it_was_told() -> None:
    near, far = scene_of(0.1), scene_of(0.2)
    assert make_plan([near], wants(0.3)).run == make_plan([far], wants(0.3)).run
    assert make_plan([near], wants(0.3)).run != make_plan([near], wants(0.4)).run
    bare = empty_scene(1000, 800)
    plans = [make_plan([replace(bare, resolution=metres)], wants(0.3)) for metres in (0.3, 0.6)]
    assert plans[0].run == plans[1].run
    assert plans[0].scenes[0].fingerprint != plans[1].scenes[0].fingerprint
    assert [plan.to_json()["scenes"][0]["scales"] for plan in plans] == [[1.0], [2.0]]
