"""Part files come back as they were, or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe.engine.parts import part_path, read_part, write_part
from swathe.engine.raw import RawDetections
from swathe.errors import StoreError


def some_detections(count: int) -> RawDetections:
    random = np.random.default_rng(count)
    return RawDetections(
        boxes=random.normal(size=(count, 5)),
        scores=random.random(count),
        classes=random.integers(0, 9, count),
        cut=random.random(count) < 0.5,
        windows=random.integers(0, 99, count),
    )


@pytest.mark.parametrize("count", [0, 1, 50])
def test_round_trip(tmp_path: Path, count: int) -> None:
    raw = some_detections(count)
    write_part(tmp_path, 7, raw, 3)
    part = read_part(tmp_path, 7)
    assert part is not None
    assert part.skipped == 3
    for name in ("boxes", "scores", "classes", "cut", "windows"):
        np.testing.assert_array_equal(getattr(part.raw, name), getattr(raw, name))
        assert getattr(part.raw, name).dtype == getattr(raw, name).dtype
    assert [path.name for path in tmp_path.iterdir()] == ["part-000000007.npz"]


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_damage_is_seen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("parts")
    path = write_part(folder, 0, some_detections(5), 0)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    path.write_bytes(content)
    assert read_part(folder, 0) is None


def test_classes_that_no_model_has_do_not_count(tmp_path: Path) -> None:
    raw = some_detections(3)
    write_part(tmp_path, 7, replace(raw, classes=raw.classes + 2**40), 0)
    assert read_part(tmp_path, 7) is None


def test_a_part_under_another_name_does_not_count(tmp_path: Path) -> None:
    write_part(tmp_path, 1, some_detections(2), 0).rename(part_path(tmp_path, 2))
    assert read_part(tmp_path, 2) is None
    assert read_part(tmp_path, 1) is None


def test_a_part_with_a_class_that_the_model_has_not_does_not_count(tmp_path: Path) -> None:
    found = some_detections(3)
    write_part(tmp_path, 1, found, 0)
    assert read_part(tmp_path, 1, int(found.classes.max()) + 1) is not None
    assert read_part(tmp_path, 1, int(found.classes.max())) is None


def test_a_missing_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        write_part(tmp_path / "gone", 0, some_detections(1), 0)
