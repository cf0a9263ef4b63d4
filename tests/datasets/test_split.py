"""Whole places are held out, whatever the images."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from red_cells import write_red_cells
from swathe.datasets.split import split_by_place
from swathe.errors import UsageError

if TYPE_CHECKING:
    from command import Command


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.3]))
def test_no_place_is_on_both_sides(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 1, (60, 2))
    images = [shapely.box(x, y, x + 0.03, y + 0.03) for x, y in corners.tolist()]
    held = set(split_by_place(images, share, seed=seed).held_out)
    assert 0 < len(held) <= 1.5 * share * 60
    for one, other in itertools.combinations(range(60), 2):
        assert (one in held) == (other in held) or not images[one].intersects(images[other])


def test_distances_are_metres_on_the_ground() -> None:
    images = [shapely.box(x, 60, x + 0.001, 60.001) for x in (0, 0.0019, 1, 2)]  # 50 metres between the first two
    assert split_by_place(images, 0.3, apart=40).places == 4
    assert split_by_place(images, 0.3, apart=60).places == 3
    assert split_by_place([*images, None, None], 0.3, apart=60).places == 5


def test_one_place_alone_cannot_be_divided() -> None:
    with pytest.raises(UsageError, match="1 place"):
        split_by_place([shapely.box(0, 0, 1, 1)] * 5)
    with pytest.raises(UsageError, match="share"):
        split_by_place([None] * 5, 1.0)


def test_the_command_writes_names(command: Command, tmp_path: Path) -> None:
    for number in range(6):
        write_red_cells(tmp_path / f"image-{number}.tif", width=64, height=64, georeferenced=number > 3)
    words = ("split", str(tmp_path / "*.tif"), "-o", tmp_path / "names.txt", "--share", 0.3)
    outcome = command(*words)
    assert outcome.code == 0
    assert "note: 4 images have no georeference" in outcome.err
    names = (tmp_path / "names.txt").read_text().splitlines()
    assert set(names) <= {f"image-{number}" for number in range(6)}
    assert len(names) == 2
    assert command(*words).code == 5
    summary = command(*words, "--overwrite", "--json").lines[-1]
    assert (summary["images"], summary["places"], summary["largest"]) == (6, 5, 2)
