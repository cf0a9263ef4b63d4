"""Nothing grows until nobody can read it: lines per file, and per function its docstring left out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONGEST_FILE, LONGEST_FUNCTION = 500, 60
FACES = (("api.py",), ("cli",))  # of src/swathe


def sources() -> Iterator[Path]:
    """Yield every Python file of the project."""
    for folder in ("src", "tests", "benchmarks", "recipes", "docs"):
        found = sorted((ROOT / folder).rglob("*.py"))  # without environments of other tools
        yield from (path for path in found if not any(part.startswith(".venv") for part in path.parts))


def test_no_file_is_too_long() -> None:
    counts = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert len(counts) > 100
    assert {str(path): count for path, count in counts.items() if count > LONGEST_FILE} == {}


def functions() -> Iterator[tuple[str, int]]:
    """Yield the name of every function, and its lines; those of a face without parameters and docstring."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.lineno
                if path.relative_to(ROOT).parts[2:3] in FACES and len(node.body) > 1:
                    first = node.body[ast.get_docstring(node) is not None].lineno
                yield f"{path}:{node.lineno} {node.name}", (node.end_lineno or first) - first + 1


def test_no_function_is_too_long() -> None:
    assert {name: length for name, length in functions() if length > LONGEST_FUNCTION} == {}
