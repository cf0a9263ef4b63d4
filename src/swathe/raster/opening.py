"""Opening a scene: what a raster is, how its values are to be shown, and how it can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from swathe import arguments
from swathe.errors import SourceError, UsageError
from swathe.raster.acquisition import acquired
from swathe.raster.bands import (
    alpha_band,
    choose_bands,
    counts_from_white,
    full_range,
    has_palette,
    is_paletted,
    mask_band,
    mask_bands,
    nodata_values,
)
from swathe.raster.decoders import decoder_bytes
from swathe.raster.fingerprint import fingerprint
from swathe.raster.formats import SUFFIXES, is_manifest
from swathe.raster.gdal import describing, open_dataset
from swathe.raster.manifest import read_manifest
from swathe.raster.notes import notes_on
from swathe.raster.origins import Fingerprint, is_remote, redacted
from swathe.raster.origins.file import absolute
from swathe.raster.pixels import measure_value_range
from swathe.raster.placement import place
from swathe.raster.reader import RasterReader, Reader
from swathe.raster.scene import Scene
from swathe.raster.slices import SliceReader
from swathe.raster.source import Source
from swathe.raster.sources import scene_ids

ValueRange = tuple[float, float] | Literal["percentile"]

# Decoders make these while they read, aligned in ways of their own; those of other formats cover the scene exactly.
FORMATS_WITH_SHIFTED_OVERVIEWS = frozenset({"JPEG", "JP2OpenJPEG"})
SEQUENTIAL_FORMATS = frozenset({"PNG", "JPEG"})
NOTHING_TO_MEASURE = "no data were found to measure its range of values by; if there are some, name the range yourself"


def open_scene(
    path: Path | str,
    *,
    bands: Sequence[int] | None = None,
    value_range: ValueRange | None = None,
    scene_id: str | None = None,
) -> Scene:
    """Describe a raster.

    8-bit pixels are shown as they are, unless a value range is asked for. Those of other types are brought to 0..255
    by one linear scale for all windows and bands: from `value_range`, or else from the 2nd to the 98th percentile.

    Args:
        path: A file of one of the formats in `swathe.raster.formats`, or the address of one.
        bands: Bands to show, counted from 1: three for red, green, blue, one for grey, or as many as a model sees; None
            to go by their tags.
        value_range: Values to show as 0 and 255, or "percentile" to measure them whatever the type.
        scene_id: Id of the scene; by default the file's name without suffix.

    Returns:
        The description.

    Raises:
        SourceError: If the file is missing, empty, damaged, or not an image of a known format.
        UsageError: If the bands do not exist, the value range does not rise, or an argument is of a wrong type.
    """
    path = path if isinstance(path, str) and path else arguments.file_path("path", path, "a file, or an address")
    bands, value_range = _checked_bands(bands), _checked_range(value_range)
    if scene_id is not None:
        arguments.text("scene_id", scene_id, "a name")
    uri = str(path) if is_remote(str(path)) else absolute(str(path))
    if not uri.isascii() and uri != uri.encode(errors="ignore").decode():
        raise SourceError(f"{redacted(uri)}: its name is not UTF-8, so no store can hold it; rename the file")
    if is_manifest(uri):
        if bands is not None or value_range is not None:
            raise UsageError(f"{redacted(uri)}: slices are shown as they were cut; leave bands and range of values out")
        return replace(read_manifest(uri).scene, id=scene_id or scene_ids([uri])[0])
    print_of_file = fingerprint(uri)
    with describing(uri), open_dataset(uri) as dataset:
        chosen = choose_bands(dataset, bands)
        coloured, tagged = has_palette(dataset, chosen), alpha_band(dataset)
        colourless = is_paletted(dataset, chosen) and not coloured
        alpha = None if bands else mask_band(dataset)  # bands that a user chooses are shown as they are
        scene = _describe(dataset, uri, chosen, alpha, scene_id or scene_ids([uri])[0], print_of_file)
        notes = notes_on(dataset, uri, None if bands or alpha else tagged, colourless=colourless)
        scene = replace(scene, notes=(*scene.notes, *notes))
    if coloured or (value_range is None and (scene.dtype == "uint8" or scene.value_range is not None)):
        return scene
    if isinstance(value_range, tuple):
        return replace(scene, value_range=value_range)
    with Source(scene) as source:
        measured = measure_value_range(source)
    if measured is None:
        return replace(scene, value_range=(0.0, 1.0), notes=(*scene.notes, NOTHING_TO_MEASURE))
    return replace(scene, value_range=measured)


def open_reader(scene: Scene) -> Reader:
    """Open what reads the windows of a scene; raises `SourceError` if it is gone or has changed."""
    return SliceReader(scene) if is_manifest(scene.uri) else RasterReader(scene)


def _checked_bands(bands: object) -> tuple[int, ...] | None:
    if bands is None:
        return None
    accepted = "three numbers (red, green, blue), one (grey), or more for a model, counted from 1, such as (3, 2, 1)"
    return tuple(
        arguments.whole_number("bands", band, accepted) for band in arguments.several("bands", bands, accepted)
    )


def _checked_range(value_range: object) -> ValueRange | None:
    if value_range is None:
        return None
    if isinstance(value_range, str) and value_range == "percentile":
        return "percentile"
    accepted = 'two numbers that rise, such as (0, 4095), or "percentile"'
    limits = arguments.several("value_range", value_range, accepted)
    if len(limits) != 2:
        raise UsageError(argument="value_range", value=value_range, accepted=accepted)
    low, high = (arguments.number("value_range", limit, accepted) for limit in limits)
    if low >= high:
        raise UsageError(argument="value_range", value=value_range, accepted=accepted)
    return low, high


def _describe(
    dataset: Any, uri: str, bands: tuple[int, ...], alpha: int | None, scene_id: str, print_of_file: Fingerprint
) -> Scene:
    placement = place(dataset)
    dtype, nodata = dataset.dtypes[bands[0] - 1], nodata_values(dataset, bands)
    masked = alpha is not None or nodata is not None or dtype.startswith("float") or bool(mask_bands(dataset, bands))
    return Scene(
        id=scene_id,
        uri=uri,
        width=dataset.width,
        height=dataset.height,
        bands=bands,
        dtype=dtype,
        nodata=nodata,
        crs=placement.crs,
        transform=placement.transform,
        overviews=_overviews(dataset, uri, bands),
        tiled=_is_tiled(dataset),
        sequential=dataset.driver in SEQUENTIAL_FORMATS,
        block_shape=tuple(dataset.block_shapes[bands[0] - 1]),
        value_range=full_range(dataset, bands),
        has_mask=masked,
        fingerprint=print_of_file,
        alpha=alpha,
        inverted=counts_from_white(dataset, bands),
        acquired=acquired(dataset),
        decoder_bytes=decoder_bytes(dataset),
        notes=() if placement.note is None else (placement.note,),
    )


def _overviews(dataset: Any, uri: str, bands: tuple[int, ...]) -> tuple[int, ...]:
    """Return the overviews that show what the scene does: not those that lack its mask, nor all after such a one."""
    if dataset.driver in FORMATS_WITH_SHIFTED_OVERVIEWS:
        return ()
    factors, masks = tuple(dataset.overviews(bands[0])), mask_bands(dataset, bands)
    for number in range(len(factors)) if masks else ():
        with open_dataset(uri, number) as overview:
            if mask_bands(overview, bands) != masks:
                return factors[:number]
    return factors


def _is_tiled(dataset: Any) -> bool:
    """Whether a window can be read without reading the full width; a VRT is what the first file behind it is."""
    if dataset.driver == "VRT":
        behind = next((name for name in dataset.files[1:] if Path(name).suffix.lower() in SUFFIXES), None)
        if behind is not None and Path(behind).is_file():
            with open_dataset(behind) as first:
                return _is_tiled(first)
    return bool(dataset.block_shapes[0][1] < dataset.width)
