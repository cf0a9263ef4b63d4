"""Every code block of the README and of the documentation works as it stands, page by page, from top to bottom.

A page runs in a folder of its own that holds a part of the scene that ships with the project, under the scene's name.
Comments that readers do not see say what else it needs: `<!-- with: whole scene -->`; `<!-- with: detections -->`: a
store; `<!-- with: labels -->`: that, and DOTA labels of its scene in val/labelTxt. `<!-- not run: REASON -->` leaves
the block below out.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from requirements import need

ROOT = Path(__file__).resolve().parents[2]
SCENE = ROOT / "data" / "banepa" / "banepa.tif"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
GENERATED = {"docs/reference/cli.md", "docs/benchmarks.md"}
NOT_RUN = re.compile(r"<!-- not run: \S.*? -->\s*$")
FILE_NAME = re.compile(r"# (\w+\.py)\n")
LANGUAGES = {"bash", "python", "sql", "toml", "json", "text"}
WITH_STORE, WITH_LABELS = "<!-- with: detections -->", "<!-- with: labels -->"
WITH_WHOLE_SCENE = "<!-- with: whole scene -->"
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def page_name(page: Path) -> str:
    """Return how a page is called in messages."""
    return page.relative_to(ROOT).as_posix()


def check_make(words: list[str]) -> None:
    """Targets exist; running them here would install and test everything again."""
    assert {word for word in words[1:] if "=" not in word} <= TARGETS, words


def check_pip(words: list[str]) -> None:
    """The extras that are to be installed exist."""
    wanted = set(re.findall(r"[a-z]+", "".join(re.findall(r"\[([a-z,]+)\]", " ".join(words)))))
    assert words[1] == "install", words
    assert wanted <= set(EXTRAS), words


def run_swathe(words: list[str]) -> None:
    """Run a command of ours in this process, which saves the start of an interpreter."""
    from swathe.cli.main import main

    code = main(words[1:])
    assert code == 0, f"{shlex.join(words)} ended with {code}"


LINES: dict[str, Callable[[list[str]], None]] = {"make": check_make, "pip": check_pip, "swathe": run_swathe}


class Page:
    """Runs the blocks of one page, in the folder that is the working directory."""

    def __init__(self) -> None:
        self.scope: dict[str, Any] = {"__name__": "__main__"}

    def bash(self, code: str) -> None:
        """Run commands, one after the other."""
        lines = [line for line in code.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]
        for line in lines:
            first = line.split()[0]
            known = LINES.get(first.removeprefix(".venv/bin/"))
            if known is not None and not set(line) & set("|$`>*"):
                known(shlex.split(line, comments=True))
            elif first not in {"source", "cd", "git", "apt-get"}:
                path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
                line = line.replace(".venv/bin/", "")
                subprocess.run(["bash", "-euo", "pipefail", "-c", line], check=True, env={**os.environ, "PATH": path})

    def python(self, code: str) -> None:
        """Run Python, names stay known to the blocks below; or write it, where its first line names a file."""
        if name := FILE_NAME.match(code):
            Path(name[1]).write_text(code, encoding="utf-8")
            return
        exec(compile(code, "<page>", "exec"), self.scope)

    def sql(self, code: str) -> None:
        """Run SQL in DuckDB."""
        need("duckdb")
        import duckdb

        assert duckdb.sql(code).fetchall()

    def toml(self, code: str) -> None:
        """Read TOML; what looks like a training must be one."""
        document = tomllib.loads(code)
        if "run" in document:
            from swathe.training.config import parse_config

            parse_config(document, where="page")

    def json(self, code: str) -> None:
        """Read JSON."""
        json.loads(code)

    def text(self, code: str) -> None:
        """Outputs and layouts are for people."""
        assert code.strip()


def write_labels(folder: Path) -> None:
    """Write what was found as DOTA labels, so that there is something to evaluate against."""
    import swathe

    folder.mkdir(parents=True)
    polygons = swathe.Detections.open("detections").to_polygons("pixel").reshape(-1, 8)
    lines = [" ".join(map(repr, row)) + " building 0\n" for row in polygons.tolist()]
    (folder / "banepa.txt").write_text("".join(lines), encoding="utf-8")


def blocks(text: str) -> list[tuple[str, str]]:
    """Return language and code of each block that is to be run."""
    need("sybil")
    from sybil.document import Document
    from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

    regions = FencedCodeBlockLexer(r"\w*")(Document(text, "page"))
    run = [region.lexemes for region in regions if not NOT_RUN.search(text[: region.start])]
    return [(lexemes["language"], lexemes["source"]) for lexemes in run]


@pytest.mark.parametrize("page", [page for page in PAGES if page_name(page) not in GENERATED], ids=page_name)
def test_blocks_of_page(page: Path, folder: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if WITH_WHOLE_SCENE in text:
        shutil.copy(SCENE, folder / "data" / "banepa" / "banepa.tif")
    runner = Page()
    found = blocks(text)
    if WITH_STORE in text or WITH_LABELS in text:
        run_swathe(shlex.split("swathe detect data/banepa/banepa.tif -m buildings -o detections --workers 0"))
    if WITH_LABELS in text:
        write_labels(folder / "val" / "labelTxt")
    for language, code in found:
        assert language in LANGUAGES, f"{page_name(page)}: a block in {language!r} is not run; name its language"
        getattr(runner, language)(code)


@pytest.mark.parametrize("page", [page for page in PAGES if page_name(page) not in GENERATED], ids=page_name)
def test_code_is_fenced(page: Path) -> None:
    fenced = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"\n\n( {4}\S.*)", fenced)
    assert not indented, f"{page_name(page)}: fence {indented[0].strip()!r}, so that it is run"
