"""What no linter checks of docstrings: a documented error is one that a caller can import and catch."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path

from swathe import errors

SOURCE = Path(__file__).parents[1] / "src" / "swathe"
SECTION = re.compile(r"^Raises:\n((?:    .*\n?)+)", re.MULTILINE)
ENTRY = re.compile(r"^    (\w+):", re.MULTILINE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[Path, Function]]:
    """Yield every function of the package."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                yield path, node


def documented_errors(function: Function) -> list[str]:
    """Return the names in the Raises section."""
    section = SECTION.search((ast.get_docstring(function) or "") + "\n")
    return ENTRY.findall(section.group(1)) if section else []


def test_documented_errors_exist() -> None:
    known = {*vars(errors), *vars(builtins)}
    unknown = [
        f"{path}:{function.lineno} {name}"
        for path, function in functions()
        for name in documented_errors(function)
        if name not in known and f"class {name}(" not in path.read_text(encoding="utf-8")
    ]
    assert unknown == []


def test_errors_of_the_project_are_what_is_documented() -> None:
    documented = {name for _, function in functions() for name in documented_errors(function)}
    leaves = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and errors.SwatheError in value.__bases__
    }
    assert documented >= leaves, f"no public function says that it raises {sorted(leaves - documented)}"
