"""Damaged and malicious labels: DOTA text, DIOR-R XML, GeoJSON."""

from __future__ import annotations

import json
from typing import Any

from hostile.case import Allowed, Bench, Case, makers_of
from hostile.damage import damaged
from hostile.samples import configuration, to_toml

MAKERS, maker = makers_of("labels")
NUMBERS = ("nan", "inf", "1e400", "-1e300", "1e300", "x", "", "9" * 5000, "\u0663", "1_0", "0x5", "1,5", "\0")


def _evaluate(bench: Bench, what: str, allowed: Allowed = Allowed.VALID, culprit: str | None = None) -> Case:
    words = ("evaluate", "--truth", str(bench.folder / "labels"), "--found", str(bench.samples.finished))
    return Case(what, words, allowed, culprit)


@maker
def dota(bench: Bench) -> Case:
    """A DOTA label file is damaged."""
    data, what = damaged((bench.samples.labels / "harbour.txt").read_bytes(), bench.chance)
    bench.write("labels/harbour.txt", data)
    return _evaluate(bench, what)


@maker
def dota_fields(bench: Bench) -> Case:
    """A field of a DOTA label is nonsense, missing or too much."""
    lines = (bench.samples.labels / "harbour.txt").read_text().splitlines()
    row = bench.chance.randrange(len(lines))
    fields = lines[row].split()
    place, value = bench.chance.randrange(len(fields)), bench.chance.choice(NUMBERS)
    fields[place : place + bench.chance.choice((0, 1, 2))] = [value] * bench.chance.choice((1, 1, 5))
    lines[row] = " ".join(fields)
    bench.write("labels/harbour.txt", "\n".join(lines))
    return _evaluate(bench, f"field {place} is {value[:20]!r}")


@maker
def dota_text(bench: Bench) -> Case:
    """A DOTA label file is no text, or enormous."""
    line = "0 0 9 0 9 9 0 9 ship 0\n"
    data, what = bench.chance.choice(
        (
            (line.encode("utf-16"), "UTF-16"),
            (b"\xff\xfe\xfa", "no UTF-8"),
            (bytes(5000), "NUL bytes"),
            ((line * 20_000).encode(), "20,000 equal objects"),
            (b"1 " * 10**6, "one line of a million fields"),
            (b"0 0 9 9 9 0 0 9 ship 0", "a bow tie"),
            (b"0 0 0 0 0 0 0 0 ship 0", "no area"),
            (b"0 0 1e200 0 1e200 1e200 0 1e200 ship 0", "an enormous one"),
            (b"0 0 9 0 9 9 0 9 \xe2\x80\xae 0", "a class of controls"),
            (b"\r0 0 9 0 9 9 0 9 ship 0\r", "old line ends"),
        )
    )
    bench.write("labels/harbour.txt", data)
    return _evaluate(bench, what)


@maker
def task1(bench: Bench) -> Case:
    """DOTA task 1 results are damaged."""
    for path in bench.samples.task1.iterdir():
        data, what = damaged(path.read_bytes(), bench.chance)
        bench.write(f"task1/{path.name}", data)
    words = ("evaluate", "--truth", str(bench.samples.labels), "--found", str(bench.folder / "task1"))
    return Case(f"task 1: {what}", words)


def _train(bench: Bench, table: str, what: str, allowed: Allowed, culprit: str) -> Case:
    """Read labels as training does."""
    sections = configuration(bench.samples) | {"[[train]]": table.splitlines()}
    path = bench.write("train.toml", to_toml(sections))
    return Case(what, ("train", str(path), "--check"), allowed, culprit, (bench.folder / "out",))


def _geojson(bench: Bench, content: bytes | str, what: str, allowed: Allowed = Allowed.VALID) -> Case:
    path = bench.write("labels.geojson", content)
    table = f'kind = "geojson"\nlabels = "{path}"\nscene = "{bench.samples.scene}"\nclass_name = "ship"\n'
    return _train(bench, table, what, allowed, "labels.geojson")


def _polygons(bench: Bench) -> dict[str, Any]:
    """Return good polygons over the scene."""
    document: dict[str, Any] = json.loads(bench.samples.queried.read_text())
    return document


@maker
def geojson(bench: Bench) -> Case:
    """A GeoJSON file is damaged."""
    data, what = damaged(json.dumps(_polygons(bench)).encode(), bench.chance)
    return _geojson(bench, data, what)


@maker
def geojson_values(bench: Bench) -> Case:
    """A value in a GeoJSON file is nonsense."""
    document = _polygons(bench)
    feature = bench.chance.choice(document["features"])
    value = bench.chance.choice((None, 7, "x", [], {}, float("nan"), 1e300, [[]], [[[1]]], [[[1, 2]]], True))
    where = bench.chance.choice(("feature", "geometry", "coordinates", "ring", "corner", "number", "type", "features"))
    ring = feature["geometry"]["coordinates"][0]
    if where == "feature":
        document["features"][0] = value
    elif where == "features":
        document["features"] = value
    elif where == "geometry":
        feature["geometry"] = value
    elif where == "ring":
        feature["geometry"]["coordinates"][0] = value
    elif where == "corner":
        ring[1] = value
    elif where == "number":
        ring[1][0] = value
    else:
        feature["geometry"][where] = value
    return _geojson(bench, json.dumps(document), f"{where} is {value!r}")


@maker
def geojson_text(bench: Bench) -> Case:
    """A GeoJSON file is none, nested without end, or enormous."""
    corner = "[85.5,27.6],"
    polygon = '{"type":"Polygon","coordinates":[[%s[85.5,27.6]]]}'
    text, what = bench.chance.choice(
        (
            ("[" * 200_000, "200,000 brackets"),
            ('{"a":' * 100_000, "100,000 objects deep"),
            ("", "nothing"),
            ("null", "null"),
            ("1" * 5000, "one long number"),
            ('{"type":"FeatureCollection","features":1e400}', "infinite"),
            ('{"type":"FeatureCollection","type":"x","features":[],"features":7}', "keys twice"),
            (polygon % (corner * 300_000), "a ring of 300,000 equal corners"),
            (polygon % "", "a ring of one corner"),
            ('{"type":"GeometryCollection","geometries":[' * 5000 + "]}" * 5000, "collections in collections"),
            ('{"type":"FeatureCollection","features":[]}', "no features"),
        )
    )
    return _geojson(bench, text, what, Allowed.NOTHING)


@maker
def xml(bench: Bench) -> Case:
    """A DIOR-R label file with entities, nonsense or endless depth."""
    grow = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    corners = "".join(f"<{name}>{{}}</{name}>" for name in (["x_left_top", "y_left_top", "x_right_top", "y_right_top"]))
    corners += "".join(
        f"<{name}>5</{name}>" for name in (["x_right_bottom", "y_right_bottom", "x_left_bottom", "y_left_bottom"])
    )
    number = bench.chance.choice((*NUMBERS[:10], "5"))
    body = f"<object><name>ship</name><robndbox>{corners.format(*[number] * 4)}</robndbox></object>"
    text, what = bench.chance.choice(
        (
            (f'<!DOCTYPE x [<!ENTITY e0 "lol">{grow}]><annotation>&e9;</annotation>', "entities that grow"),
            ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><annotation>&e;</annotation>', "a foreign entity"),
            ("<a>" * 200_000, "endless depth"),
            ("<annotation>", "no end"),
            ("", "nothing"),
            (f"<annotation>{body}</annotation>", f"corners of {number[:10]!r}"),
            ('<?xml version="1.0" encoding="no-such"?><annotation/>', "an unknown encoding"),
        )
    )
    bench.write("xml/harbour.xml", text)
    table = f'kind = "dior-r"\nlabels = "{bench.folder / "xml"}"\nimages = "{bench.samples.images}"\n'
    # An object far outside of its image is well-formed: then the set as a whole has nothing to learn from.
    allowed = Allowed.NOTHING if what != "corners of '5'" else Allowed.VALID
    return _train(bench, table, what, allowed, "xml")


@maker
def polygon_of_query(bench: Bench) -> Case:
    """The polygon of a query is nonsense."""
    number = bench.chance.choice((1e300, float("nan"), "x", None, [], 181))
    ring: list[Any] = [[85.3, 27.6], [85.4, 27.6], [85.4, 27.7], [85.3, 27.6]]
    ring[bench.chance.randrange(4)] = [number, bench.chance.choice((27.6, number))]
    text = json.dumps({"type": "Polygon", "coordinates": [ring]})
    text = bench.chance.choice((text, "[" * 100_000, text[:40], text.replace("Polygon", "Point"), "\0", "{}"))
    path = bench.write("region.geojson", text)
    return bench.query(bench.samples.store, text[:50], Allowed.VALID, "--polygon", str(path), culprit="region.geojson")
