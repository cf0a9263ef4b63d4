"""Draws the figures of the explanations from the code they explain: boxes, the circular smooth label, the merge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from swathe import boxes as box_math
from swathe.engine.seam import merge

IMAGES = Path(__file__).resolve().parent / "images"
INK, WHOLE, CUT, WINDOW, PALE = "#37474f", "#00796b", "#d84315", "#5c6bc0", "#b0bec5"


def draw_boxes(axes: Any) -> None:
    """Draw three canonical boxes with their numbers, and where theta is measured from."""
    shown = np.array(
        [[90.0, 95.0, 120.0, 50.0, np.radians(30)], [270.0, 95.0, 120.0, 50.0, np.radians(-60)], [430, 95, 70, 70, 0.0]]
    )
    for box, polygon in zip(shown, box_math.to_polygons(shown), strict=True):
        cx, cy, w, h, theta = box
        axes.fill(*polygon.T, facecolor=WHOLE + "22", edgecolor=WHOLE, linewidth=1.6)
        axes.plot([cx, cx + w / 2], [cy, cy], color=PALE, linewidth=1, linestyle="--")
        axes.annotate(
            "",
            (cx + np.cos(theta) * w / 2, cy + np.sin(theta) * w / 2),
            (cx, cy),
            arrowprops={"arrowstyle": "-|>", "color": CUT, "shrinkA": 0, "shrinkB": 0},
        )
        axes.plot(*polygon[0], marker="o", color=INK, markersize=4)
        label = f"w {w:.0f}, h {h:.0f}\ntheta {np.degrees(theta):.0f}° = {theta:.3f} rad"
        axes.text(cx, 190, label, ha="center", va="top", color=INK, fontsize=9)
    axes.annotate("", (60, -18), (0, -18), arrowprops={"arrowstyle": "-|>", "color": INK}, annotation_clip=False)
    axes.annotate("", (-18, 60), (-18, 0), arrowprops={"arrowstyle": "-|>", "color": INK}, annotation_clip=False)
    axes.text(64, -18, "x", va="center", color=INK)
    axes.text(-18, 72, "y", ha="center", color=INK)
    axes.set(xlim=(-30, 500), ylim=(235, -30), aspect="equal")
    axes.axis("off")


def draw_angle_label(axes: Any) -> None:
    """Draw the smoothed label of an angle close to the end of the scale, where it wraps around."""
    import torch

    from swathe.model.csl import encode

    theta = np.radians(88.3)
    label = encode(torch.tensor([theta], dtype=torch.float64))[0].numpy()
    degrees = np.arange(180) - 90
    for low, high, side in ((-90, -78, axes[0]), (78, 90, axes[1])):
        chosen = (degrees >= low) & (degrees < high)
        side.bar(degrees[chosen] + 0.5, label[chosen], width=0.9, color=WHOLE)
        side.set(xlim=(low, high), ylim=(0, 1.08), xlabel="bin, degrees")
        side.spines[["top", "right"]].set_visible(False)
    axes[1].axvline(88.3, color=CUT, linewidth=1.2)
    axes[1].text(87.9, 1.03, "88.3°", color=CUT, ha="right", fontsize=9)
    axes[0].set_ylabel("label")


def draw_merge(axes: Any) -> None:
    """Draw what two windows find of two objects, and what the merge leaves of it."""
    objects = np.array([[150.0, 60.0, 90.0, 30.0, np.radians(20)], [122.0, 125.0, 44.0, 22.0, np.radians(-35)]])
    piece = np.array([[126.0, 51.6, 48.0, 32.0, np.radians(20)]])
    second_view = objects[1:] + np.array([1.5, -1.0, 2.0, 1.0, 0.02])
    found = np.concatenate([objects, piece, second_view])
    scores, cut = np.array([0.83, 0.91, 0.88, 0.74]), np.array([False, False, True, False])
    kept = set(merge(found, scores, np.zeros(4, np.int64), cut).tolist())
    for side, numbers, title in (
        (axes[0], range(len(found)), "what the windows found"),
        (axes[1], sorted(kept), "what is kept"),
    ):
        for left, name in ((5, "window 1"), (95, "window 2")):
            side.add_patch(_rectangle(left, 5, 145 if left == 5 else 135, 165, WINDOW))
            side.text(left + 4, 166, name, color=WINDOW, fontsize=8)
        for number in numbers:
            colour = CUT if cut[number] else WHOLE
            (polygon,) = box_math.to_polygons(found[number : number + 1])
            side.fill(*polygon.T, facecolor=colour + "22", edgecolor=colour, linewidth=1.4)
            below = number >= len(objects)  # second views: their score goes where it hides no other
            x, y = polygon[np.argmax(polygon[:, 1]) if below else np.argmin(polygon[:, 1])]
            side.text(x, y + (9 if below else -3), f"{scores[number]:.2f}", color=colour, fontsize=8, ha="center")
        side.set(xlim=(0, 236), ylim=(176, 0), aspect="equal")
        side.set_title(title, fontsize=10, color=INK)
        side.axis("off")


def _rectangle(left: float, top: float, width: float, height: float, colour: str) -> Any:
    """Return the outline of a window."""
    from matplotlib.patches import Rectangle

    return Rectangle((left, top), width, height, fill=False, edgecolor=colour, linewidth=1, linestyle=(0, (4, 3)))


def main() -> None:
    """Draw all figures; equal code gives equal files."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "swathe", "svg.fonttype": "path", "text.color": INK})
    import matplotlib.pyplot as plt

    figures: list[tuple[str, int, tuple[float, float], Callable[[Any], None]]] = [
        ("boxes.svg", 1, (7.2, 3.4), draw_boxes),
        ("angle-label.svg", 2, (7.2, 2.4), draw_angle_label),
        ("merge.svg", 2, (7.2, 3.1), draw_merge),
    ]
    for name, columns, size, draw in figures:
        figure, axes = plt.subplots(1, columns, figsize=size, layout="constrained", facecolor="white")
        draw(axes)
        figure.savefig(IMAGES / name, metadata={"Date": None})
        plt.close(figure)


if __name__ == "__main__":
    main()
