"""What got slower between two results of a benchmark is named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def result(milliseconds: float, rate: float, cpu: str = "any") -> dict[str, Any]:
    """Make a result with a time and a rate."""
    ways = {"swathe": {"min_ms": 1.0, "median_ms": milliseconds, "kept": 7}}
    models = [{"model": "n", "windows_per_second_median": rate, "windows": 48}]
    return {"benchmark": "b", "cpu": {"name": cpu}, "scenes": [{"boxes": 10, "ways": ways}], "models": models}


@pytest.mark.parametrize(
    ("new", "lines"),
    [
        (result(10.0, 5.0), []),
        (result(12.0, 4.5), []),
        (result(30.0, 5.0), ["3.00 times as long: scenes/10/ways/swathe/median_ms"]),
        (result(10.0, 2.5), ["2.00 times as long: models/n/windows_per_second_median"]),
        (result(90.0, 2.5, cpu="other"), None),
    ],
)
def test_names_what_got_slower(tmp_path: Path, new: dict[str, Any], lines: list[str] | None) -> None:
    for name, value in (("old", result(10.0, 5.0)), ("new", new)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "micro.json").write_text(json.dumps(value))
    command = [sys.executable, "-m", "benchmarks.slower", str(tmp_path / "old"), str(tmp_path / "new")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    *said, last = done.stdout.splitlines()
    if lines is None:
        assert "another processor" in said[0]
        return
    assert said == [f"micro.json: {line}" for line in lines]
    assert last.startswith(f"{len(lines)} figures")
    assert done.returncode == (1 if lines else 0)
