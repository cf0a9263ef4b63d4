"""Formats of rasters: which are read, by which suffix they are found, and how a file of each begins."""

from __future__ import annotations

from pathlib import PurePosixPath

# Name of GDAL's driver -> name of the format.
FORMATS = {
    "GTiff": "GeoTIFF",
    "VRT": "VRT",
    "PNG": "PNG",
    "JPEG": "JPEG",
    "JP2OpenJPEG": "JPEG 2000",
    "HFA": "ERDAS Imagine",
    "ENVI": "ENVI",
    "WEBP": "WebP",
    "BMP": "BMP",
}
SUFFIXES = frozenset(
    {".tif", ".tiff", ".png", ".jpg", ".jpeg", ".vrt", ".jp2", ".img", ".webp", ".bmp", ".bsq", ".bil", ".bip"}
)
# How their files begin, "?" for any byte; ENVI has only numbers, and its name beside.
STARTS = {
    "GTiff": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "VRT": (b"<VRTDataset",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "JP2OpenJPEG": (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    "HFA": (b"EHFA_HEADER_TAG",),
    "WEBP": (b"RIFF????WEBP",),
    "BMP": (b"BM????\0\0\0\0",),
}
MANIFEST = "slices.json"  # of a folder of slices, which are read as the scene that they were cut from
START_BYTES = 32768  # GDAL looks no further into a file to tell its format


def is_raster_name(name: str) -> bool:
    """Tell whether a file is taken for a raster by its name; hidden ones are not.

    Args:
        name: The name without folders.

    Returns:
        Whether it is.
    """
    return name == MANIFEST or (not name.startswith(".") and PurePosixPath(name).suffix.lower() in SUFFIXES)


def is_manifest(uri: str) -> bool:
    """Tell whether a path or address names the manifest of slices."""
    return uri.rpartition("/")[2] == MANIFEST


def is_vrt(start: bytes) -> bool:
    """Tell whether GDAL takes a file for a VRT: it looks for the element anywhere before the first zero.

    Args:
        start: The first `START_BYTES` of the file.

    Returns:
        Whether it is.
    """
    return STARTS["VRT"][0] in start.partition(b"\0")[0]


def is_image(start: bytes) -> bool:
    """Tell whether a file begins as one of a known format other than ENVI and VRT does.

    Args:
        start: Its first bytes.

    Returns:
        Whether it does.
    """
    return any(_begins(start, expected) for name, starts in STARTS.items() if name != "VRT" for expected in starts)


def _begins(start: bytes, expected: bytes) -> bool:
    return len(start) >= len(expected) and all(
        want in (byte, ord("?")) for byte, want in zip(start, expected, strict=False)
    )
