"""Parts come back as they were, or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swathe.engine.parts import Part
from swathe.engine.raw import COLUMNS, RawDetections

CLASSES = 9


def some_part(count: int) -> Part:
    random = np.random.default_rng(count)
    raw = RawDetections(
        boxes=random.normal(size=(count, 5)),
        scores=random.random(count),
        classes=random.integers(0, CLASSES, count),
        cut=random.random(count) < 0.5,
    )
    return Part(raw, 3)


@pytest.mark.parametrize("count", [0, 1, 50])
def test_round_trip(count: int) -> None:
    part = some_part(count)
    again = Part.unpack(part.pack(), CLASSES)
    assert again is not None
    assert again.skipped == 3
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(again.raw, name), getattr(part.raw, name))
        assert getattr(again.raw, name).dtype == getattr(part.raw, name).dtype
    assert again.pack() == part.pack()


@given(data=st.data())
def test_any_damage_is_seen(data: st.DataObject) -> None:
    content = bytearray(some_part(5).pack())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    assert Part.unpack(bytes(content), CLASSES) is None


@pytest.mark.parametrize("number", [-1, CLASSES, 2**40])
def test_a_class_that_the_model_does_not_have_is_damage(number: int) -> None:
    part = some_part(3)
    foreign = replace(part, raw=replace(part.raw, classes=np.full(3, number)))
    assert Part.unpack(foreign.pack(), CLASSES) is None


def test_numbers_that_are_none_are_damage() -> None:
    part = some_part(3)
    foreign = replace(part, raw=replace(part.raw, scores=np.array([0.5, np.nan, 0.5])))
    assert Part.unpack(foreign.pack(), CLASSES) is None
