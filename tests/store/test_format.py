"""The page about the format names all that is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from swathe.store.rows import ROWS
from swathe.store.schema import FILE_SCHEMA

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "store-format.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("title", "names"), [("## Columns", FILE_SCHEMA.names), ("## Rows of scenes", ROWS.names)])
def test_the_page_names_every_column(title: str, names: list[str]) -> None:
    table = PAGE.partition(title)[2].partition("\n## ")[0]
    told = [
        name
        for line in table.splitlines()
        if line.startswith("|")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    ]
    assert set(names) - {"reason"} == set(told)
