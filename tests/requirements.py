"""Optional libraries and programs: at home their absence skips a test, where SWATHE_NO_SKIP=1 is set it fails."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

BUILT_DRIVERS = Path(__file__).parents[1] / "build" / "ogr-parquet" / "driver"


def need(module: str) -> None:
    """Skip the calling test or test module, or fail it, if a library is not installed.

    Args:
        module: Name of the library as it is imported.
    """
    if importlib.util.find_spec(module) is None:
        _lack(f"{module} is not installed; `pip install {module}` brings it")


def need_program(name: str, package: str | None = None) -> str:
    """Skip the calling test, or fail it, if a program is not installed.

    Args:
        name: Name of the program.
        package: Name of its Debian package, if it is another.

    Returns:
        Its path.
    """
    path = shutil.which(name)
    if path is None:
        _lack(f"{name} is not installed; `apt-get install --no-install-recommends {package or name}` brings it")
    return path


def need_java() -> None:
    """Skip the calling test, or fail it, if there is no Java that Spark runs on."""
    from swathe.engine.spark_session import check_java
    from swathe.errors import MissingExtraError

    try:
        check_java()
    except MissingExtraError as error:
        _lack(str(error))


def need_ogr_parquet() -> dict[str, str]:
    """Skip the calling test, or fail it, if GDAL's programs cannot read Parquet.

    Returns:
        Environment variables for `ogr2ogr` and `ogrinfo`: those of this process, if need be with a driver built here.
    """
    for environment in (dict(os.environ), {**os.environ, "GDAL_DRIVER_PATH": str(BUILT_DRIVERS)}):
        if _reads_parquet(environment):
            break
    else:
        _lack(
            "there is no ogr2ogr that reads Parquet; on Debian 12 `apt-get install --no-install-recommends g++ "
            "gdal-bin libgdal-dev xz-utils` and `make ogr-parquet` bring both"
        )
    return environment


def _reads_parquet(environment: dict[str, str]) -> bool:
    """Tell whether GDAL's programs are there and list the driver."""
    if shutil.which("ogr2ogr") is None:
        return False
    command = ["ogr2ogr", "--formats"]
    formats = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return " Parquet -vector-" in formats


def _lack(message: str) -> NoReturn:
    """Skip or fail."""
    if os.environ.get("SWATHE_NO_SKIP") == "1":
        pytest.fail(message)
    pytest.skip(message, allow_module_level=True)


def need_page() -> None:
    """Skip the calling test, or fail it, if the page of `swathe serve` has not been built."""
    need("fastapi")
    from swathe.viewer.page import page_is_built

    if not page_is_built():
        _lack("the page of `swathe serve` is not built; `make frontend` does it, with Node and npm")
