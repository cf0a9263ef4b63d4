"""Writes what the page "Your data, your model" works with when you have nothing of your own at hand.

`town.tif` is the scene that ships with Swathe as another camera would have seen it: 25 cm, UTM. `houses-obb.onnx` is
the model that ships with Swathe as another tool would have exported it: inputs of 640 pixels, and one output in the
layout of Ultralytics' oriented models, with its metadata. It needs the package `onnx`. Run it from the top of a
clone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import rasterio
from onnx import TensorProto, helper, numpy_helper
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import calculate_default_transform

import swathe
from swathe.detectors.heads.head import Graph
from swathe.detectors.heads.ywcsl import unpack_angles
from swathe.model.info import ANGLES_KEY, METADATA_KEY, Angles, ModelInfo

SCENE = Path("data/banepa/banepa.tif")
MODEL = Path(swathe.__file__).parent / "models" / "buildings" / "model.onnx"
SIDE = 640  # pixels of the input
METRES = 0.25  # per pixel
UTM = "EPSG:32645"


def write_scene(path: Path) -> None:
    """Warp the scene to another reference system and resolution."""
    with rasterio.open(SCENE) as scene:
        size = (scene.width, scene.height)
        transform, width, height = calculate_default_transform(scene.crs, UTM, *size, *scene.bounds, resolution=METRES)
        placed: Any = {"crs": UTM, "transform": transform, "width": width, "height": height}
        with WarpedVRT(scene, **placed, resampling=Resampling.average) as warped:
            pixels = warped.read((1, 2, 3))
    layout: Any = {"driver": "GTiff", "count": 3, "dtype": "uint8", "tiled": True, "compress": "deflate"}
    with rasterio.open(path, "w", **placed, **layout) as file:
        file.write(pixels)


class Layout:
    """Appends to a graph what turns its raw maps into rows of cx, cy, w, h, score and angle."""

    def __init__(self, model: Any) -> None:
        self.graph = model.graph
        self.count = 0

    def add(self, kind: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Add an operation on names of values, and constants; return the name, or names, of what it gives."""
        self.count += 1
        names = []
        for number, value in enumerate(inputs):
            names.append(value if isinstance(value, str) else f"constant{self.count}.{number}")
            if not isinstance(value, str):
                self.graph.initializer.append(numpy_helper.from_array(np.asarray(value), names[-1]))
        given = [f"value{self.count}.{number}" for number in range(outputs)]
        self.graph.node.append(helper.make_node(kind, names, given, **attributes))
        return given if outputs > 1 else given[0]

    def rows(self, level: str, stride: int, anchors: Any, angles: Angles) -> str:
        """Decode a level of one class, as `swathe.model.decode` does, but for the fractions of a degree."""
        cells = SIDE // stride
        count, features, bins = angles[0].shape
        parts = self.add("Reshape", level, np.array([1, count, 6, cells * cells]))
        place, sides, object_, score = self.add("Split", parts, np.array([2, 2, 1, 1]), outputs=4, axis=2)
        weight = angles[0].transpose(0, 2, 1).reshape(count * bins, features, 1, 1)
        angle = self.add("Conv", level.replace("p", "f"), weight, angles[1].ravel())
        angle = self.add("Reshape", angle, np.array([1, count, bins, cells * cells]))
        corner = np.stack(np.meshgrid(np.arange(cells), np.arange(cells)), 0).reshape(1, 1, 2, -1) - 0.5
        place = self.add("Add", self.twice(place), corner.astype(np.float32))
        place = self.add("Mul", place, np.float32(stride))
        sides = self.add("Pow", self.twice(sides), np.float32(2))
        sides = self.add("Mul", sides, np.array(anchors, np.float32)[None, :, :, None])
        score = self.add("Mul", self.add("Sigmoid", object_), self.add("Sigmoid", score))
        likeliest = self.add("Cast", self.add("ArgMax", angle, axis=2), to=TensorProto.FLOAT)
        angle = self.add("Mul", self.add("Add", likeliest, np.float32(0.5 - bins / 2)), np.float32(np.pi / bins))
        together = self.add("Concat", place, sides, score, angle, axis=2)
        together = self.add("Transpose", together, perm=[0, 2, 1, 3])
        return str(self.add("Reshape", together, np.array([1, 6, -1])))

    def twice(self, logits: str) -> str:
        """Add the sigmoid of logits, times two."""
        return str(self.add("Mul", self.add("Sigmoid", logits), np.float32(2)))


def write_model(path: Path) -> None:
    """Write the model in the layout of another make."""
    model = onnx.load(str(MODEL))
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    info = ModelInfo.from_json(metadata[METADATA_KEY], where=str(MODEL))
    channels = {
        port.name: tuple(size.dim_value for size in port.type.tensor_type.shape.dim) for port in model.graph.output
    }
    angles = unpack_angles(metadata[ANGLES_KEY], info, Graph(metadata, {}, channels), where=str(MODEL))
    layout = Layout(model)
    levels = zip(("p3", "p4", "p5"), info.strides, info.anchors, angles, strict=True)
    rows = [layout.rows(*level) for level in levels]
    model.graph.node.append(helper.make_node("Concat", rows, ["output0"], axis=2))
    places = sum(3 * (SIDE // stride) ** 2 for stride in info.strides)
    for ports, name, shape in (
        (model.graph.input, "images", [1, 3, SIDE, SIDE]),
        (model.graph.output, "output0", [1, 6, places]),
    ):
        del ports[:]
        ports.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    del model.graph.value_info[:], model.metadata_props[:]
    told = {"task": "obb", "names": "{0: 'building'}", "stride": "32", "imgsz": f"[{SIDE}, {SIDE}]"}
    helper.set_model_props(model, told)
    onnx.save(model, str(path))


if __name__ == "__main__":
    write_scene(Path("town.tif"))
    write_model(Path("houses-obb.onnx"))
    sys.stdout.write("wrote town.tif and houses-obb.onnx\n")
