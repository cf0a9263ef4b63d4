"""An evaluation as one HTML file that needs nothing else: tables, curves, confused classes, pictures of errors."""

from __future__ import annotations

import base64
import html
import io
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from swathe.atomic import published_file
from swathe.drawing.frame import View
from swathe.drawing.judged import draw_judged
from swathe.drawing.page import SUFFIXES, element_hash
from swathe.errors import UsageError
from swathe.evaluation.breakdown import ASPECTS, SIZES
from swathe.evaluation.report import MEASURES, TITLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from swathe.evaluation.breakdown import AngleError, Part, Ranges
    from swathe.evaluation.judged import JudgedImage
    from swathe.evaluation.report import Report

MOST_PICTURES = 12
PICTURE_SIDE = 900  # pixels
ANGLE_TITLES = ("right", "median", "90 % within", "median, sides", "turned by 90°")


def draw_report(report: Report, path: Path) -> None:
    """Write the page of an evaluation; the file appears when it is complete.

    Args:
        report: The evaluation. The images with most errors are drawn, as far as their pixels are known.
        path: File to write, replaced if it exists; .html or .htm.

    Raises:
        UsageError: If the file's kind is unknown.
        MissingExtraError: If matplotlib is not installed.
        SourceError: If an image cannot be read.
        StoreError: If the page cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: the name of a page must end in {', '.join(SUFFIXES)}")
    style = (files("swathe.drawing") / "static" / "report.css").read_text(encoding="utf-8")
    policy = f"default-src 'none'; img-src data:; style-src '{element_hash(style)}'"
    head = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>Evaluation</title><style>{style}</style></head><body>\n"
    )
    parts = (
        _summary(report),
        _classes(report),
        _curves(report),
        _angles(report),
        _parts(report, "sizes", "By size", f"Sides of the squares that are as large, in pixels: {_ranges(SIZES)}."),
        _parts(report, "aspects", "By shape", f"Long side by short side: {_ranges(ASPECTS)}."),
        _confusion(report),
        _pictures(report.wrong),
    )
    with published_file(path, overwrite=True) as stream:
        stream.write((head + "\n".join(parts) + "\n</body></html>\n").encode("utf-8", errors="xmlcharrefreplace"))


def _summary(report: Report) -> str:
    """Return the means and what was left out."""
    truths = sum(item.truths for item in report.classes)
    values = [*((title, _number(getattr(report, name))) for name, title in zip(MEASURES, TITLES, strict=True))]
    values += [("images", f"{report.images:,}"), ("objects", f"{truths:,}"), ("classes", str(len(report.classes)))]
    items = "".join(f"<li>{html.escape(title)}<b>{value}</b></li>" for title, value in values)
    notes = "".join(f"<p>Note: {html.escape(note)}.</p>" for note in report.notes)
    kind = "Difficult objects count like others." if report.difficult_as_normal else "Difficult objects are ignored."
    return f'<h1>Evaluation</h1><p>Means over the classes. {kind}</p><ul class="numbers">{items}</ul>{notes}'


def _classes(report: Report) -> str:
    """Return average precision and best threshold of each class."""
    rows = [
        (
            item.name,
            f"{item.truths:,}",
            f"{item.detections:,}",
            *(_number(getattr(item, name)) for name in MEASURES),
            _number(None if item.best is None else item.best.score, 3),
            f"{item.missed:,}",
            f"{item.false:,}",
        )
        for item in report.classes
    ]
    heads = ("class", "objects", "found", *TITLES, "best score", "missed", "false")
    text = "The best score has the best balance of precision and recall; what is missed and false is counted there."
    return _section("Classes", text, _table(heads, rows))


def _curves(report: Report) -> str:
    """Return precision over recall."""
    stream = io.BytesIO()
    report.figure().savefig(stream, format="svg")
    picture = _data("image/svg+xml", stream.getvalue())
    text = "At IoU &gt; 0.5; a curve ends where the last detection of its class is counted."
    return _section("Precision over recall", text, f'<img alt="Precision over recall" src="{picture}">')


def _angles(report: Report) -> str:
    """Return how far directions are off, for each class and for square objects apart."""

    def row(name: str, right: float | None, error: AngleError | None) -> tuple[str, ...]:
        if error is None:
            return (name, "0", "-", "-", "-", "-")
        degrees = (f"{value:.1f}°" for value in (error.median, error.p90, error.median_of_sides))
        return (name, "" if right is None else f"{right:,.0f}", *degrees, f"{error.turned:.0%}")

    rows = []
    for item in report.classes:
        if item.breakdown is not None and item.curve is not None:
            right = item.curve.recall[-1] * item.truths if len(item.curve.recall) else 0.0
            rows.append(row(item.name, right, item.breakdown.angle))
            if (square := item.breakdown.aspects["square"]).angle is not None:
                rows.append(row(f"{item.name}, square", None, square.angle))
    text = (
        "Between the long sides of right detections and of their objects. Which side of a square object is the long "
        "one is a matter of chance: square objects also stand apart, and one column does not mind which side is long."
    )
    return _section("Angles", text, _table(("class", *ANGLE_TITLES), rows))


def _parts(report: Report, field: str, title: str, text: str) -> str:
    """Return average precision by size or shape."""
    names = SIZES if field == "sizes" else ASPECTS

    def cell(part: Part) -> str:
        return f"{_number(part.map50_area)} ({part.truths:,})" if part.truths else "-"

    rows = [
        (item.name, *(cell(getattr(item.breakdown, field)[name]) for name in names))
        for item in report.classes
        if item.breakdown is not None
    ]
    text += " AP50, area form, and in brackets the number of objects; others are ignored."
    return _section(title, text, _table(("class", *names), rows))


def _confusion(report: Report) -> str:
    """Return which class is taken for which."""
    if report.confusion is None:
        return ""
    names = [item.name for item in report.classes]
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in (*names, "missed"))
    rows = []
    for name, counts in zip((*names, "nothing there"), report.confusion.tolist(), strict=True):
        whole = max(1, sum(counts))
        cells = "".join(f'<td class="s{-(-count * 5 // whole)}">{count or ""}</td>' for count in counts)
        rows.append(f"<tr><th>{html.escape(name)}</th>{cells}</tr>")
    top = f"<thead><tr><th>object \\ found as</th>{heads}</tr></thead>"
    table = f'<table class="matrix">{top}<tbody>{"".join(rows)}</tbody></table>'
    text = (
        "Detections from the best score of their class on, each against the object of any class that it overlaps most."
    )
    return _section("Classes taken for others", text, f'<div class="scroll">{table}</div>')


def _pictures(wrong: Sequence[JudgedImage]) -> str:
    """Return pictures of the images with most errors."""
    known = sorted((item for item in wrong if item.image is not None), key=lambda item: -int((item.verdicts > 0).sum()))
    if not known:
        text = "Nothing is false or missed." if not wrong else "Where the pixels of the images are is not known."
        return _section("Errors", text, "")
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for item in known[:MOST_PICTURES]:
            picture = Path(folder) / "picture.jpg"
            draw_judged(item, picture, View(longest_side=PICTURE_SIDE))
            right, false, missed = (int((item.verdicts == verdict).sum()) for verdict in range(3))
            caption = f"{html.escape(item.name)}: {right} right, {false} false, {missed} missed"
            source = _data("image/jpeg", picture.read_bytes())
            figures.append(f'<figure><img alt="{caption}" src="{source}"><figcaption>{caption}</figcaption></figure>')
    text = f"The {len(figures)} of {len(wrong):,} images with errors that have most of them, at the best scores."
    return _section("Errors", text, f'<div class="pictures">{"".join(figures)}</div>')


def _section(title: str, text: str, content: str) -> str:
    return f"<h2>{title}</h2><p>{text}</p>{content}"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table whose first column names the rows."""
    top = "".join(f"<th>{html.escape(head)}</th>" for head in heads)
    body = "".join(
        f"<tr><th>{html.escape(first)}</th>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
        for first, *cells in rows
    )
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _ranges(ranges: Ranges) -> str:
    """Return ranges for people."""
    return "; ".join(
        f"{name} {f'from {low:g}' if high == float('inf') else f'below {high:g}'}"
        for name, (low, high) in ranges.items()
    )


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
