"""Files that users name are read whole, and devices are not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from swathe.areas import Areas
from swathe.datasets import dior_r, dota, geojson
from swathe.errors import ModelError, SourceError, SwatheError
from swathe.inputs import read_input
from swathe.model.checkpoint import load_safetensors
from swathe.raster.sources import find_sources
from swathe.testing.scenes import scene_without_file, synthetic_scene
from swathe.training.config import load_config


def test_files_and_pipes_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"some\r\n\xff")
    assert read_input(tmp_path / "file") == b"some\r\n\xff"
    there, back = os.pipe()
    with os.fdopen(back, "wb") as stream:
        stream.write(b"piped")
    assert read_input(Path(f"/dev/fd/{there}")) == b"piped"
    os.close(there)


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (load_safetensors, ModelError),
        (dota.read_labels, SourceError),
        (dior_r.read_labels, SourceError),
        (
            lambda path: geojson.read_rings(path, scene_without_file(synthetic_scene(9, 9, seed=1)), class_name="x"),
            SourceError,
        ),
        (Areas.open, SourceError),
        (load_config, SourceError),
        (lambda path: find_sources([f"@{path}"]), SourceError),
    ],
)
def test_a_device_without_end_is_refused(
    tmp_path: Path, read: Callable[[Path], object], kind: type[SwatheError]
) -> None:
    (tmp_path / "zero").symlink_to("/dev/zero")
    with pytest.raises(kind, match=r"zero.*it is a device"):
        read(tmp_path / "zero")
