"""Write the images and labels of a training configuration as Ultralytics' YOLO-OBB data set.

Usage: python -m benchmarks.rivals.yolo_dataset CONFIG.toml FOLDER

Training views are taken from the same images; sets that are repeated are repeated here. What Swathe ignores has no
place in this format: difficult objects become ordinary ones of their class or are left out, and a class that a set does
not label is background there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from swathe.datasets.classes import map_classes
from swathe.training.config import DataSettings, load_config
from swathe.training.data import chosen_samples


def main() -> None:
    """Write both halves, and the file that names them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    config = load_config(options.config)
    folder = options.folder.resolve()
    for half, entries in (("train", config.train), ("val", config.validate)):
        images = [image for entry in entries for image in _write(entry, config.model.classes, folder, half)]
        (folder / f"{half}.txt").write_text("".join(f"{image}\n" for image in images), encoding="utf-8")
    names = dict(enumerate(config.model.classes))
    description = {"path": str(folder), "train": "train.txt", "val": "val.txt", "names": names}
    (folder / "data.yaml").write_text(json.dumps(description), encoding="utf-8")  # JSON is YAML
    print(json.dumps({"data": str(folder / "data.yaml"), "input_size": config.model.input_size}))


def _write(entry: DataSettings, classes: Sequence[str], folder: Path, half: str) -> list[Path]:
    """Link the images of a set and write their labels; return the images, as often as they are repeated."""
    kind = f"{half}-{entry.labels.parent.name}"
    (folder / "images" / kind).mkdir(parents=True, exist_ok=True)
    (folder / "labels" / kind).mkdir(parents=True, exist_ok=True)
    written = []
    for sample in chosen_samples(entry):
        mapped = map_classes(sample, entry.rename, wanted=classes, others="drop")
        source = Path(sample.image or "")
        image = folder / "images" / kind / source.name
        if not image.exists():
            image.symlink_to(source.resolve())
        with Image.open(source) as opened:
            shares = mapped.polygons / np.array(opened.size)
        lines = [
            f"{classes.index(name)} {' '.join(f'{value:.6f}' for value in polygon.ravel())}\n"
            for name, polygon in zip(mapped.classes, np.clip(shares, 0, 1), strict=True)
        ]
        (folder / "labels" / kind / f"{sample.name}.txt").write_text("".join(lines), encoding="utf-8")
        written += [image] * entry.repeat
    return written


if __name__ == "__main__":
    main()
