"""Commands beside detecting and querying: each over damaged stores, damaged scenes, and whole ones with nonsense."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from hostile.case import Allowed, Bench, Case, makers_of
from hostile.damage import damaged
from hostile.samples import FORMATS
from hostile.stores import copy_of, damage_one, rename_class, rename_class_in_rows

MAKERS, maker = makers_of("other commands")


def _over_damaged(command: str, *more: str) -> Callable[[Bench], Case]:
    """Return what makes cases of a command over a store of which one file is damaged."""

    def make(bench: Bench) -> Case:
        store = copy_of(bench, bench.samples.store)
        what = damage_one(bench, store)
        return Case(f"{command}, {what}", (command, str(store), *more))

    make.__name__ = command
    return make


for name, options in (
    ("runs", ()),
    ("scenes", ()),
    ("stats", ()),
    ("compact", ()),
    ("areas", ()),
    ("remove", ("--scene", "harbour", "--yes")),
):
    maker(_over_damaged(name, *options))


@maker
def removed_run(bench: Bench) -> Case:
    """A run, or all unfinished ones, are removed from a damaged store."""
    store = copy_of(bench, bench.chance.choice((bench.samples.store, bench.samples.unfinished)))
    what = damage_one(bench, store)
    more = bench.chance.choice((("--unfinished",), ("--run", "no\nsuch"), ("--run", "../../x")))
    return Case(f"remove {more}, {what}", ("remove", str(store), "--yes", *more))


@maker
def added_areas(bench: Bench) -> Case:
    """A damaged file of areas is added to a whole store, which keeps none of it."""
    store = copy_of(bench, bench.samples.store)
    corners = [[85.3, 27.6], [85.4, 27.6], [85.4, 27.7], [85.3, 27.6]]
    features = [
        {"type": "Feature", "properties": {"name": name}, "geometry": {"type": "Polygon", "coordinates": [corners]}}
        for name in ("a", bench.chance.choice(("a/b", "a", "", "/", "a\nb", "../a", "\u202ea", "a" * 10**5)))
    ]
    data, what = json.dumps({"type": "FeatureCollection", "features": features}).encode(), "names"
    if bench.chance.random() < 0.5:
        data, what = damaged(data, bench.chance)
    path = bench.write("areas.geojson", data)
    return Case(f"areas --add, {what}", ("areas", str(store), "--add", str(path)), culprit="areas.geojson")


@maker
def histograms(bench: Bench) -> Case:
    """Statistics of a damaged store are drawn."""
    store, output = copy_of(bench, bench.samples.store), bench.folder / "picture.png"
    what = damage_one(bench, store)
    return Case(f"stats -o, {what}", ("stats", str(store), "-o", str(output)), outputs=(output,))


@maker
def page(bench: Bench) -> Case:
    """A damaged store is drawn as a page."""
    store, output = copy_of(bench, bench.samples.store), bench.folder / "page.html"
    what = damage_one(bench, store)
    return Case(f"draw page, {what}", ("draw", str(store), "-o", str(output), "--scene", "harbour"), outputs=(output,))


@maker
def drawn_image(bench: Bench) -> Case:
    """A whole store is drawn over a damaged image."""
    name = bench.chance.choice(tuple(FORMATS))
    data, what = damaged(bench.samples.raster(name).read_bytes(), bench.chance)
    path, output = bench.write(name, data), bench.folder / bench.chance.choice(("picture.png", "page.html"))
    words = ("draw", str(bench.samples.store), "-o", str(output), "--scene", "harbour", "--image", str(path))
    return Case(f"draw {output.name}, {name}: {what}", words, outputs=(output,))


@maker
def drawn_nonsense(bench: Bench) -> Case:
    """A whole store is drawn with a nonsense value of an option."""
    option = bench.chance.choice(("--size", "--id", "--margin", "--bands", "--value-range", "--min-score", "--classes"))
    value = bench.chance.choice(("-1", "0", "nan", "1e400", "9" * 400, "x", "", ",", "\n", "a/b/c", "2147483648"))
    output = bench.folder / bench.chance.choice(("picture.png", "page.html", "picture.jpg", "picture"))
    words = ("draw", str(bench.samples.store), "-o", str(output), "--scene", "harbour", f"{option}={value}")
    return Case(f"draw {output.name} {option}={value[:30]!r}", words, Allowed.INTERRUPTED, outputs=(output,))


@maker
def converted_folder(bench: Bench) -> Case:
    """A folder with a whole and a damaged scene is converted."""
    scenes, output = bench.folder / "scenes", bench.folder / "converted"
    scenes.mkdir()
    shutil.copy(bench.samples.scene, scenes / "harbour.tif")
    name = bench.chance.choice(tuple(FORMATS))
    data, what = damaged(bench.samples.raster(name).read_bytes(), bench.chance)
    (scenes / name).write_bytes(data)
    return Case(f"convert folder, {name}: {what}", ("convert", str(scenes), "-o", str(output)))


@maker
def examined(bench: Bench) -> Case:
    """`doctor` in a folder of hostile files, which it must not look at."""
    for name in ("swathe.toml", "pyproject.toml", "numpy.py", "gdal.vrt"):
        bench.write(name, bench.chance.randbytes(200))
    words = bench.chance.choice((("doctor",), ("doctor", "--json"), ("doctor", "x"), ("doctor", "--warm=\n")))
    return Case(f"{words}", words)


NAMES = (
    "\x1b[2Jgone\x1b]0;taken\x07",
    "line\nbreak  9  99",
    "\u202egnp.tif",
    "</script><script>alert(1)</script>",
    "' onload='x' \"><img src=x>",
    "[/red]{0}%s$title",
    "$\\frac{$ _",
    "../../../outside",
    "=1+cmd|' /C x'!A0",
    "x" * 300,
    "nul\0byte",
    "\u0661\u0662",
    "CON",
    " ",
)


@maker
def named_classes(bench: Bench) -> Case:
    """A store whose class has a hostile name."""
    name, store = bench.chance.choice(NAMES), copy_of(bench, bench.samples.store)
    for path in store.glob("detections/*/*.parquet"):
        rename_class(path, "ship", name)
    for path in store.glob("scenes/*.parquet"):
        rename_class_in_rows(path, "ship", name)
    return _looked_at(bench, store, "harbour", f"a class named {name[:30]!r}")


@maker
def named_scenes(bench: Bench) -> Case:
    """A store with scenes of hostile names, as files may have them."""
    import numpy as np

    from swathe.detections import Detections, SceneInfo

    name, store = bench.chance.choice(NAMES), bench.folder / "store"
    scene = SceneInfo(id=name, uri=str(bench.samples.scene), width=320, height=256)
    found = Detections.from_arrays(
        np.array([[90.0, 80.0, 30.0, 12.0, 0.4]]), np.array([0.9]), [0], ["ship"], scene, "r"
    )
    found.save(store)
    return _looked_at(bench, store, name, f"a scene named {name[:30]!r}")


def _looked_at(bench: Bench, store: Path, scene: str, what: str) -> Case:
    """Return a case of a command that shows or writes what is in a store."""
    image = (f"--scene={scene}", "--image", str(bench.samples.scene))
    outputs = ("o.geojson", "o.gpkg", "o.fgb", "o.csv", "o.coco.json", "o.parquet", "o")
    command, *more = bench.chance.choice(
        (
            *(("query", "-o", name) for name in outputs),
            ("query", "-o", "task1", "--format", "dota"),
            *((name,) for name in ("query", "runs", "scenes", "stats", "areas", "compact")),
            ("stats", "-o", "o.png"),
            ("draw", "-o", "o.png", *image),
            ("draw", "-o", "o.html", *image),
        )
    )
    return Case(f"{command} {' '.join(more)}, {what}", (command, str(store), *more))
