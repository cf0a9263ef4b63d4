"""Scenes lie where their files say, however they say it; what cannot be used is told with the reason."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.errors import CRSError, NotGeoreferencedWarning
from rasterio.rpc import RPC

from swathe.counts import counted
from swathe.raster.georeference import to_lonlat
from swathe.raster.opening import open_scene
from swathe.raster.placement import TOLERANCE, fit_points, place
from swathe.raster.scene import Scene

from .conftest import Write

Picture = Callable[..., np.ndarray]
UTM = rasterio.Affine(0.5, 0.0, 372_000.0, 0.0, -0.5, 3_058_000.0)
LOCAL = 'LOCAL_CS["my yard",UNIT["metre",1]]'
MOON = 'GEOGCS["Moon",DATUM["D_Moon",SPHEROID["Moon",1737400,0]],PRIMEM["Here",0],UNIT["degree",0.0174532925199433]]'


@pytest.fixture
def describe(write: Write, picture: Picture) -> Callable[..., Scene]:
    """Write a raster of 300 x 200 pixels with a georeference and describe it."""

    def opened(name: str = "scene.tif", points: Sequence[GroundControlPoint] = (), **profile: Any) -> Scene:
        crs = profile.pop("crs", None)
        rpcs = profile.pop("rpcs", None)
        path = write(picture(300, 200), name, **profile, **({"crs": crs} if crs and not points else {}))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, "r+") as file:
                if points:
                    file.gcps = points, rasterio.crs.CRS.from_user_input(crs) if crs else rasterio.crs.CRS()
                if rpcs:
                    file.rpcs = rpcs
        return open_scene(path)

    return opened


def points_of(transform: Any, bend: float = 0.0) -> list[GroundControlPoint]:
    """Ground control points on a grid, `bend` being how far the middle lies off, in units of the transform."""
    points = []
    for row in (0.0, 100.0, 200.0):
        for col in (0.0, 150.0, 300.0):
            x, y = transform @ (col, row)
            off = bend * math.sin(math.pi * col / 300) * math.sin(math.pi * row / 200)
            points.append(GroundControlPoint(row, col, x + off, y))
    return points


AFFINE = {
    "north up": UTM,
    "rotated": UTM @ rasterio.Affine.rotation(33),
    "sheared": rasterio.Affine(0.5, 0.2, 372_000.0, -0.1, -0.5, 3_058_000.0),
    "mirrored": rasterio.Affine(-0.5, 0.0, 372_000.0, 0.0, -0.7, 3_058_000.0),
    "south up": rasterio.Affine(0.5, 0.0, 372_000.0, 0.0, 0.5, 3_058_000.0),
}


@pytest.mark.parametrize(
    ("name", "kind"),
    # South up is only tried in a GeoTIFF: GDAL leaves its sign out when it writes JPEG 2000.
    [*(("scene.tif", kind) for kind in AFFINE), *(("scene.jp2", kind) for kind in AFFINE if kind != "south up")],
)
def test_affine_transforms_of_any_kind(describe: Callable[..., Scene], name: str, kind: str) -> None:
    from pyproj import Transformer

    transform = AFFINE[kind]
    scene = describe(name, crs="EPSG:32645", transform=transform)
    assert scene.transform == pytest.approx(tuple(transform)[:6])
    assert not scene.notes
    corners = np.array([[0, 0], [300, 0], [300, 200], [0, 200], [150.5, 70.25]], dtype=float)
    expected = Transformer.from_crs("EPSG:32645", "OGC:CRS84", always_xy=True).transform(
        *np.transpose([rasterio.transform.xy(transform, y, x, offset="ul") for x, y in corners])
    )
    np.testing.assert_allclose(to_lonlat(scene.crs, scene.transform, corners), np.transpose(expected), atol=1e-9)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4258", "OGC:CRS84"])
@pytest.mark.parametrize("name", ["scene.tif", "scene.jp2"])
def test_longitude_comes_first_whatever_the_order_of_axes(describe: Callable[..., Scene], crs: str, name: str) -> None:
    scene = describe(name, crs=crs, transform=rasterio.Affine(1e-4, 0, 85.0, 0, -1e-4, 27.0))
    np.testing.assert_allclose(
        to_lonlat(scene.crs, scene.transform, np.array([[0, 0], [10, 20]])), [[85, 27], [85.001, 26.998]]
    )


def test_a_world_file_and_a_reference_system_beside_it(write: Write, picture: Picture) -> None:
    path = write(picture(30, 20), "scene.png")
    path.with_suffix(".pgw").write_text("0.5\n0\n0\n-0.5\n372000.25\n3057999.75\n")  # to the first pixel's centre
    alone = open_scene(path)
    assert (alone.crs, alone.transform) == (None, tuple(UTM)[:6])
    assert "names no reference system" in alone.notes[0]
    Path(f"{path}.aux.xml").write_text("<PAMDataset><SRS>EPSG:32645</SRS></PAMDataset>")
    both = open_scene(path)
    assert rasterio.crs.CRS.from_user_input(both.crs).to_epsg() == 32645
    assert not both.notes


@pytest.mark.parametrize("bend", [0.0, 0.9 * 0.5 * TOLERANCE])
def test_ground_control_points_that_an_affine_transform_meets(describe: Callable[..., Scene], bend: float) -> None:
    scene = describe(points=points_of(UTM, bend), crs="EPSG:32645")
    assert not scene.notes
    assert scene.crs is not None
    missed = np.subtract(scene.transform, tuple(UTM)[:6]) / 0.5
    assert np.abs(missed).max() <= (TOLERANCE if bend else 1e-6), "pixels"


def test_ground_control_points_that_it_does_not_meet(describe: Callable[..., Scene]) -> None:
    scene = describe(points=points_of(UTM, 2.5), crs="EPSG:32645")
    assert (scene.crs, scene.transform) == (None, None)
    assert scene.notes[0].startswith(
        "not georeferenced: an affine transform misses its ground control points by up to 4"
    )


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_ground_control_points(describe: Callable[..., Scene], count: int) -> None:
    scene = describe(points=points_of(UTM)[:count], crs="EPSG:32645")
    assert scene.transform is None
    assert f"it has {counted(count, 'ground control point')}, and" in scene.notes[0]


def test_ground_control_points_on_a_line(describe: Callable[..., Scene]) -> None:
    assert "on a line" in describe(points=points_of(UTM)[:3], crs="EPSG:32645").notes[0]
    assert fit_points([(0, 0, 5, 5), (1, 0, 5, 5), (0, 1, 5, 5)]) == "its ground control points lie on a line"


@given(
    transform=st.tuples(*[st.floats(-9, 9), st.floats(-9, 9), st.floats(-1e7, 1e7)] * 2).filter(
        lambda transform: abs(np.linalg.det(np.reshape(transform, (2, 3))[:, :2])) > 0.1
    ),
    places=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=9),
)
def test_the_fit_is_the_transform_that_made_the_points(transform: tuple, places: list) -> None:
    a, b, c, d, e, f = transform
    places = [(0, 0), (60, 0), (0, 60), *places]
    found = fit_points([(x, y, a * x + b * y + c, d * x + e * y + f) for x, y in places])
    np.testing.assert_allclose(found, transform, atol=1e-5)


def test_ground_control_points_without_a_reference_system(describe: Callable[..., Scene]) -> None:
    scene = describe(points=points_of(UTM))
    assert scene.crs is None
    assert "names no reference system" in scene.notes[0]


def test_rpcs_alone_are_no_georeference(describe: Callable[..., Scene]) -> None:
    terms = [0.0] * 19
    rpcs = RPC(
        0, 1, 27, 1, [1.0, *terms], [0, 0, 1, *terms[2:]], 100, 100, 85, 1, [1.0, *terms], [0, 1, *terms[1:]], 150, 150
    )
    scene = describe(rpcs=rpcs)
    assert (scene.crs, scene.transform) == (None, None)
    assert scene.notes == (
        "not georeferenced: it has only RPCs; detections stay in pixels; orthorectify it first, with gdalwarp -rpc",
    )


@pytest.mark.parametrize("crs", [LOCAL, "EPSG:4978", MOON], ids=["local", "geocentric", "moon"])
def test_systems_without_longitude_and_latitude(describe: Callable[..., Scene], crs: str) -> None:
    scene = describe(crs=crs, transform=UTM)
    assert scene.crs is None
    assert "no way to WGS 84" in scene.notes[0]


def test_half_a_georeference(describe: Callable[..., Scene]) -> None:
    without_system = describe("a.tif", transform=UTM)
    assert (without_system.crs, without_system.transform) == (None, tuple(UTM)[:6])
    assert "names no reference system" in without_system.notes[0]
    without_transform = describe("b.tif", crs="EPSG:32645")
    assert (without_transform.crs, without_transform.transform) == (None, None)
    assert "but no transform" in without_transform.notes[0]


@pytest.mark.parametrize(
    ("transform", "reason"),
    [
        ((0.0, 0.0, 5.0, 0.0, 0.0, 7.0), "onto a line"),
        ((1.0, 2.0, 5.0, 2.0, 4.0, 7.0), "onto a line"),
        ((math.nan, 0.0, 5.0, 0.0, 1.0, 7.0), "onto a line"),
        ((math.inf, 0.0, 5.0, 0.0, 1.0, 7.0), "onto a line"),
        ((1e300, 0.0, 1e308, 0.0, 1e300, 1e308), "onto a line"),
        ((1.0, 0.0, 1e12, 0.0, -1.0, 1e12), "centre lies outside"),
    ],
)
def test_absurd_transforms(tmp_path: Path, transform: tuple, reason: str) -> None:
    a, b, c, d, e, f = transform
    path = tmp_path / "scene.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="30" rasterYSize="20"><SRS>EPSG:32645</SRS><GeoTransform>{c},{a},{b},{f},{d},{e}'
        '</GeoTransform><VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    )
    scene = open_scene(path)
    assert scene.crs is None
    assert reason in scene.notes[0]


def test_a_reference_system_that_is_refused_is_a_note() -> None:
    class Refused:
        """A dataset whose reference system raises."""

        transform = rasterio.Affine(0.5, 0, 400_000, 0, -0.5, 3_000_000)

        @property
        def crs(self) -> None:
            raise CRSError("no way")

    placement = place(Refused())
    assert placement.crs is None
    assert placement.note is not None
    assert placement.note.startswith("not georeferenced: its reference system cannot be used (no way)")


@pytest.mark.parametrize(
    ("crs", "transform", "told"),
    [
        ("EPSG:4326", rasterio.Affine(360 / 64, 0, -180, 0, -180 / 64, 90), False),
        ("EPSG:4326", rasterio.Affine(1e-5, 0, 20, 0, -1e-5, 90), False),
        ("EPSG:4326", rasterio.Affine(1, 0, 20, 0, -1, 91), True),
        ("ESRI:54009", rasterio.Affine(36_080_000 / 64, 0, -18_040_000, 0, -18_040_000 / 64, 9_020_000), True),
    ],
)
def test_scenes_that_reach_beyond_the_earth_are_told(
    tmp_path: Path, crs: str, transform: rasterio.Affine, told: bool
) -> None:
    with rasterio.open(
        tmp_path / "a.tif",
        "w",
        driver="GTiff",
        width=64,
        height=64,
        count=1,
        dtype="uint8",
        crs=crs,
        transform=transform,
    ) as file:
        file.write(np.zeros((1, 64, 64), np.uint8))
    with rasterio.open(tmp_path / "a.tif") as file:
        placement = place(file)
    assert placement.crs is not None
    assert (placement.note is not None) == told
