"""Nothing grows until nobody can read it: lines per file, and per function its docstring left out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from benchmarks.gauges import body_lines

ROOT = Path(__file__).parents[1]
LONGEST_FILE, LONGEST_FUNCTION = 500, 60


def sources() -> Iterator[Path]:
    """Yield every Python file of the project."""
    for folder in ("src", "tests", "benchmarks", "recipes", "docs"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def test_no_file_is_too_long() -> None:
    counts = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert len(counts) > 100
    assert {str(path): count for path, count in counts.items() if count > LONGEST_FILE} == {}


def test_no_function_is_too_long() -> None:
    too_long = {
        f"{path}:{node.lineno} {node.name}": length
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (length := body_lines(node)) > LONGEST_FUNCTION
    }
    assert too_long == {}
