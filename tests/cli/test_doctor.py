"""`swathe doctor`: finds what is there and what is missing."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from swathe import doctor

if TYPE_CHECKING:
    from command import Command


def test_a_whole_installation_is_fine(command: Command) -> None:
    outcome = command("doctor", "--json")
    assert (outcome.code, outcome.lines[-1]["broken"]) == (0, 0), outcome.out
    found = {(line["part"], line["name"]): line["value"] for line in outcome.lines[:-1]}
    assert found["versions", "numpy"] == version("numpy")
    assert found["checks", "geometry"].endswith("known answers")
    assert command("doctor").out.endswith("all that is needed works\n")


def test_what_is_missing_comes_with_its_command(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        if name in {"geopandas", "numba"}:
            raise PackageNotFoundError
        return version(name)

    monkeypatch.setattr(doctor, "version", absent)
    outcome = command("doctor")
    assert outcome.code == 1
    lines = {line[2:].split()[0]: line for line in outcome.out.splitlines() if line[2:].strip()}
    assert lines["geopandas"].startswith("- ")
    assert lines["geopandas"].endswith("pip install 'swathe[geo]'")
    assert lines["numba"].startswith("! ")


def test_processor_and_quota_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("model name\t: Some CPU\nflags\t\t: fpu avx2 avx512_vnni amx_tile\n")
    assert doctor._processor(tmp_path / "cpuinfo") == ("Some CPU", ["AVX2", "VNNI", "AMX"])
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert doctor._quota(tmp_path) == pytest.approx(1.5)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert doctor._quota(tmp_path) is None


def test_warming_compiles_and_says_so(command: Command) -> None:
    outcome = command("doctor", "--warm")
    assert (outcome.code, outcome.err) == (0, "compiling geometry, once\n")
