from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import shapely
from fastapi.testclient import TestClient

from memory_store import MemoryStore
from swathe.detections import Detections
from swathe.query import Query, reference_filter
from swathe.viewer.app import make_app
from swathe.viewer.snapshot import scene_key
from viewer_samples import keep

ITEMS = "/api/collections/detections/items"


def ask(client: TestClient, path: str, **parameters: Any) -> Any:
    answer = client.get(path, params=parameters or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module", params=["memory", "folder", "bucket"])
def client(request: pytest.FixtureRequest, store: MemoryStore, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """The server over a store in memory, one in a folder, and one in a bucket."""
    places = {
        "memory": lambda: store,
        "folder": lambda: keep(store, tmp_path_factory.mktemp("store")),
        "bucket": lambda: keep(store, f"{request.getfixturevalue('bucket')}/store"),
    }
    kept = places[request.param]()
    return TestClient(make_app(kept), base_url="http://127.0.0.1")


@pytest.fixture
def on_ground(store: MemoryStore) -> Detections:
    return Detections.concat([rows for stored, rows in store.found if stored.scene.georeferenced])


def test_pages_together_are_everything_on_the_ground(client: TestClient, on_ground: Detections) -> None:
    seen, address = [], f"{ITEMS}?limit=17"
    while address:
        page = ask(client, address)
        assert page["numberReturned"] == len(page["features"]) <= 17
        seen += [feature["id"] for feature in page["features"]]
        address = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
    assert seen == on_ground.sorted().table.column("id").to_pylist()


@pytest.mark.parametrize("seed", range(8))
def test_conditions_equal_the_reference(client: TestClient, on_ground: Detections, seed: int) -> None:
    draw = random.Random(seed)
    west, south, east, north = shapely.total_bounds(on_ground.footprints()).tolist()
    x0, x1 = sorted(draw.uniform(west, east) for _ in range(2))
    y0, y1 = sorted(draw.uniform(south, north) for _ in range(2))
    score = round(draw.uniform(0.2, 0.9), 2)
    area = [(x0, y0), (x1, y0), (x1, y1)]
    choices: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"bbox": f"{x0},{y0},{x1},{y1}"}, {"box": (x0, y0, x1, y1)}),
        ({"bbox": f"{x0},{y0},-10,{x1},{y1},9000"}, {"box": (x0, y0, x1, y1)}),
        ({"min_score": score}, {"min_score": score}),
        ({"class": "ship"}, {"classes": ("ship",)}),
        ({"length": "8..15"}, {"length": (8, 15)}),
        ({"width": "..6.5"}, {"width": (None, 6.5)}),
        ({"azimuth": "150..20"}, {"azimuth": (150, 20)}),
        ({"near": f"{x0},{y0},60"}, {"near": (x0, y0, 60)}),
        ({"polygon": ",".join(f"{value!r}" for corner in area for value in corner)}, {"polygon": tuple(area)}),
        ({"run": "bbbb"}, {"runs": ("bbbb2222",)}),
        ({"scene": "port/<i>"}, {"scenes": ("port/<i>",)}),
        ({"datetime": "2024-12-31/.."}, {"acquired": ("2024-12-31", None)}),
        ({"datetime": "2024-05-01T10:00:00Z"}, {"acquired": ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00.000001Z")}),
    ]
    for chosen in [[choice] for choice in choices] + [draw.sample(choices, 2) for _ in range(4)]:
        parameters = {name: value for given, _ in chosen for name, value in given.items()}
        query = Query(**{name: value for _, wanted in chosen for name, value in wanted.items()})
        wanted = reference_filter(on_ground, query)
        found = ask(client, ITEMS, limit=10_000, **parameters)
        assert [feature["id"] for feature in found["features"]] == wanted.table.column("id").to_pylist(), parameters
        counts = ask(client, "/api/counts", **parameters)
        assert counts == {"total": len(wanted), "classes": wanted.per_class()}


def test_one_detection_has_its_outline_and_measures(client: TestClient, on_ground: Detections) -> None:
    row = on_ground.take([45])
    identifier = row.table.column("id")[0].as_py()
    feature = ask(client, f"{ITEMS}/{identifier}")
    assert feature["id"] == identifier
    assert np.allclose(
        shapely.get_coordinates(shapely.geometry.shape(feature["geometry"])),
        shapely.get_coordinates(row.footprints()[0]),
    )
    assert feature["properties"]["length_m"] == pytest.approx(row.measures()[0, 0])
    for wrong in ("aaaa1111/town/999", "aaaa1111/nowhere/0", "nonsense", "../../etc/passwd"):
        assert client.get(f"{ITEMS}/{wrong}").status_code == 404


def test_a_scene_without_georeference_is_asked_in_its_pixels(client: TestClient, store: MemoryStore) -> None:
    (photo,) = (rows for stored, rows in store.found if stored.scene.id == "photo")
    key = scene_key("aaaa1111", "photo")
    found = ask(client, f"/api/scenes/{key}/items", bbox="100,100,300,300", limit=1000)
    wanted = photo.filter(Query(box=(100, 100, 300, 300)))
    assert [feature["id"] for feature in found["features"]] == wanted.table.column("id").to_pylist()
    counts = ask(client, f"/api/scenes/{key}/counts", min_score=0.5)
    assert counts["classes"] == photo.filter(Query(min_score=0.5)).per_class()
    # Pixels are small numbers, as degrees are: the map must not mistake them.
    everywhere = ask(client, ITEMS, bbox="-180,-90,180,90", limit=1000)
    assert {feature["properties"]["scene"] for feature in everywhere["features"]} == {"town", "port/<i>"}


def test_scenes_are_items_of_stac(client: TestClient) -> None:
    listed = ask(client, "/api/collections/scenes/items")
    assert listed["numberMatched"] == 4
    for item in listed["features"]:
        assert item["stac_version"] == "1.1.0"
        assert item == ask(client, f"/api/collections/scenes/items/{item['id']}")
        placed = item["geometry"] is not None
        assert ("bbox" in item) == placed
        times = item["properties"]
        assert times["datetime"] or times["start_datetime"] < times["end_datetime"]
        assert not any(text.startswith("/") for text in str(item["assets"]).split("'"))
    (port,) = ask(client, "/api/collections/scenes/items", bbox="87.0045,27.1,88,28")["features"]
    assert port["properties"]["title"] == "port/<i>"
    assert client.get("/api/collections/scenes/items/0000").status_code == 404


def test_descriptions_lead_to_everything(client: TestClient) -> None:
    """Every link of the landing page and of the collections can be followed, and says what it is."""
    landing = ask(client, "/api/")
    assert {"self", "service-desc", "conformance", "data"} <= {link["rel"] for link in landing["links"]}
    collections = ask(client, "/api/collections")["collections"]
    links = landing["links"] + [link for collection in collections for link in collection["links"]]
    for link in links:
        if not link["href"].endswith(".html"):  # of the page, which need not be built
            assert client.get(link["href"]).status_code == 200, link
    for collection in collections:
        west, south, east, north = collection["extent"]["spatial"]["bbox"][0]
        assert -180 <= west < east <= 180
        assert -90 <= south < north <= 90
    assert ask(client, "/api/health")["status"] == "ok"


def test_areas_are_completed_and_counted(client: TestClient, on_ground: Detections) -> None:
    (area,) = ask(client, "/api/areas", q="baNE", counts=True, min_score=0.5)["areas"]
    assert area["name"] == "Nepal/Kavre/Banepa"
    assert sum(area["classes"].values()) == int((on_ground.scores >= 0.5).sum())
    assert ask(client, "/api/areas")["areas"][0]["name"] == "Nepal"
    assert ask(client, "/api/areas/Kavre/Banepa")["geometry"]["type"] == "Polygon"
    assert client.get("/api/areas/Atlantis").status_code == 404
    assert ask(client, ITEMS, area="Elsewhere")["features"] == []


def test_what_is_new_and_gone_is_found_by_overlap(client: TestClient) -> None:
    found = ask(client, "/api/changes", run="bbbb", before_run="aaaa", scene="town")
    assert (found["same"], found["new"], found["gone"]) == (50, 0, 10)
    assert [feature["properties"]["change"] for feature in found["features"]] == ["gone"] * 10
    dated = ask(client, "/api/changes", run="aaaa", datetime="2025-01-01/..", before="../2025-01-01")
    assert (dated["same"], dated["new"], dated["gone"]) == (0, 40, 60)


@pytest.mark.parametrize("kind", ["geojson", "gpkg", "fgb", "csv", "parquet"])
def test_downloads_hold_what_was_asked_for(client: TestClient, kind: str, on_ground: Detections) -> None:
    answer = client.get("/api/download", params={"format": kind, "min_score": 0.8})
    wanted = int((on_ground.scores >= 0.8).sum())
    assert answer.status_code == 200
    assert f"detections.{kind}" in answer.headers["content-disposition"]
    if kind == "geojson":
        assert len(answer.json()["features"]) == wanted
    if kind == "csv":
        assert len(answer.text.splitlines()) == wanted + 1


def test_features_keep_the_rules_of_ogc(client: TestClient) -> None:
    """Requirements of OGC API - Features, part 1, core, by the numbers of its abstract tests."""
    declared = ask(client, "/api/conformance")["conformsTo"]
    assert "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core" in declared
    for collection in ask(client, "/api/collections")["collections"]:
        items = f"/api/collections/{collection['id']}/items"
        assert {link["rel"] for link in collection["links"]} >= {"self", "items"}
        assert ask(client, f"/api/collections/{collection['id']}") == collection
        answer = client.get(items, params={"limit": 3})
        assert answer.headers["content-type"].startswith("application/geo+json")
        page = answer.json()
        assert page["type"] == "FeatureCollection"
        assert page["numberReturned"] == len(page["features"]) <= 3
        assert all(link.keys() >= {"href", "rel", "type"} for link in page["links"])
        for feature in page["features"]:
            one = client.get(f"{items}/{feature['id']}")
            assert one.json()["id"] == feature["id"]
            assert {link["rel"] for link in one.json()["links"]} >= {"self", "collection"}
        for wrong in ("bbox=1,2,3", "bbox=a,b,c,d", "datetime=yesterday", "limit=0", "limit=x", "colour=red"):
            assert client.get(f"{items}?{wrong}").status_code == 400, wrong
        for right in ("bbox=86,27,0,88,28,100", "datetime=2024-05-01T10:00:00Z", "datetime=../2030-01-01T00:00:00Z"):
            assert client.get(f"{items}?{right}").status_code == 200, right
        assert ask(client, f"{items}?bbox=0,0,1,1")["features"] == []
        assert client.get(f"{items}/nothing").status_code == 404
    assert client.get("/api/collections/nothing").status_code == 404
    assert client.get("/api/collections/nothing/items").status_code == 404
