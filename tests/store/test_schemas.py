"""What is written agrees with the JSON schemas of docs/schema, and the rows with the page about the format."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow.parquet as pq
import pytest
import shapely

from swathe.areas import Area, Areas
from swathe.store import open_store
from swathe.store.rows import ROWS
from swathe.store.schema import FILE_SCHEMA
from swathe.testing.suites.samples import ANTIMERIDIAN, PIXELS, UTM, random_detections
from swathe.testing.suites.store import add

ROOT = Path(__file__).parents[2]
SCHEMAS = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "docs" / "schema").glob("*.json")
}
PAGE = (ROOT / "docs" / "reference" / "store-format.md").read_text(encoding="utf-8")


def check(document: Any, name: str) -> None:
    jsonschema.Draft202012Validator(SCHEMAS[name]).validate(document)


def test_the_schemas_are_schemas():
    assert set(SCHEMAS) == {"store", "detections", "areas"}
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_a_store_of_all_kinds_of_scenes(tmp_path: Path) -> None:
    store = open_store(tmp_path, create=True)
    add(store, *(random_detections(scene, 5, 1) for scene in (UTM, ANTIMERIDIAN, PIXELS)))
    store.keep_areas(Areas((Area("Nepal/Kavre", shapely.box(85, 27, 86, 28)),)))
    check(json.loads((tmp_path / "swathe-store.json").read_bytes()), "store")
    check(json.loads((tmp_path / "areas.geojson").read_bytes()), "areas")
    files = list(tmp_path.glob("detections/*/*.parquet"))
    assert len(files) == 3
    for file in files:
        check(json.loads(pq.read_metadata(file).metadata[b"swathe"]), "detections")
    with pytest.raises(jsonschema.ValidationError):
        check({"kind": "geoparquet", "schema_version": 2}, "store")


@pytest.mark.parametrize(("title", "names"), [("## Columns", FILE_SCHEMA.names), ("## Rows of runs", ROWS.names)])
def test_the_page_names_every_column(title: str, names: list[str]) -> None:
    table = PAGE.partition(title)[2].partition("\n## ")[0]
    told = [
        name
        for line in table.splitlines()
        if line.startswith("|")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    ]
    assert set(names) - {"reason"} == set(told)
