"""Every class of hostile input: refused in one clear line, or provably without harm. `make fuzz` runs many more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hostile.catalogue import KINDS, MAKERS
from requirements import need

SEED = 1
STEP = 4  # of the makers, every fourth: each class is among them


@pytest.fixture(scope="module")
def verdicts() -> list[dict[str, Any]]:
    """What came of the cases; in one process of its own, because it forks and so must not have started threads."""
    need("onnx")
    need("torch")
    words = ["-m", "hostile", "--seed", str(SEED), "--cases", str(len(MAKERS)), "--step", str(STEP), "--json"]
    tests = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, *words], cwd=tests, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_input_does_no_harm(verdicts: list[dict[str, Any]], kind: str) -> None:
    own = [verdict for verdict in verdicts if verdict["kind"] == kind]
    failed = [verdict for verdict in own if verdict["result"] == "failed"]
    assert not failed, f"again: PYTHONPATH=tests python -m hostile --seed {SEED} --case {failed[0]['number']}: {failed}"
    assert len(own) == sum(maker.kind == kind for maker in MAKERS[::STEP]) > 0
