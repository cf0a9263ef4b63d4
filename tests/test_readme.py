"""The examples of the README do what it says, on a part of the scene that ships with the project."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCENE = ROOT / "data" / "banepa" / "banepa.tif"


def python_blocks() -> list[str]:
    """Return the Python examples."""
    return re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_python_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import rasterio
    from rasterio.windows import Window

    (tmp_path / "data" / "banepa").mkdir(parents=True)
    window = Window(2300, 1900, 1024, 700)
    with rasterio.open(SCENE) as whole:
        profile = {"driver": "GTiff", "width": 1024, "height": 700, "count": 3, "dtype": "uint8", "crs": whole.crs}
        with rasterio.open(
            tmp_path / "data" / "banepa" / "banepa.tif", "w", transform=whole.window_transform(window), **profile
        ) as part:
            part.write(whole.read((1, 2, 3), window=window))
    monkeypatch.chdir(tmp_path)
    (example,) = python_blocks()
    assert len([line for line in example.splitlines() if line]) <= 5
    scope: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), scope)
    count = int(capsys.readouterr().out.split()[0])
    assert count > 10
    assert (tmp_path / "buildings.parquet").exists()


def test_every_command_is_listed() -> None:
    from typer.main import get_command

    from swathe.cli.main import app

    listed = set(re.findall(r"^\| `swathe (\w+)", README, re.MULTILINE))
    assert listed == set(getattr(get_command(app), "commands", {}))


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", README)) - {"variable"} <= targets
