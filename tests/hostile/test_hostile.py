"""Every kind of damage twice: refused in one clear line, or provably without harm. `make fuzz` runs many more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hostile.catalogue import KINDS, MAKERS
from requirements import need

SEED = 1


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_input_does_no_harm(kind: str) -> None:
    """A process of its own, because it forks and so must not have started threads."""
    need("onnx")
    need("torch")
    words = ["-m", "hostile", "--seed", str(SEED), "--cases", str(2 * len(MAKERS)), "--kind", kind, "--json"]
    tests = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, *words], cwd=tests, capture_output=True, text=True, check=False)
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [verdict for verdict in verdicts if verdict["result"] == "failed"]
    assert not failed, f"again: PYTHONPATH=tests python -m hostile --seed {SEED} --case {failed[0]['number']}: {failed}"
    assert done.returncode == 0, done.stderr
    assert len(verdicts) == 2 * sum(maker.kind == kind for maker in MAKERS)
