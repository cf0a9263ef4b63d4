from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """
from swathe.boxes.compiled import compiled

@compiled
def double(x):
    return 2.0 * x
"""
USE = "import own; own.double(1.5); print(sum(own.double.stats.cache_hits.values()))"


def run(code: str, **environment: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    result = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


def test_machine_code_survives_the_process(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(MODULE)
    assert [run(USE, PYTHONPATH=str(tmp_path)) for _ in range(2)] == ["0", "1"]


def test_without_a_place_for_machine_code_it_is_compiled_anew() -> None:
    code = "import swathe.boxes.kernels, swathe.model.decode; print('imported')"
    assert run(code, NUMBA_CACHE_LOCATOR_CLASSES="none") == "imported"


def test_plain_geometry_does_not_load_numba() -> None:
    code = (
        "import sys, swathe.boxes, swathe.boxes.convert; swathe.boxes.hulls([[1, 0.5, 2, 1, 0]]);"
        "print('numba' in sys.modules)"
    )
    assert run(code) == "False"


def test_every_public_name_is_found() -> None:
    code = "import swathe.boxes as b; print(all(callable(getattr(b, n)) for n in b.__all__), hasattr(b, 'nothing'))"
    assert run(code) == "True False"
