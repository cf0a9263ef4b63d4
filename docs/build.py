"""Writes the pages made from the program itself; checks that every link leads somewhere and every page is linked."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from swathe.cli.main import EPILOG, app

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference" / "cli.md"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^```.*?^```|^ {4}.*?$", re.MULTILINE | re.DOTALL)


def cli_reference() -> str:
    """Describe all commands and options as they are.

    Returns:
        The page, in Markdown.
    """
    group: Any = get_command(app)
    lines = ["# Command line", "", "Written by `make docs` from the program itself; do not edit.", ""]
    lines += ["Every command has `--help`. `--debug`, anywhere, shows the traceback of an error.", ""]
    for name, command in group.commands.items():
        arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
        options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
        usage = " ".join(["swathe", name, *map(_placeholder, arguments), "[OPTIONS]"])
        lines += [f"## {name}", "", f"    {usage}", "", inspect.cleandoc(command.help), ""]
        lines += ["| argument or option | meaning |", "|---|---|"]
        lines += [f"| `{_placeholder(argument)}` | {argument.help or ''} |" for argument in arguments]
        lines += [f"| {_spelling(option)} | {_meaning(option)} |" for option in options]
        lines.append("")
    lines += ["## Exit codes", "", "| code | meaning |", "|---|---|"]
    for part in EPILOG.removeprefix("Exit codes: ").rstrip(".").split("; "):
        code, _, meaning = part.partition(" ")
        lines.append(f"| {code} | {meaning} |")
    return "\n".join([*lines, ""])


def _placeholder(parameter: Any) -> str:
    """Return what stands for a value in the usage."""
    return str(parameter.metavar or parameter.name.upper())


def _spelling(option: Any) -> str:
    """Return how an option is written, with the kind of its value."""
    names = ", ".join(f"`{name}`" for name in sorted(option.opts, key=len))
    value = "" if option.is_flag else f" `{_placeholder(option)}`"
    return names + value


def _meaning(option: Any) -> str:
    """Return the help of an option and its default, if that says anything."""
    text = option.help or ""
    shown = option.default is not None and option.default is not False and not option.required
    return f"{text} Default: {getattr(option.default, 'value', option.default)}." if shown else text


def pages() -> list[Path]:
    """List all pages of the project, those that are not committed yet too."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).exists()]


def links(page: Path) -> Iterator[Path]:
    """Yield where the relative links of a page lead."""
    for target in LINK.findall(CODE_BLOCK.sub("", page.read_text(encoding="utf-8"))):
        path = target.partition("#")[0]
        if path and "://" not in path:
            yield Path(os.path.normpath(page.parent / path))


def broken_links() -> list[str]:
    """Look for relative links that lead nowhere.

    Returns:
        One line per broken link: page and target.
    """
    return [
        f"{page.relative_to(ROOT)}: {os.path.relpath(target, ROOT)}"
        for page in pages()
        for target in links(page)
        if not target.exists()
    ]


def unreachable_pages() -> list[str]:
    """Look for pages to which no chain of links leads from the README.

    Returns:
        The pages.
    """
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            waiting += [target for target in links(page) if target.suffix == ".md" and target.exists()]
    return [str(page.relative_to(ROOT)) for page in pages() if page not in reached]


def main() -> int:
    """Write or check the pages.

    Returns:
        0 if all is well, 1 if a page is out of date or not linked, or a link is broken.
    """
    reference = cli_reference()
    failures = []
    if "--check" in sys.argv[1:]:
        if not REFERENCE.exists() or REFERENCE.read_text(encoding="utf-8") != reference:
            failures.append(f"{REFERENCE.relative_to(ROOT)} is out of date; run: make docs")
    else:
        REFERENCE.write_text(reference, encoding="utf-8")
    failures += [f"broken link in {line}" for line in broken_links()]
    failures += [f"no link leads to {page}; name it in docs/index.md" for page in unreachable_pages()]
    for failure in failures:
        sys.stderr.write(f"{failure}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
