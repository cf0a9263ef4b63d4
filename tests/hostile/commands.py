"""Commands beside detecting and querying: each over damaged stores, damaged scenes, and whole ones with nonsense."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from hostile.case import Allowed, Bench, Case, makers_of
from hostile.damage import damaged
from hostile.samples import FORMATS
from hostile.stores import copy_of, damage_one, flip_sealed_footer

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


@maker
def sealed_footer(bench: Bench) -> Case:
    """A file of detections whose footer was changed and sealed again, given to Arrow."""
    store = copy_of(bench, bench.samples.store)
    path: Path = bench.chance.choice(sorted((store / "detections").glob("*.parquet")))
    what = flip_sealed_footer(path, bench.chance)
    return bench.query(store, f"{path.name}: {what}", Allowed.VALID)
