"""How detections look in a notebook."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swathe.detections.collection import Detections

SHOWN_ROWS = 10
TITLES = ("scene", "class", "score", "cx", "cy", "w", "h", "angle")


def as_html(detections: Detections) -> str:
    """Write the first detections as an HTML table: boxes in scene pixels, angles in degrees clockwise from the right.

    Args:
        detections: What to show.

    Returns:
        The HTML; whatever names hold is shown, not run.
    """
    first = detections[:SHOWN_ROWS]
    rows = []
    for row in first:
        sizes = [f"{row[name]:,.1f}" for name in ("cx", "cy", "w", "h")]
        cells = [row["scene"], row["class"], f"{row['score']:.2f}", *sizes, f"{math.degrees(row['theta']):.0f}°"]
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    head = "<tr>" + "".join(f"<th>{title}</th>" for title in TITLES) + "</tr>"
    more = f"<p>… and {len(detections) - len(first):,} more</p>" if len(detections) > len(first) else ""
    table = f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>" if rows else ""
    return f"<p>{html.escape(repr(detections))}</p>{table}{more}"
