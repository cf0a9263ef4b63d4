from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe import boxes as box_math
from swathe.detections import Detections, SceneInfo
from swathe.errors import UsageError
from swathe.query import Query
from swathe.testing.suites.samples import ANTIMERIDIAN, CLASSES, MERCATOR, PIXELS, UTM, keyed, random_detections


def test_from_arrays_keeps_order_and_brings_boxes_into_canonical_form():
    found = Detections.from_arrays(
        [[50, 40, 10, 30, 0.0], [5, 6, 8, 2, np.pi]], [0.5, 0.9], [1, 0], ["a", "b"], PIXELS, "r", cut=[True, False]
    )
    assert found.boxes.tolist() == [[50, 40, 30, 10, -np.pi / 2], [5, 6, 8, 2, 0]]
    assert found.scores.tolist() == [0.5, 0.9]
    assert found.classes.tolist() == ["b", "a"]
    assert found.cut.tolist() == [True, False]
    assert found.scene_ids.tolist() == [PIXELS.id] * 2
    assert found.run_ids.tolist() == ["r", "r"]
    assert found.table.column("id").to_pylist() == [f"r/{PIXELS.id}/1", f"r/{PIXELS.id}/0"]
    assert len(found) == 2
    assert repr(found) == "Detections(2 objects of 2 classes in 1 scene)"


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_ids_and_canonical_order_do_not_depend_on_the_order_given(seed, count):
    random = np.random.default_rng(seed)
    boxes = np.column_stack([random.integers(0, 3, (count, 2)), random.integers(1, 3, (count, 2)), np.zeros(count)])
    scores, indexes, cut = random.integers(0, 2, count) / 2, random.integers(0, 2, count), random.random(count) < 0.5
    order = random.permutation(count)
    one = Detections.from_arrays(boxes, scores, indexes, ["b", "a"], PIXELS, "r", cut=cut)
    other = Detections.from_arrays(boxes[order], scores[order], indexes[order], ["b", "a"], PIXELS, "r", cut=cut[order])
    assert one.sorted().equals(other.sorted())
    assert one.sorted().table.column("id").to_pylist() == [f"r/{PIXELS.id}/{number}" for number in range(count)]


def test_canonical_order_is_scene_class_falling_score_box():
    found = Detections.concat([random_detections(UTM, 60, 1), random_detections(MERCATOR, 60, 2, run="run-b")]).sorted()
    keys = [
        (row["scene"], row["class"], -row["score"], row["cx"], row["cy"], row["w"], row["h"], row["theta"])
        for row in found.table.to_pylist()
    ]
    assert keys == sorted(keys)


def test_negative_zero_is_zero():
    one = Detections.from_arrays([[-0.0, 1, 2, 1, -0.0]], [0.5], [0], ["a"], PIXELS, "r")
    assert not np.signbit(one.boxes).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": [[1, 2, 3, 4]]}, "shape"),
        ({"boxes": [[1, 2, -3, 4, 0]]}, "negative side"),
        ({"boxes": [[np.nan, 2, 3, 4, 0]]}, "not finite"),
        ({"scores": [0.5, 0.6]}, "1 boxes need 1 scores"),
        ({"scores": [np.inf]}, "not a finite number"),
        ({"class_indices": [2]}, "outside the 2 classes"),
        ({"class_indices": [-1]}, "outside the 2 classes"),
        ({"class_names": ["a", "a"]}, "different from each other"),
        ({"class_names": ["a", ""]}, "not empty"),
        ({"run": ""}, "id of a run"),
        ({"cut": [True, False]}, "cut flags"),
    ],
)
def test_malformed_arrays_are_refused(change, message):
    values = {
        "boxes": [[1, 2, 3, 4, 0]],
        "scores": [0.5],
        "class_indices": [0],
        "class_names": ["a", "b"],
        "scene": PIXELS,
        "run": "r",
    }
    with pytest.raises(UsageError, match=message):
        Detections.from_arrays(**{**values, **change})


@pytest.mark.parametrize(
    "values", [{"id": ""}, {"id": "a\udc80"}, {"width": 0}, {"transform": (1, 0, 0)}, {"transform": (np.nan,) * 6}]
)
def test_impossible_scenes_are_refused(values):
    with pytest.raises(UsageError, match=r"scene|transform"):
        replace(PIXELS, **values)


def test_a_foreign_table_and_undescribed_names_are_refused():
    found = random_detections(UTM, 3, 1)
    with pytest.raises(UsageError, match="need the columns"):
        Detections(found.table.drop_columns("cut"), found.scenes, found.class_names, found.runs)
    with pytest.raises(UsageError, match="name the scene 'harbour'"):
        Detections(found.table, {}, found.class_names, found.runs)


def test_concat_joins_scenes_classes_and_runs():
    one = random_detections(UTM, 5, 1, classes=("b", "a"))
    two = random_detections(PIXELS, 4, 2, run="other", classes=("a", "c"))
    both = Detections.concat([one, two, Detections.empty(["d"], keyed(MERCATOR))])
    assert len(both) == 9
    assert both.class_names == ("b", "a", "c", "d")
    assert both.scenes == keyed(UTM, MERCATOR) | keyed(PIXELS, run="other")
    assert set(both.runs) == {"run-a", "other"}
    assert both.take(range(5)).equals(replace(one, scenes=both.scenes, class_names=both.class_names, runs=both.runs))
    assert Detections.concat([]).equals(Detections.empty())


def test_concat_refuses_two_scenes_of_one_name():
    one, two = random_detections(UTM, 1, 1), random_detections(replace(UTM, width=5), 1, 1)
    with pytest.raises(UsageError, match="two ways"):
        Detections.concat([one, two])


def test_polygons_in_pixels_are_those_of_the_boxes():
    found = random_detections(PIXELS, 30, 3)
    np.testing.assert_array_equal(found.to_polygons(), box_math.to_polygons(found.boxes))
    np.testing.assert_array_equal(found.to_polygons("geometry"), found.to_polygons("pixel"))


def test_polygons_on_the_ground_agree_with_pyproj():
    found = Detections.concat([random_detections(UTM, 20, 4), random_detections(MERCATOR, 20, 5)]).take(
        np.random.default_rng(0).permutation(40)
    )
    pixels, projected, degrees = (found.to_polygons(kind) for kind in ("pixel", "crs", "lonlat"))
    for scene in (UTM, MERCATOR):
        rows = found.scene_ids == scene.id
        a, b, c, d, e, f = scene.transform
        x, y = pixels[rows, :, 0], pixels[rows, :, 1]
        expected = np.stack([a * x + b * y + c, d * x + e * y + f], axis=-1)
        np.testing.assert_allclose(projected[rows], expected, rtol=0, atol=1e-6)
        transformer = pyproj.Transformer.from_crs(scene.crs, "OGC:CRS84", always_xy=True)
        lon, lat = transformer.transform(expected[..., 0], expected[..., 1])
        np.testing.assert_allclose(degrees[rows], np.stack([lon, lat], axis=-1), rtol=0, atol=1e-9)
    np.testing.assert_array_equal(found.to_polygons("geometry"), degrees)


def test_polygons_that_cannot_be_placed_are_refused():
    found = random_detections(PIXELS, 2, 1)
    with pytest.raises(UsageError, match="no georeference"):
        found.to_polygons("lonlat")
    with pytest.raises(UsageError, match="coordinates"):
        found.to_polygons("metres")


def test_to_geopandas_places_detections():
    found = random_detections(UTM, 12, 6)
    frame = found.to_geopandas()
    assert frame.crs.to_epsg() == 4326
    measured, plain = ["length_m", "width_m", "azimuth_deg"], ["run", "scene", "class", "score"]
    assert list(frame.columns)[:9] == ["id", *plain, *measured, "acquired"]
    assert list(frame.columns)[9:] == ["cx", "cy", "w", "h", "theta_degrees", "cut", "geometry"]
    np.testing.assert_array_equal(frame[measured], found.measures())
    np.testing.assert_array_equal(frame["theta_degrees"], np.degrees(found.boxes[:, 4]))
    assert frame["acquired"].isna().all()
    assert frame["class"].tolist() == found.classes.tolist()
    np.testing.assert_allclose(frame.to_crs(32645).area, found.boxes[:, 2] * found.boxes[:, 3] * 0.25, rtol=1e-3)
    in_pixels = random_detections(PIXELS, 3, 1).to_geopandas()
    assert in_pixels.crs is None
    assert shapely.equals(in_pixels.geometry, shapely.polygons(random_detections(PIXELS, 3, 1).to_polygons())).all()
    assert len(Detections.empty().to_geopandas()) == 0


def test_a_mix_with_and_without_georeference_needs_a_choice():
    both = Detections.concat([random_detections(UTM, 2, 1), random_detections(PIXELS, 2, 1)])
    with pytest.raises(UsageError, match="choose scenes of one kind"):
        both.to_geopandas()
    assert both.filter(Query(scenes=[UTM.id])).to_geopandas().crs.to_epsg() == 4326


def test_scenes_without_detections_do_not_decide_the_coordinates():
    nothing = Detections.empty(CLASSES, keyed(UTM, PIXELS))
    on_ground = Detections.concat([random_detections(UTM, 2, 1), nothing])
    in_pixels = Detections.concat([random_detections(PIXELS, 2, 1), nothing])
    assert on_ground.to_geopandas().crs.to_epsg() == 4326
    assert in_pixels.to_geopandas().crs is None
    assert nothing.to_geopandas().crs.to_epsg() == 4326


def test_empty_and_pickled_detections():
    nothing = Detections.from_arrays([], [], [], CLASSES, UTM, "r")
    assert len(nothing) == 0
    assert nothing.boxes.shape == (0, 5)
    assert nothing.to_polygons("lonlat").shape == (0, 4, 2)
    assert nothing.classes.shape == nothing.scores.shape == (0,)
    assert nothing.sorted().equals(nothing)
    some = random_detections(MERCATOR, 7, 1)
    assert pickle.loads(pickle.dumps(some)).equals(some)
    assert not some.equals(some.take([0, 1]))


def test_a_scene_of_unusual_but_possible_values():
    scene = SceneInfo("a", "a.tif", 1, 1, transform=[1, 0, 0, 0, 1, 0])
    assert scene.transform == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    assert not scene.georeferenced


def test_rows_slices_masks_and_the_table_of_a_notebook():
    found = random_detections(UTM, 12, 3)
    assert found[-1] == found.table.to_pylist()[-1] == list(found)[-1]
    assert found[2:4].equals(found.take([2, 3]))
    assert found[found.scores > 0.5].equals(found.take(np.flatnonzero(found.scores > 0.5)))
    with pytest.raises(IndexError, match="12"):
        found[12]
    page = found._repr_html_()
    assert page.count("<tr>") == 11
    assert "2 more" in page


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda found: found.filter({}), "query"),
        (lambda found: found.take([99]), "rows"),
        (lambda found: found.take([True]), "rows"),
        (lambda found: found.take(["a"]), "rows"),
        (lambda found: found.save(5), "path"),
        (lambda found: found.name_mask("score", ["a"]), "column"),
        (lambda found: found.name_mask("class", "ship"), "names"),
        (lambda found: found.to_polygons([]), "coordinates"),
        (lambda _: Detections.open(None), "path"),
        (lambda _: Detections.concat([5]), "parts"),
        (lambda _: Detections("a"), "table"),
        (lambda _: Detections.from_arrays([[1, 1, 1, 1, 0]], [0.5], [0.5], ["a"], PIXELS, "r"), "class indices"),
        (lambda _: Detections.from_arrays([[1, 1, 1, 1, 0]], ["x"], [0], ["a"], PIXELS, "r"), "scores"),
        (lambda _: SceneInfo("a", "b", "10", 10), "width"),
        (lambda _: Query(min_score="a"), "min_score"),
        (lambda _: Query(limit=True), "limit"),
        (lambda _: Query(box="a"), "box"),
    ],
)
def test_wrong_types_are_told_by_the_name_of_the_argument(call, name):
    with pytest.raises(UsageError, match=name):
        call(random_detections(UTM, 3, 1))


def test_sorting_by_keys() -> None:
    found = Detections.concat([random_detections(UTM, 30, 1), random_detections(PIXELS, 20, 2, run="b")])
    best = found.sort_by("-score", "class")
    rows = list(zip((-best.scores).tolist(), best.classes.tolist(), strict=True))
    assert rows == sorted(rows)
    longest = found.sort_by("-length").measures()[:, 0]
    assert np.isnan(longest[-20:]).all()
    assert (np.diff(longest[:-20]) <= 0).all()
    timed = Detections.concat([found, random_detections(ANTIMERIDIAN, 5, 3)])
    assert timed.sort_by("acquired").scene_ids[:5].tolist() == [ANTIMERIDIAN.id] * 5
    assert found.sort_by("scene").equals(found.sorted())
    length, width, _ = random_detections(UTM, 30, 1).sort_by("size").measures().T
    assert (np.diff(length * width) >= 0).all()
    for wrong in ((), ("weight",), ("--score",)):
        with pytest.raises(UsageError, match="sort"):
            found.sort_by(*wrong)
