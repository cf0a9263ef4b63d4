"""What every detector promises, whatever runs the model."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from swathe.boxes import canonical, iou_matrix
from swathe.detectors.protocol import DetectorSpec, Tile, TileDetections
from swathe.detectors.registry import find_backend, open_detector


def noise_tile(side: int, seed: int, width: int | None = None, height: int | None = None) -> Tile:
    """Make a tile of coloured 8 px squares, in which networks of all kinds see something.

    Args:
        side: Of the tile, pixels.
        seed: The same seed gives the same picture.
        width: Columns that hold scene pixels; all if not given.
        height: Rows that hold scene pixels; all if not given.

    Returns:
        The tile.
    """
    squares = np.random.default_rng(seed).integers(0, 256, (-(-side // 8), -(-side // 8), 3), dtype=np.uint8)
    pixels = squares.repeat(8, axis=0).repeat(8, axis=1)[:side, :side]
    return Tile(np.ascontiguousarray(pixels), "scene", 1.0, 0, 0, width or side, height or side)


def assert_equal(one: TileDetections, other: TileDetections) -> None:
    """Compare two results; runtimes may round otherwise where several tiles go in at once."""
    assert len(one) == len(other)
    np.testing.assert_allclose(one.boxes, other.boxes, atol=0.02)
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-3)
    np.testing.assert_array_equal(one.classes, other.classes)


class DetectorSuite:
    """Subclass it as TestSomething, and write the fixture `spec`; the tests come with it."""

    @pytest.fixture
    def spec(self) -> DetectorSpec:
        """Describe a detector, best by `resolve_model`, that finds something in the `tiles`."""
        raise NotImplementedError

    @pytest.fixture
    def tiles(self, spec: DetectorSpec) -> list[Tile]:
        """Make three tiles, in which there is something to find; noise, if nothing else is written."""
        part = max(1, spec.tile * 3 // 4)
        return [noise_tile(spec.tile, 1), noise_tile(spec.tile, 2, width=part), noise_tile(spec.tile, 3, height=part)]

    def test_the_specification_travels(self, spec: DetectorSpec) -> None:
        """A worker opens the detector from what arrived of the specification."""
        arrived = pickle.loads(pickle.dumps(spec))
        assert arrived == spec
        assert open_detector(arrived).spec == spec
        assert find_backend(spec.backend).suffixes

    def test_there_is_a_result_for_each_tile(self, spec: DetectorSpec, tiles: list[Tile]) -> None:
        """Results come in the order of the tiles, and no tiles give none."""
        detector = open_detector(spec)
        assert detector.detect([]) == []
        results = [detector.detect([tile])[0] for tile in tiles]
        assert sum(map(len, results)) > 0, "nothing was found, so nothing is tested"
        for tile, found in zip(reversed(tiles), reversed(results), strict=True):
            assert_equal(detector.detect([tile])[0], found)

    def test_a_batch_gives_what_single_tiles_give(self, spec: DetectorSpec, tiles: list[Tile]) -> None:
        """How many tiles are handed over at once changes nothing."""
        single = open_detector(spec)
        together = open_detector(replace(spec, batch=len(tiles))).detect(tiles)
        for tile, found in zip(tiles, together, strict=True):
            assert_equal(single.detect([tile])[0], found)
        part = open_detector(replace(spec, batch=len(tiles))).detect(tiles[:1])
        assert_equal(part[0], together[0])

    def test_results_outlive_the_next_call(self, spec: DetectorSpec, tiles: list[Tile]) -> None:
        """A result is not a view of a buffer that the next tile is written to."""
        detector = open_detector(spec)
        (first,) = detector.detect(tiles[:1])
        kept = TileDetections(first.boxes.copy(), first.scores.copy(), first.classes.copy())
        detector.detect(tiles[1:2])
        np.testing.assert_array_equal(first.boxes, kept.boxes)
        np.testing.assert_array_equal(first.scores, kept.scores)
        np.testing.assert_array_equal(first.classes, kept.classes)

    def test_boxes_are_canonical(self, spec: DetectorSpec, tiles: list[Tile]) -> None:
        """Boxes are (cx, cy, w, h, theta), w the long side, theta in [-pi/2, pi/2); scores fall."""
        for tile in tiles:
            (found,) = open_detector(spec).detect([tile])
            assert found.boxes.shape == (len(found), 5)
            assert [column.dtype.str for column in (found.boxes, found.scores, found.classes)] == ["<f8", "<f8", "<i8"]
            np.testing.assert_allclose(found.boxes, canonical(found.boxes), atol=1e-9)
            assert (np.diff(found.scores) <= 0).all()
            assert ((found.scores >= spec.min_score) & (found.scores <= 1)).all()
            assert ((found.classes >= 0) & (found.classes < len(spec.classes))).all()

    def test_no_object_lies_in_the_padding(self, spec: DetectorSpec, tiles: list[Tile]) -> None:
        """Centres lie on scene pixels."""
        for tile in tiles:
            (found,) = open_detector(spec).detect([tile])
            assert ((found.boxes[:, 0] >= 0) & (found.boxes[:, 0] <= tile.width)).all()
            assert ((found.boxes[:, 1] >= 0) & (found.boxes[:, 1] <= tile.height)).all()

    def test_duplicates_are_suppressed(self, spec: DetectorSpec, tiles: list[Tile]) -> None:
        """No two boxes of a class overlap by more than the threshold."""
        for tile in tiles:
            (found,) = open_detector(spec).detect([tile])
            overlap = np.triu(iou_matrix(found.boxes, found.boxes), 1)
            assert overlap[found.classes[:, None] == found.classes[None, :]].max(initial=0.0) <= spec.iou + 1e-9

    def test_only_wanted_classes_are_found(self, spec: DetectorSpec, tiles: list[Tile]) -> None:
        """Classes that are not to be reported are left out, and so are low scores."""
        (everything,) = open_detector(spec).detect(tiles[:1])
        for index, name in enumerate(spec.classes):
            (found,) = open_detector(replace(spec, keep=(name,))).detect(tiles[:1])
            assert set(found.classes.tolist()) <= {index}
            assert len(found) == (everything.classes == index).sum()
        (best,) = open_detector(replace(spec, min_score=0.9)).detect(tiles[:1])
        assert (best.scores >= 0.9).all()
