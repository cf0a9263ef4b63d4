"""Mapbox Vector Tiles, read back by GDAL."""

from __future__ import annotations

from pathlib import Path


def layers(content: bytes, folder: Path) -> dict[str, list[dict[str, object]]]:
    """Read all layers of a tile; geometries are in units of the tile, y up."""
    from pyogrio import list_layers, read_dataframe

    if not content:
        return {}
    (folder / "0.mvt").write_bytes(content)
    options = {"CLIP": "NO", "METADATA_FILE": ""}
    names = [name for name, _ in list_layers(folder / "0.mvt")]
    return {name: read_dataframe(folder / "0.mvt", layer=name, **options).to_dict("records") for name in names}
