"""Commands that write one file, killed at any moment: it is there as a whole or not at all, and comes next time."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from accidents.conftest import Report
from accidents.runs import Case

KILLS = int(os.environ.get("SWATHE_KILLS", "8")) // 8
COMMANDS = {
    "converted.tif": ("convert", "{scene}"),
    "found.gpkg": ("query", "{store}"),
    "found.csv": ("query", "{store}"),
    "page.html": ("draw", "{store}", "--scene", "scene-0"),
}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> dict[str, str]:
    """A scene, and a store with what was found in it."""
    folder = tmp_path_factory.mktemp("outputs")
    case = Case.make(folder / "scenes", tiny_model, [(700, 600)])
    case.run(folder / "store")
    return {"scene": str(case.folder / "scene-0.tif"), "store": str(folder / "store")}


def started(words: list[str]) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own."""
    code = [sys.executable, "-c", "from swathe.cli.main import run; run()", *words]
    return subprocess.Popen(code, stdout=subprocess.DEVNULL, start_new_session=True)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_an_output_killed_at_any_moment_is_whole_or_not_there(
    name: str, names: dict[str, str], tmp_path: Path, report: Report
) -> None:
    output, chance, there = tmp_path / name, random.Random(name), 0
    words = [*(word.format(**names) for word in COMMANDS[name]), "-o", str(output)]
    began = time.monotonic()
    assert started(words).wait() == 0
    seconds = time.monotonic() - began
    whole = hashlib.sha256(output.read_bytes()).hexdigest()
    for _ in range(KILLS):
        output.unlink(missing_ok=True)
        process = started(words)
        time.sleep(chance.uniform(0.4, 1.0) * seconds)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        there += output.exists()
        assert not output.exists() or hashlib.sha256(output.read_bytes()).hexdigest() == whole
    output.unlink(missing_ok=True)
    assert started(words).wait() == 0
    assert hashlib.sha256(output.read_bytes()).hexdigest() == whole
    style = "found.qml"  # goes beside a GeoPackage
    assert {path.name for path in tmp_path.iterdir()} - {style} == {name}, "nothing of a killed process is left"
    report(f"{name} of `swathe {words[0]}` killed {KILLS} times: {there} times whole, else not there; same bytes then")
