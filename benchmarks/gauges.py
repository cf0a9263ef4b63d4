"""How large and how tangled the source is, and how often one small run asks its store; a table, then JSON.

It measures the `swathe` that is imported, so `PYTHONPATH=OTHER/src python benchmarks/gauges.py` measures another
checkout. What is counted of a run: calls of `swathe.store` from outside of it, and files below the store that Python
opens (libraries that open files in compiled code do not show).
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import inspect
import io
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Self

import grimp
import numpy as np
import rasterio

import swathe
from swathe.cli.detect import detect
from swathe.cli.main import main as run_command

SOURCE = Path(swathe.__file__).parent
FACES = ("api.py", "cli")  # where callers name what differs from the defaults
MOST_PARAMETERS = 8
EARLIER_RUNS = (1, 10, 39)
SIDE = 64  # pixels of the image of the small run
PLACE = rasterio.Affine(0.1, 0.0, 340_000.0, 0.0, -0.1, 3_060_000.0)  # metres


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions and methods of a file."""
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function from its `def` to its end, the docstring left out."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or 0) - first.lineno + 1
    return lines


def is_face(path: Path) -> bool:
    """Say whether a file is where callers name what differs from the defaults."""
    return path.relative_to(SOURCE).parts[0] in FACES


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the parameters of a function, `self` and `cls` left out."""
    named = function.args
    every = [argument.arg for argument in (*named.posonlyargs, *named.args, *named.kwonlyargs)]
    return len([name for name in every if name not in {"self", "cls"}])


def sizes() -> dict[str, Any]:
    """Measure the source."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(SOURCE.rglob("*.py"))}
    lines = {str(path.relative_to(SOURCE)): len(text.splitlines()) for path, text in texts.items()}
    found = [(path, function) for path, text in texts.items() for function in functions(ast.parse(text))]
    lengths = [body_lines(function) for _, function in found]
    whole = [(function.end_lineno or 0) - function.lineno + 1 for path, function in found if not is_face(path)]
    written = [count for name, count in lines.items() if not name.endswith("__init__.py")]
    largest = max(lines, key=lambda name: lines[name])
    return {
        "source lines": sum(lines.values()),
        "files": len(lines),
        "median file": statistics.median(written),
        "largest file": lines[largest],
        "name of the largest file": largest,
        "functions": len(lengths),
        "median function": statistics.median(lengths),
        "90 % of functions": int(np.percentile(lengths, 90)),
        "longest function": max(lengths),
        "longest function with its docstring, outside of the faces": max(whole),
        "functions with over 8 parameters outside of the faces": sorted(
            f"{path.relative_to(SOURCE)}: {function.name}"
            for path, function in found
            if parameters(function) > MOST_PARAMETERS and not is_face(path)
        ),
    }


def circles() -> list[list[str]]:
    """Return groups of modules that import each other, imports for annotations and inside of functions counted."""
    graph = grimp.build_graph("swathe", exclude_type_checking_imports=False)
    groups = {
        frozenset(graph.find_downstream_modules(name) & graph.find_upstream_modules(name) | {name})
        for name in graph.modules
    }
    return sorted(sorted(group) for group in groups if len(group) > 1)


class Watch:
    """Counts what happens between its begin and its end."""

    def __init__(self, store: Path) -> None:
        self.calls, self.opened, self.crossings = 0, 0, set[tuple[Any, Any]]()
        self._store, self._own, self._on = str(store), str(SOURCE / "store"), False
        sys.addaudithook(self._audit)

    def __enter__(self) -> Self:
        self._on = True
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        self._on = False

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._on and event == "open" and str(arguments[0]).startswith(self._store):
            self.opened += 1

    def _profile(self, frame: FrameType, event: str, _: object) -> None:
        code, above = frame.f_code, frame.f_back
        if event != "call" or not code.co_filename.startswith(str(SOURCE)):
            return
        while above is not None and not above.f_code.co_filename.startswith(str(SOURCE)):
            above = above.f_back
        if above is None or above.f_code.co_filename == code.co_filename:
            return
        self.crossings.add((above.f_code, code))
        own = code.co_filename.startswith(self._own) and code.co_name[0] not in "_<"
        self.calls += own and not above.f_code.co_filename.startswith(self._own)


def small_run(earlier: int) -> dict[str, int]:
    """Count what one small run does that adds an image to a store with earlier runs."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        pixels = np.random.default_rng(0).integers(1, 255, (3, SIDE, SIDE), np.uint8)
        image = Path(folder) / "image.tif"
        layout = {"width": SIDE, "height": SIDE, "count": 3, "dtype": "uint8"}
        with rasterio.open(image, "w", driver="GTiff", crs="EPSG:32645", transform=PLACE, **layout) as dataset:
            dataset.write(pixels)
        words = ["detect", str(image), "-m", "buildings", "-o", str(store), "--workers", "0", "--quiet"]
        words += ["--append"] if "append" in inspect.signature(detect).parameters else []
        for number in range(earlier):
            _run([*words, "--min-score", f"0.{100 + number}"])
        watch = Watch(store)
        with watch:
            _run([*words, "--min-score", "0.9"])
    return {"calls": watch.calls, "files opened": watch.opened, "calls between files": len(watch.crossings)}


def _run(words: list[str]) -> None:
    """Run a command, which must work."""
    with contextlib.redirect_stderr(io.StringIO()) as complaint:
        code = run_command(words)
    if code:
        raise SystemExit(complaint.getvalue())


def main() -> None:
    """Print a table, and JSON as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--static", action="store_true", help="leave out the runs")
    figures = sizes() | {"circles of imports": circles()}
    if not parser.parse_args().static:
        small_run(0)  # imports what a run imports
        figures["small run"] = {str(earlier): small_run(earlier) for earlier in EARLIER_RUNS}
    for name, value in figures.items():
        if name == "small run":
            for earlier, counts in value.items():
                print(f"{'run beside ' + earlier + ' earlier':55} " + ", ".join(f"{n} {k}" for k, n in counts.items()))
        else:
            print(f"{name:55} {len(value) if isinstance(value, list) else value}")
            for member in value if isinstance(value, list) else ():
                print(f"  {member if isinstance(member, str) else f'{len(member)} modules: ' + ' '.join(member)}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
