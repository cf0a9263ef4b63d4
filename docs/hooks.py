"""Brings pages that live beside what they describe into the site, and turns links to them into links within it."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
START = "index.md"
# Where a page lies in the repository: what it is called in the site.
PAGES = {
    "src/swathe/models/buildings/card.md": "project/buildings.md",
    "data/banepa/ATTRIBUTION.md": "project/data.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "requirements/README.md": "project/requirements.md",
    "CHANGELOG.md": "project/changes.md",
    "README.md": START,
}
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Any, *, config: Any) -> Any:
    """Add the pages from outside of docs/; the README stays out, for the site has a start page of its own.

    Args:
        files: What the site is made of.
        config: Its settings.

    Returns:
        The same files and these pages.
    """
    from mkdocs.structure.files import File

    for source, name in PAGES.items():
        if name != START:
            text = (ROOT / source).read_text(encoding="utf-8")
            files.append(File.generated(config, name, content=with_site_links(text, source, name)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:  # noqa: ARG001 mkdocs names them
    """Let the links of a page in docs/ lead to where the site keeps their targets.

    Args:
        markdown: Text of the page.
        page: The page.
        config: Settings of the site.
        files: What the site is made of.

    Returns:
        The text with other links.
    """
    name = page.file.src_uri
    return markdown if page.file.generated_by else with_site_links(markdown, f"docs/{name}", name)


def with_site_links(text: str, source: str, name: str) -> str:
    """Rewrite the relative links of a page; those to files that the site does not hold become plain words.

    Args:
        text: The page.
        source: Where it lies in the repository; its links start there.
        name: What it is called in the site.

    Returns:
        The page for the site.
    """

    def rewritten(match: re.Match[str]) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        path = os.path.normpath(PurePosixPath(source).parent / target)
        place = PAGES.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        return words if place is None else f"[{words}]({os.path.relpath(place, PurePosixPath(name).parent)}{anchor})"

    return LINK.sub(rewritten, text)
