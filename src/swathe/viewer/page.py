"""The built pages: that of the server, and that of maps which need no server."""

from __future__ import annotations

import html
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from swathe.atomic import published_file
from swathe.viewer.pmtiles import write_pmtiles

if TYPE_CHECKING:
    from swathe.detections import Detections

STATIC = Path(str(files("swathe.viewer") / "static"))
FILES = "swathe-map"  # folder with what pages of maps load


def page_is_built() -> bool:
    """Tell whether the pages are there; in a clone they are once `make frontend` has built them."""
    return (STATIC / "index.html").is_file()


def write_map(detections: Detections, path: Path, *, overwrite: bool = False) -> None:
    """Write detections as a PMTiles archive and, beside it, a page that shows it from any host of files.

    Args:
        detections: What to write, of scenes with georeference.
        path: The archive. The page has its name and ends in `.html`; what it loads lies in the folder `swathe-map`. In
            a clone whose pages are not built there is only the archive.
        overwrite: Whether existing files may be replaced.

    Raises:
        UsageError: If scenes have no georeference.
        SourceError: If a corner has no longitude and latitude.
        StoreError: If a file exists already or cannot be written.
    """
    if not page_is_built():
        write_pmtiles(detections, path, overwrite=overwrite)
        return
    page = (STATIC / "map.html").read_text(encoding="utf-8").replace("./assets/", f"./{FILES}/")
    page = page.replace("map.pmtiles", html.escape(quote(path.name)))
    page = page.replace("<title>Swathe", f"<title>{html.escape(path.stem)}")
    with published_file(path.with_suffix(".html"), overwrite=overwrite) as stream:
        write_pmtiles(detections, path, overwrite=overwrite)
        stream.write(page.encode())
    (path.parent / FILES).mkdir(exist_ok=True)
    for source in (*(STATIC / "assets").iterdir(), *STATIC.glob("*.LICENSE.txt")):
        with published_file(path.parent / FILES / source.name, overwrite=True) as stream:
            stream.write(source.read_bytes())
