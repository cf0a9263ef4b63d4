"""The application of the paper's section IV-F: a scene of 17520 x 11712 pixels at three scales, 2669 windows.

Made of the scene of the demo, mirrored and made lighter or darker from tile to tile, so that no window is blank. Three
ways: HDFS through YARN into HBase, this machine alone from disk to files, and the paper's: slices of 1024 px as PNG in
HDFS, looked at by one process. Each is a step of its own, `compare` puts them together:

    python -m benchmarks.cluster.application FOLDER CLUSTER make|put|cluster|local|slices|compare [--side 0.5]

FOLDER keeps what the steps leave, CLUSTER is the folder of a cluster that runs. With a smaller side it is a smaller
scene. `compare` ends in JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from rasterio.windows import Window

from benchmarks._machine import processor
from swathe.areas import Area, Areas
from swathe.query import Query
from swathe.store import open_store, read

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cluster"))

from swathe_cluster import Cluster

SCENE = Path(__file__).resolve().parents[2] / "data" / "banepa" / "banepa.tif"
WIDTH, HEIGHT = 17520, 11712  # pixels
LOOK = ("--tile", "1024", "--stride", "512", "--scales", "0.5,1,1.5")
MODEL = ("-m", "buildings", "--backend", "onnx")  # the same arithmetic wherever it runs, so that boxes can be equal
AREA = "Nepal/Kavre/Banepa"
BLOCK = 512
SCENE_PIXEL, MODEL_PIXEL = 0.132, 0.176  # metres on the ground


def make(path: Path, side: float) -> None:
    """Write the scene."""
    with rasterio.open(SCENE) as source:
        pixels, profile = source.read(), dict(source.profile)
    height, width = pixels.shape[1:]
    random = np.random.default_rng(0)
    rows, columns = round(side * HEIGHT), round(side * WIDTH)
    lights = random.uniform(0.85, 1.15, (rows // height + 1, columns // width + 1))
    # Pixels are told to be as large as the model wants them, so that its scales are those of the scene.
    transform = profile["transform"] @ rasterio.Affine.scale(MODEL_PIXEL / SCENE_PIXEL)
    profile |= {"width": columns, "height": rows, "jpeg_quality": 90, "transform": transform}
    with rasterio.open(path, "w", **profile) as target:
        for row in range(0, rows, BLOCK):
            down = np.arange(row, min(row + BLOCK, rows))
            across = np.arange(columns)
            strip = pixels[:, _mirrored(down, height)][:, :, _mirrored(across, width)]
            light = lights[down // height][:, across // width]
            data = np.clip(strip * light, 1, 255).astype(np.uint8)
            target.write(data, window=Window(0, row, columns, len(down)))


def _mirrored(places: np.ndarray[Any, Any], length: int) -> np.ndarray[Any, Any]:
    """Return places in a picture that is laid out again and again, each time mirrored, so that there are no seams."""
    inside = places % (2 * length)
    return np.where(inside < length, inside, 2 * length - 1 - inside)


class Application:
    """The steps."""

    def __init__(self, folder: Path, cluster: Cluster, side: float) -> None:
        self.folder, self.cluster, self.side = folder, cluster, side
        self.scene = folder / "application.tif"
        self.table = f"{cluster.addresses['hbase']}/paper-{folder.name}"
        self.hdfs = f"hdfs:///paper-{folder.name}"

    def make(self) -> None:
        """Write the scene to disk."""
        make(self.scene, self.side)

    def put(self) -> None:
        """Bring it into HDFS."""
        swathe("put", self.scene, f"{self.hdfs}/scenes/", "--compress", "jpeg", "--quality", "90")

    def on_cluster(self) -> None:
        """HDFS, YARN, HBase."""
        import pyspark

        jars = Path(pyspark.__file__).parent / "jars"
        spark = (f"spark.yarn.jars=local:{jars}/*", "spark.executor.memory=512m")
        words = [word for setting in spark for word in ("--spark", setting)]
        target = ("-o", f"{self.table}?work={self.hdfs}/work")
        swathe("detect", f"{self.hdfs}/scenes/*.tif", *MODEL, *LOOK, *target, *_yarn(), *words)

    def on_this_machine(self) -> None:
        """The local engine: two processes, files."""
        scene, store = self.folder / "copy" / self.scene.name, self.folder / "local"
        scene.parent.mkdir(exist_ok=True)
        from swathe.files import open_folder

        scene.write_bytes(open_folder(f"{self.hdfs}/scenes").get(scene.name) or b"")
        swathe("detect", scene, *MODEL, *LOOK, "-o", store, "--workers", "2")

    def slices(self) -> None:
        """The paper's way: cut, store, and look at the pieces in one process."""
        swathe("slice", f"{self.hdfs}/scenes/application.tif", f"{self.hdfs}/slices", *LOOK)

    def on_slices(self) -> None:
        """The second half of the paper's way."""
        store = ("-o", self.folder / "slices", "--workers", "0")
        swathe("detect", f"{self.hdfs}/slices/application/", *MODEL, *LOOK, *store)

    def compare(self) -> dict[str, object]:
        """Ask for an area by name, and compare the stores box by box."""
        stores = {name: open_store(place) for name, place in self.places().items()}
        found = {name: read(store).table for name, store in stores.items()}
        west, south, east, north = _bounds(read(stores["cluster"]))
        half = 0.25 * (east - west), 0.25 * (north - south)
        area = Area(AREA, shapely.box(west + half[0], south + half[1], east - half[0], north - half[1]))
        asked: dict[str, object] = {}
        for name, store in stores.items():
            store.keep_areas(Areas((area,)))
            query = Query(areas=(store.areas()[AREA],))
            read(store, query)
            start = time.perf_counter()
            asked[name] = {"detections": len(read(store, query)), "ms": round(1e3 * (time.perf_counter() - start))}
        expected = found["local"].to_pylist()
        windows = {name: store.scenes()[0].windows for name, store in stores.items()}
        return {
            "windows": windows["cluster"],
            "detections": len(expected),
            "same_boxes": {name: table.to_pylist() == expected for name, table in found.items()},
            "by_area_name": asked,
        }

    def places(self) -> dict[str, str | Path]:
        """Return the stores that there are."""
        listed: dict[str, str | Path] = {"cluster": self.table, "local": self.folder / "local"}
        return listed | ({"slices": self.folder / "slices"} if (self.folder / "slices").exists() else {})


def _yarn() -> list[str]:
    return ["--engine", "spark", "--master", "yarn"]


def _bounds(found: Any) -> tuple[float, float, float, float]:
    west, south, east, north = shapely.total_bounds(found.footprints()).tolist()
    return west, south, east, north


def swathe(*words: object) -> None:
    """Call the command."""
    program = [sys.executable, "-m", "swathe"]
    subprocess.run([*program, *map(str, words)], check=True)


def main() -> None:
    """Take a step, and note how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("cluster", type=Path)
    parser.add_argument("step")
    parser.add_argument("--side", type=float, default=1.0, help="of the scene, in those of the paper's")
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    cluster = Cluster(options.cluster.absolute())
    place = str(cluster.configuration)
    os.environ |= {"HADOOP_CONF_DIR": place, "SPARK_CONF_DIR": place, "SPARK_LOCAL_IP": "127.0.0.1"}
    application = Application(options.folder.absolute(), cluster, options.side)
    steps: dict[str, Callable[[], object]] = {
        "make": application.make,
        "put": application.put,
        "cluster": application.on_cluster,
        "local": application.on_this_machine,
        "slices": application.slices,
        "on-slices": application.on_slices,
    }
    notes = options.folder / "seconds.json"
    seconds = json.loads(notes.read_text()) if notes.exists() else {}
    if options.step != "compare":
        start = time.perf_counter()
        steps[options.step]()
        seconds[options.step] = round(time.perf_counter() - start, 1)
        notes.write_text(json.dumps(seconds))
        return
    result = {"machine": processor(), "width": round(options.side * WIDTH), "height": round(options.side * HEIGHT)}
    print(json.dumps({**result, "seconds": seconds, **application.compare()}))


if __name__ == "__main__":
    main()
