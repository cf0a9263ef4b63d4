"""The README names every command, and no target that does not exist; tests/docs runs its examples."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_is_short() -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len([line for line in example.splitlines() if line]) <= 5


def test_every_command_is_listed() -> None:
    from typer.main import get_command

    from swathe.cli.main import app

    listed = set(re.findall(r"`swathe (\w+)", README))
    assert listed == set(getattr(get_command(app), "commands", {}))


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", README)) - {"variable"} <= targets
