"""Windows hold the pixels they should: exactly at scale 1, and without any shift at other scales."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swathe.errors import SourceError, UsageError
from swathe.raster import band, gdal, reader
from swathe.raster.grid import Grid
from swathe.raster.opening import open_scene
from swathe.raster.pyramid import Level
from swathe.raster.reader import RasterReader, TileRead, reader_memory
from swathe.raster.scene import Scene
from swathe.raster.window import Window

from .conftest import TILED, Write

Picture = Callable[..., np.ndarray]
WIDTH, HEIGHT = 301, 203
ONE = Level(1.0, WIDTH, HEIGHT)
STRIPED = {"compress": "deflate", "blockysize": 16}


def whole(scene: Scene, scale: float = 1.0) -> TileRead:
    """A whole level in one window."""
    level = Level.of(scene.width, scene.height, scale)
    with RasterReader(scene) as opened:
        return opened.read(level, Window(0, 0, level.width, level.height))


def read_all(path: Path) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = rasterio.open(path)
    with file:
        return file.read()


def shown(pixels: np.ndarray) -> np.ndarray:
    """(bands, height, width) as an RGB picture."""
    return np.moveaxis(np.broadcast_to(pixels, (3, *pixels.shape[1:])), 0, 2)


def area_average(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Mean of squares, the last row and column repeated where the picture ends."""
    height, width, bands = pixels.shape
    padding = ((0, -height % factor), (0, -width % factor), (0, 0))
    padded = np.pad(pixels.astype(float), padding, mode="edge")
    rows, columns = padded.shape[0] // factor, padded.shape[1] // factor
    return padded.reshape(rows, factor, columns, factor, bands).mean(axis=(1, 3))


def interpolate(pixels: np.ndarray, scale: float, level: Level) -> np.ndarray:
    """Linear interpolation at the true centres of the level's pixels."""
    for axis, size in ((0, level.height), (1, level.width)):
        at = np.clip((np.arange(size) + 0.5) / scale - 0.5, 0, pixels.shape[axis] - 1)
        low = np.minimum(at.astype(int), pixels.shape[axis] - 2)
        part = np.expand_dims(at - low, (1, 2) if axis == 0 else (0, 2))
        pixels = np.take(pixels, low, axis) * (1 - part) + np.take(pixels, low + 1, axis) * part
    return pixels


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("tiled.tif", TILED),
        ("striped.tif", STRIPED),
        ("one_strip.tif", {"blockysize": HEIGHT}),
        ("planes.tif", {**TILED, "interleave": "band"}),
        ("picture.png", {}),
        ("picture.jpg", {}),
        ("picture.jp2", {"reversible": True, "quality": 100}),
    ],
)
@pytest.mark.parametrize("bands", [1, 3])
def test_windows_are_exact_at_scale_1(
    write: Write, write_vrt: Write, picture: Picture, name: str, profile: dict, bands: int
) -> None:
    path = write(picture(WIDTH, HEIGHT, bands), name, **profile)
    expected = shown(read_all(path))
    for source in (path, write_vrt(path)):
        with RasterReader(open_scene(source)) as opened:
            for window in (*Grid(WIDTH, HEIGHT, 80, 50), Window(7, 190, 3, 2), Window(0, 0, WIDTH, HEIGHT)):
                found = opened.read(ONE, window)
                rows, cols = slice(window.row_off, None), slice(window.col_off, None)
                np.testing.assert_array_equal(found.pixels, expected[rows, cols][: window.height, : window.width])
                assert found.pixels.flags.c_contiguous
                assert found.valid == 1.0


@pytest.mark.parametrize("profile", [TILED, STRIPED])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_shrinking_by_a_whole_factor_is_the_area_average(
    write: Write, picture: Picture, profile: dict, factor: int
) -> None:
    pixels = picture(WIDTH, HEIGHT)
    found = whole(open_scene(write(pixels, **profile)), 1 / factor)
    expected = area_average(shown(pixels), factor)
    assert found.pixels.shape == expected.shape
    assert np.abs(found.pixels - expected).max() <= 1


@pytest.mark.parametrize("profile", [TILED, STRIPED])
@pytest.mark.parametrize("scale", [1.5, 2.0, 1.3])
def test_enlarging_interpolates_between_true_positions(
    write: Write, picture: Picture, profile: dict, scale: float
) -> None:
    pixels = picture(WIDTH, HEIGHT)
    found = whole(open_scene(write(pixels, **profile)), scale)
    expected = interpolate(shown(pixels).astype(float), scale, Level.of(WIDTH, HEIGHT, scale))
    # The very last column and row reach beyond the scene, where repeated pixels and clamped positions differ a little.
    assert np.abs(found.pixels - expected)[:-1, :-1].max() <= 1.001


@pytest.mark.parametrize("profile", [TILED, STRIPED])
@given(scale=st.sampled_from([0.1, 0.23, 1 / 3, 0.37, 0.5, 0.75, 0.9, 1.0, 1.1, 1.5, 2.7]), tile=st.integers(8, 90))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_window_is_the_same_whatever_its_neighbours(
    write: Write, picture: Picture, profile: dict, scale: float, tile: int
) -> None:
    scene = open_scene(write(picture(WIDTH, HEIGHT), **profile))
    level, expected = Level.of(WIDTH, HEIGHT, scale), whole(scene, scale).pixels.astype(int)
    with RasterReader(scene) as opened:
        for window in Grid(level.width, level.height, tile, tile):
            found = opened.read(level, window).pixels
            here = expected[window.row_off :, window.col_off :][: window.height, : window.width]
            assert np.abs(found - here).max() <= 2, "two passes, each rounded"


def blobs(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture of soft spots, and their centres (n, 2)."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    centres = np.array([[40.3, 33.8], [width - 39.2, 41.6], [38.7, height - 44.1], [width - 36.4, height - 35.3]])
    spots = [np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 6.0**2)) for cx, cy in centres]
    return (255 * np.sum(spots, axis=0)).astype(np.uint8)[None], centres


@pytest.mark.parametrize("overviews", [(), (2, 4), (2, 3, 5)])
@pytest.mark.parametrize("profile", [TILED, STRIPED])
@pytest.mark.parametrize("scale", [0.2, 0.25, 0.3, 1 / 3, 0.45, 0.5, 0.7, 0.97, 1.0, 1.5, 2.0, 3.3])
def test_nothing_is_shifted(write: Write, profile: dict, scale: float, overviews: tuple[int, ...]) -> None:
    width, height = 1001, 403  # odd, so that overviews do not divide them
    pixels, centres = blobs(width, height)
    level = Level.of(width, height, scale)
    scene = open_scene(write(pixels, overviews=overviews, **profile))
    for x, y in centres:
        side = round(80 * scale)
        col_off = min(max(round(x * scale - side / 2), 0), level.width - side)
        row_off = min(max(round(y * scale - side / 2), 0), level.height - side)
        with RasterReader(scene) as opened:
            found = opened.read(level, Window(col_off, row_off, side, side)).pixels[..., 0].astype(float)
        rows, cols = np.mgrid[0:side, 0:side] + 0.5
        centre = (np.array([(cols * found).sum(), (rows * found).sum()]) / found.sum() + (col_off, row_off)) / scale
        assert np.abs(centre - (x, y)).max() < 0.08, "scene pixels"


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.0, 1.5])
def test_a_step_edge_stays_in_place(write: Write, scale: float) -> None:
    pixels = np.zeros((1, 60, 400), dtype=np.uint8)
    pixels[:, :, 217:] = 200
    row = whole(open_scene(write(pixels)), scale).pixels[20, :, 0].astype(float)
    assert len(row) - row.sum() / 200 == pytest.approx(217 * scale, abs=0.05)


def test_an_overview_is_read_instead_of_the_scene(write: Write, picture: Picture) -> None:
    pixels = picture(512, 512)
    with RasterReader(open_scene(write(pixels, overviews=(2, 4), **TILED))) as opened:
        found = opened.read(Level.of(512, 512, 0.25), Window(0, 0, 128, 128))
        assert opened.bytes == 128 * 128 * 3
    assert np.abs(found.pixels - area_average(shown(pixels), 4)).max() <= 2, "averages of averages round twice"


def test_overviews_made_by_decoders_are_not_used(write: Write, picture: Picture) -> None:
    path = write(picture(1001, 1003), "picture.jpg")
    with gdal.open_dataset(str(path)) as dataset:
        assert dataset.overviews(1)
    assert open_scene(path).overviews == ()


def test_more_bands_in_the_order_asked_for(write: Write, picture: Picture) -> None:
    pixels = picture(WIDTH, HEIGHT, 5)
    path = write(pixels, photometric="minisblack", **TILED)
    np.testing.assert_array_equal(whole(open_scene(path, bands=(5, 1, 3))).pixels, shown(pixels[[4, 0, 2]]))
    np.testing.assert_array_equal(whole(open_scene(path, bands=(4,))).pixels, shown(pixels[[3]]))


def test_alpha_is_a_mask(write: Write, picture: Picture) -> None:
    pixels = picture(WIDTH, HEIGHT, 4)
    pixels[3] = 255
    pixels[3, :100] = 0
    pixels[3, :, :50] = 1
    for name, profile in (("alpha.tif", TILED), ("alpha.png", {})):
        found = whole(open_scene(write(pixels, name, **profile)))
        valid = pixels[3] > 0
        assert found.valid == valid.mean()
        np.testing.assert_array_equal(found.pixels, shown(pixels[:3]) * valid[..., None])


def test_grey_with_alpha(write: Write, picture: Picture) -> None:
    pixels = picture(WIDTH, HEIGHT, 2)
    pixels[1] = 0
    found = whole(open_scene(write(pixels, "grey.png")))
    assert found.valid == 0.0
    assert not found.pixels.any()


@pytest.mark.parametrize("profile", [TILED, STRIPED])
def test_the_internal_mask(write: Write, picture: Picture, profile: dict) -> None:
    pixels, mask = picture(WIDTH, HEIGHT), np.full((HEIGHT, WIDTH), 255, dtype=np.uint8)
    mask[40:, 30:] = 0
    found = whole(open_scene(write(pixels, mask=mask, **profile)))
    np.testing.assert_array_equal(found.pixels, shown(pixels) * (mask > 0)[..., None])
    assert found.valid == (mask > 0).mean()


@pytest.mark.parametrize("overviews", [(), (2,)])
def test_windows_without_data_and_half_scale_masks(write: Write, picture: Picture, overviews: tuple[int, ...]) -> None:
    pixels = picture(256, 256)
    pixels[:, :128] = 9
    pixels[0, 200, 200] = 9
    scene = open_scene(write(pixels, nodata=9, overviews=overviews, **TILED))
    level = Level.of(256, 256, 0.5)
    with RasterReader(scene) as opened:
        assert opened.read(level, Window(0, 0, 64, 64)).valid == 0.0
        assert opened.read(level, Window(0, 64, 64, 64)).valid == 1.0
        half = opened.read(level, Window(64, 32, 64, 64))
    assert half.valid == 0.5
    assert not half.pixels[:32].any()


def test_nodata_needs_all_bands(write: Write) -> None:
    pixels = np.full((3, 20, 20), 5, dtype=np.uint8)
    pixels[1, 0, 0] = 6
    assert whole(open_scene(write(pixels, nodata=5))).valid == 1 / 400
    assert whole(open_scene(write(pixels, "one.tif", nodata=5), bands=(1,))).valid == 0.0


def test_a_nodata_value_that_no_pixel_can_have(write: Write, write_vrt: Write, picture: Picture) -> None:
    path = write_vrt(write(picture(WIDTH, HEIGHT)))
    path.write_text(path.read_text().replace("<SimpleSource>", "<NoDataValue>-9999</NoDataValue><SimpleSource>"))
    assert whole(open_scene(path)).valid == 1.0


@pytest.mark.parametrize("nodata", [None, np.nan, -3.4028234663852886e38])
def test_nan_is_no_data(write: Write, picture: Picture, nodata: float | None) -> None:
    pixels = picture(WIDTH, HEIGHT, 3, "float32")
    pixels[:, :50] = np.nan if nodata is None else nodata
    pixels[0, 60] = np.nan
    found = whole(open_scene(write(pixels, nodata=nodata)))
    assert found.valid == (HEIGHT - 50) / HEIGHT, "a pixel with one number among its bands holds data"
    assert not found.pixels[:50].any()
    assert not found.pixels[60, :, 0].any()


def test_palettes_are_expanded(write: Write) -> None:
    colours = {0: (0, 0, 0, 0), 1: (250, 10, 20, 255), 2: (30, 200, 40, 255), 255: (1, 2, 3, 255)}
    indices = np.random.default_rng(0).choice([0, 1, 2, 255], (1, 50, 60)).astype(np.uint8)
    table = np.zeros((256, 4), dtype=np.uint8)
    for value, colour in colours.items():
        table[value] = colour
    found = whole(open_scene(write(indices, "palette.png", colormap=colours)))
    np.testing.assert_array_equal(found.pixels, table[indices[0], :3])
    assert found.valid == (indices > 0).mean()


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "float32"])
def test_one_scale_for_all_windows(write: Write, picture: Picture, dtype: str) -> None:
    pixels = picture(WIDTH, HEIGHT, 3, dtype)
    pixels[0, :100] //= 3
    scene = open_scene(write(pixels, **TILED))
    low, high = scene.value_range or (0, 0)
    expected = np.clip(np.rint((pixels.astype(float) - low) * 255 / (high - low)), 0, 255)
    with RasterReader(scene) as opened:
        for window in Grid(WIDTH, HEIGHT, 64, 64):
            rows, cols = slice(window.row_off, window.row_off + 64), slice(window.col_off, window.col_off + 64)
            found = opened.read(ONE, window).pixels
            assert np.abs(found - shown(expected)[rows, cols]).max() <= (dtype == "float32")


@pytest.mark.parametrize("dtype", ["int16", "uint8"])
def test_a_value_range_can_be_given(write: Write, dtype: str) -> None:
    pixels = np.array([[[-300, -100, 0, 100, 300]]]).astype(dtype)
    found = whole(open_scene(write(pixels), value_range=(-100, 100))).pixels[0, :, 0]
    expected = np.clip(np.rint((pixels[0, 0].astype(float) + 100) * 255 / 200), 0, 255)
    np.testing.assert_array_equal(found, expected)


def count_rows(scene: Scene, level: Level, tile: int, stride: int) -> tuple[int, float]:
    """Reads, and how often each pixel was read, over a whole grid."""
    with RasterReader(scene) as opened:
        for window in Grid(level.width, level.height, tile, stride):
            opened.read(level, window)
        return opened.reads, opened.bytes / (scene.width * scene.height * 3)


@pytest.mark.parametrize(("name", "profile"), [("a.tif", STRIPED), ("a.png", {}), ("a.jpg", {})])
def test_untiled_files_are_read_once(write: Write, picture: Picture, name: str, profile: dict) -> None:
    scene = open_scene(write(picture(900, 700), name, **profile))
    reads, times = count_rows(scene, Level(1.0, 900, 700), 128, 64)
    assert times == 1.0
    assert reads < 20
    for scale in (0.5, 1.5):
        level = Level.of(900, 700, scale)
        assert count_rows(scene, level, 128, 64)[1] < 1.15, "a few rows are needed by two strips"


def test_very_wide_files_are_read_in_segments(write: Write, picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(band, "BAND_BYTES", 4 * 300 * (64 + band.STRIP_ROWS))
    pixels = picture(1000, 150)
    scene, level = open_scene(write(pixels, **STRIPED)), Level(1.0, 1000, 150)
    assert len(band.segment(level, Window(100, 0, 64, 64))) == 300
    with RasterReader(scene) as opened:
        for window in Grid(1000, 150, 64, 40):
            found = opened.read(level, window).pixels
            rows, cols = slice(window.row_off, window.row_off + 64), slice(window.col_off, window.col_off + 64)
            np.testing.assert_array_equal(found, shown(pixels)[rows, cols])
        assert opened.reads < len(Grid(1000, 150, 64, 40)) / 2


@pytest.mark.parametrize("profile", [TILED, STRIPED])
def test_windows_in_any_order(write: Write, picture: Picture, profile: dict) -> None:
    pixels = picture(WIDTH, HEIGHT)
    order = np.random.default_rng(3).permutation(len(Grid(WIDTH, HEIGHT, 70, 33)))
    with RasterReader(open_scene(write(pixels, **profile))) as opened:
        for turn, index in enumerate(order):
            window = Grid(WIDTH, HEIGHT, 70, 33)[int(index)]
            rows, cols = slice(window.row_off, window.row_off + 70), slice(window.col_off, window.col_off + 70)
            np.testing.assert_array_equal(opened.read(ONE, window).pixels, shown(pixels)[rows, cols])
            if turn % 5 == 0:
                opened.read(Level.of(WIDTH, HEIGHT, 0.5), Window(0, 0, 60, 60))


@given(data=st.data())
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_window_has_its_own_shape_whatever_was_read_before(
    write: Write, picture: Picture, data: st.DataObject
) -> None:
    pixels = picture(WIDTH, HEIGHT)
    with RasterReader(open_scene(write(pixels, **STRIPED))) as opened:
        for _ in range(6):
            left, right = sorted(data.draw(st.tuples(st.integers(0, WIDTH - 1), st.integers(0, WIDTH - 1))))
            top, bottom = sorted(data.draw(st.tuples(st.integers(0, HEIGHT - 1), st.integers(0, HEIGHT - 1))))
            window = Window(left, top, right - left + 1, bottom - top + 1)
            expected = shown(pixels)[top : bottom + 1, left : right + 1]
            np.testing.assert_array_equal(opened.read(ONE, window).pixels, expected)


@pytest.mark.parametrize("profile", [TILED, STRIPED])
@pytest.mark.parametrize("scale", [0.11, 0.25, 1.0])
def test_slabs_give_the_same_pixels(
    write: Write, picture: Picture, monkeypatch: pytest.MonkeyPatch, profile: dict, scale: float
) -> None:
    mask = np.full((HEIGHT, WIDTH), 255, dtype=np.uint8)
    mask[30:60, 40:] = 0
    scene = open_scene(write(picture(WIDTH, HEIGHT), mask=mask, **profile))
    expected = whole(scene, scale)
    monkeypatch.setattr(reader, "SLAB_BYTES", 20_000)
    found = whole(scene, scale)
    assert np.abs(found.pixels.astype(int) - expected.pixels).max() <= 1
    assert found.valid == expected.valid


def test_tiny_scenes(write: Write) -> None:
    scene = open_scene(write(np.full((3, 1, 2), 77, dtype=np.uint8)))
    for scale in (0.1, 0.5, 1.0, 1.5, 7.0):
        found = whole(scene, scale)
        assert (found.pixels == 77).all()
        assert found.valid == 1.0


@pytest.mark.parametrize("name", ["cut.tif", "cut_tiles.tif", "cut.png", "cut.jpg"])
def test_a_truncated_file_fails_where_its_data_end(
    write: Write, picture: Picture, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(picture(512, 512), name, **({} if name[-1] != "f" else TILED if "tiles" in name else STRIPED))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    scene, level = open_scene(path), Level(1.0, 512, 512)
    with RasterReader(scene) as opened:
        if not name.endswith("png"):  # GDAL decodes small ones at once
            assert opened.read(level, Window(0, 0, 128, 128)).valid == 1.0
        with pytest.raises(SourceError, match=rf"{name}: columns \d+ to \d+, rows \d+ to \d+ cannot be read .*damaged"):
            opened.read(level, Window(0, 384, 128, 128))
    assert not capfd.readouterr().err


def test_a_vrt_whose_source_is_gone(write: Write, write_vrt: Write, picture: Picture) -> None:
    behind = write(picture(80, 60), "behind.png")
    scene = open_scene(write_vrt(behind))
    behind.unlink()
    with pytest.raises(SourceError, match=r"scene\.vrt: .*behind\.png"):
        whole(scene)


def test_a_changed_file_is_not_read(write: Write, picture: Picture) -> None:
    scene = open_scene(write(picture(80, 60)))
    write(picture(90, 60))
    with pytest.raises(SourceError, match="changed"):
        RasterReader(scene)


def test_windows_beyond_the_level_are_refused(write: Write, picture: Picture) -> None:
    with (
        RasterReader(open_scene(write(picture(80, 60)))) as opened,
        pytest.raises(UsageError, match="beyond its level of 80 x 60"),
    ):
        opened.read(Level(1.0, 80, 60), Window(20, 0, 64, 60))


def test_memory_does_not_grow_with_tiled_scenes(write: Write, picture: Picture) -> None:
    tiled = replace(open_scene(write(picture(80, 60))), tiled=True, block_shape=(256, 256), width=50_000, height=50_000)
    larger = replace(tiled, width=5_000_000, height=5_000_000)
    for scale in (0.5, 1.0, 1.5):
        assert reader_memory(tiled, 1024, scale) == reader_memory(larger, 1024, scale) < 400 << 20
    striped = replace(tiled, tiled=False, block_shape=(1, 50_000))
    taller = replace(striped, height=5_000_000)
    assert reader_memory(tiled, 1024, 1.0) < reader_memory(striped, 1024, 1.0) == reader_memory(taller, 1024, 1.0)
    assert reader_memory(open_scene(write(picture(80, 60), "small.tif")), 1024, 1.0) < 16 << 20
    one_block = replace(tiled, block_shape=(20_000, 50_000), tiled=False)
    assert reader_memory(one_block, 1024, 1.0) > 20_000 * 50_000 * 3
