"""`swathe convert`: write images as cloud-optimised GeoTIFF, which windows are read from best."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from swathe.cli.options import Json, Overwrite, Sources, print_json
from swathe.cli.output import echo
from swathe.cli.progress import MEBIBYTE, stderr_console
from swathe.errors import PartialError, SourceError, StoreError, UsageError

SUFFIXES = (".tif", ".tiff")

Target = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="PATH", help="File to write for one source; folder for several."),
]
Compress = Annotated[
    str, typer.Option(metavar="WAY", help="zstd or deflate, which change no pixel, or jpeg, smaller and inexact.")
]
Quality = Annotated[int, typer.Option(metavar="1-100", help="Quality of --compress jpeg.")]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Leave what is there as it is, convert the rest: goes on after a stop.")
]

Show = Callable[[str, int], None]  # called with the name of the source and the bytes written so far


def convert(
    sources: Sources,
    output: Target,
    compress: Compress = "zstd",
    quality: Quality = 90,
    overwrite: Overwrite = False,
    skip_existing: SkipExisting = False,
    json: Json = False,
) -> None:
    """Write images as cloud-optimised GeoTIFF: tiled, compressed, with overviews."""
    from swathe.raster.convert import Compression, ConvertOptions
    from swathe.raster.sources import find_sources

    if overwrite and skip_existing:
        raise UsageError("--overwrite and --skip-existing exclude each other; give one of them")
    options = ConvertOptions(cast("Compression", compress), quality)
    pairs = list(_targets(find_sources(sources), output).items())
    present = [target for target, _ in pairs if target.exists()]
    if present and not (overwrite or skip_existing):
        raise StoreError(
            f"{present[0]}: exists already; replace it with --overwrite, go on beside it with --skip-existing, or "
            "choose another name"
        )
    failed: dict[str, str] = {}
    with _progress(json=json) as show:
        for target, source in pairs:
            if skip_existing and target.exists():
                continue
            try:
                _convert_one(source, target, options, show, overwrite=overwrite, json=json)
            except (SourceError, UsageError) as error:
                if len(pairs) == 1:
                    raise
                failed[source] = str(error)
    if json:
        print_json({"event": "summary", "images": len(pairs) - len(failed), "failed": list(failed.values())})
    if failed:
        raise PartialError(
            f"{len(failed)} of {len(pairs)} images could not be converted: " + "; ".join(failed.values())
        )


def _targets(sources: list[str], output: Path) -> dict[Path, str]:
    """Return the file to write for each source."""
    from swathe.raster.sources import scene_ids

    if len(sources) == 1 and not output.is_dir() and output.suffix.lower() in SUFFIXES:
        return {output: sources[0]}
    if output.suffix.lower() in SUFFIXES:
        raise UsageError(f"-o {output}: names one file for {len(sources)} sources; name a folder")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{output}: cannot be made a folder ({error.strerror}); choose another name") from error
    return {output / f"{name}.tif": source for name, source in zip(scene_ids(sources), sources, strict=True)}


def _convert_one(source: str, target: Path, options: Any, show: Show, *, overwrite: bool, json: bool) -> None:
    """Convert one source and say what came of it."""
    from swathe.raster.convert import convert as convert_raster
    from swathe.raster.origins import redacted

    started = time.perf_counter()
    size = convert_raster(
        source, target, options, overwrite=overwrite, progress=lambda written: show(redacted(source), written)
    )
    seconds = time.perf_counter() - started
    if json:
        values = {"source": redacted(source), "file": str(target), "bytes": size, "seconds": round(seconds, 3)}
        print_json({"event": "converted", **values})
    else:
        echo(f"{target}  {size / MEBIBYTE:,.1f} MiB in {seconds:.1f} seconds")


@contextmanager
def _progress(*, json: bool) -> Iterator[Show]:
    """Show how much has been written; how much there will be is not known before."""
    if json:
        yield lambda _name, _written: None
        return
    with stderr_console().status("Convert") as status:
        yield lambda name, written: status.update(f"Convert  {name}: {written / MEBIBYTE:,.0f} MiB written")
