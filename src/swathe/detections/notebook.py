"""How detections look in a notebook."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHOWN_ROWS = 10
TITLES = ("scene", "class", "score", "cx", "cy", "w", "h", "angle")


def as_html(title: str, first: Sequence[Mapping[str, Any]], count: int) -> str:
    """Write the first detections as an HTML table: boxes in scene pixels, angles in degrees clockwise from the right.

    Args:
        title: What they are.
        first: The first rows.
        count: How many rows there are.

    Returns:
        The HTML; whatever names hold is shown, not run.
    """
    rows = []
    for row in first:
        sizes = [f"{row[name]:,.1f}" for name in ("cx", "cy", "w", "h")]
        cells = [row["scene"], row["class"], f"{row['score']:.2f}", *sizes, f"{math.degrees(row['theta']):.0f}°"]
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    head = "<tr>" + "".join(f"<th>{title}</th>" for title in TITLES) + "</tr>"
    more = f"<p>… and {count - len(first):,} more</p>" if count > len(first) else ""
    table = f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>" if rows else ""
    return f"<p>{html.escape(title)}</p>{table}{more}"
