"""What is written agrees with the JSON schemas of docs/schema."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pyarrow.parquet as pq
import pytest
import referencing
import shapely

from detection_samples import ANTIMERIDIAN, PIXELS, UTM, random_detections
from red_cells import write_red_cells
from swathe.areas import Area, Areas
from swathe.store.geoparquet import GeoParquetStore
from swathe.store.schema import COLUMNS, FILE_SCHEMA

if TYPE_CHECKING:
    from command import Command

ROOT = Path(__file__).parents[2]
SCHEMAS = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "docs" / "schema").glob("*.json")
}
REGISTRY = referencing.Registry().with_resources(
    (f"{name}.json", referencing.Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
)


def check(document: Any, name: str) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMAS[name], registry=REGISTRY)
    validator.validate(document)


def check_store(path: Path) -> list[str]:
    """Check all of a store; return which kinds of documents it had."""
    found = [("store", path / "swathe-store.json")]
    found += [("run", file) for file in (path / "runs").glob("*.json")]
    found += [("index", file) for file in (path / "index").glob("*.json")]
    found += [("areas", file) for file in path.glob("areas.geojson")]
    for name, file in found:
        check(json.loads(file.read_text(encoding="utf-8")), name)
    for file in (path / "detections").glob("*.parquet"):
        check(json.loads(pq.read_metadata(file).metadata[b"swathe"]), "detections")
    return sorted({name for name, _ in found})


def test_the_schemas_are_schemas():
    assert set(SCHEMAS) == {"store", "run", "detections", "index", "areas"}
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_a_store_that_a_run_has_written(command: Command, tiny_model: Path, tmp_path: Path) -> None:
    scene, path = write_red_cells(tmp_path / "harbour.tif"), tmp_path / "store"
    words = ("-m", tiny_model, "-o", path, "--tile", "128", "--stride", "96", "--workers", "0", "--json")
    assert command("detect", scene.path, *words).code == 0
    Areas((Area("Nepal/Kavre", shapely.box(85, 27, 86, 28)),)).save(path / "areas.geojson")
    assert check_store(path) == ["areas", "index", "run", "store"]


def test_stores_of_all_kinds_of_scenes_merged_and_changed(tmp_path: Path) -> None:
    store = GeoParquetStore.create(tmp_path / "store")
    for scene in (UTM, ANTIMERIDIAN, PIXELS):
        store.publish_scene("run-a", random_detections(scene, 5, 1), scene)
    manifest = json.loads(json.dumps(MANIFEST))
    store.commit("run-a", manifest)
    check_store(store.path)
    store.compact("run-a")
    check_store(store.path)
    store.remove_scene("run-a", UTM.id)
    check_store(store.path)


def test_a_store_of_version_1(tmp_path: Path) -> None:
    path = shutil.copytree(ROOT / "tests" / "golden" / "store-v1", tmp_path / "store")
    (path / "runs" / "run%2Da.json").write_text(json.dumps(MANIFEST))
    check_store(path)
    store = GeoParquetStore(path)
    store.files.refresh_index("run-a")
    assert "index" in check_store(path)


MANIFEST = {
    "run": "run-a",
    "settings": {"tile": 1024, "stride": 768, "scales": [1.0], "merge_iou": 0.2},
    "detector": None,
    "scenes": [UTM.id, ANTIMERIDIAN.id, PIXELS.id],
    "windows": 3,
    "skipped": 0,
    "detections": 15,
    "per_class": {"ship": 15},
}


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("store", {"kind": "geoparquet", "schema_version": 3}),
        ("store", {"kind": "geoparquet"}),
        ("run", {**MANIFEST, "detections": -1}),
        ("detections", {"schema_version": 2, "kind": "detections", "scenes": [], "classes": [], "runs": {}}),
        ("areas", {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": None}]}),
    ],
)
def test_what_is_wrong_does_not_pass(name: str, document: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check(document, name)


def test_the_page_lists_every_column_and_schema() -> None:
    page = (ROOT / "docs" / "reference" / "store-format.md").read_text(encoding="utf-8")
    assert COLUMNS[2] == FILE_SCHEMA
    for name in FILE_SCHEMA.names:
        assert f"`{name}`" in page
    for name in SCHEMAS:
        assert f"schema/{name}.json" in page
