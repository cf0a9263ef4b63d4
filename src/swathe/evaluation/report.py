"""The result of an evaluation: per class and as means, for people (table, curves) and for programs (JSON)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from swathe.atomic import published_file
from swathe.errors import MissingExtraError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    from matplotlib.figure import Figure

    from swathe.evaluation.average_precision import Curve, Working
    from swathe.evaluation.breakdown import Breakdown
    from swathe.evaluation.judged import Judged, JudgedImage

MEASURES = ("map50_voc07", "map50_area", "map75_area", "map50_95_area")
TITLES = ("AP50 VOC07", "AP50 area", "AP75 area", "AP50:95 area")


@dataclass(frozen=True)
class ClassReport:
    """Average precision of one class; None where it is undefined because no ground truth counts."""

    name: str
    truths: int  # ground truths that count, difficult ones left out
    difficult: int  # ground truths that are ignored
    detections: int  # detections in labelled images, those on difficult ground truth included
    map50_voc07: float | None = None  # IoU > 0.5, 11-point form
    map50_area: float | None = None  # IoU > 0.5, area form
    map75_area: float | None = None  # IoU > 0.75, area form
    map50_95_area: float | None = None  # area form, mean over IoU > 0.50, 0.55, ..., 0.95
    curve: Curve | None = None  # precision over recall at IoU > 0.5
    best: Working | None = None  # at the score with the best balance of both; None if nothing is right
    judged: Judged | None = None  # the objects behind `best`
    breakdown: Breakdown | None = None  # errors of the angle, precision by size and shape

    def to_json(self) -> dict[str, Any]:
        """Return the numbers without the curve, ready for `json.dumps`."""
        best = self.best
        return {
            **{measure: getattr(self, measure) for measure in MEASURES},
            "truths": self.truths,
            "difficult": self.difficult,
            "detections": self.detections,
            "best_score": None if best is None else best.score,
            "missed": self.missed,
            "false": self.false,
            **({"angle": None, "sizes": {}, "aspects": {}} if self.breakdown is None else asdict(self.breakdown)),
        }

    @property
    def missed(self) -> int:
        """Ground truths that no detection from the best score on finds."""
        return self.truths if self.best is None else self.best.missed

    @property
    def false(self) -> int:
        """Detections from the best score on that find no ground truth."""
        return 0 if self.best is None else self.best.false


@dataclass(frozen=True)
class Report:
    """An evaluation over a whole class list."""

    classes: tuple[ClassReport, ...]  # in the order of the class list
    images: int  # labelled images
    difficult_as_normal: bool  # whether difficult ground truth was counted, as DOTA v1.5 does
    notes: tuple[str, ...] = ()  # what was left out of the numbers, and why
    wrong: tuple[JudgedImage, ...] = ()  # images in which something is false or missed at the best scores
    confusion: npt.NDArray[np.int64] | None = None  # at the best scores, see `swathe.evaluation.breakdown.confusion`

    @property
    def map50_voc07(self) -> float | None:
        """Mean over the classes at IoU > 0.5, 11-point form; None if no class has ground truth."""
        return _mean(item.map50_voc07 for item in self.classes)

    @property
    def map50_area(self) -> float | None:
        """Mean over the classes at IoU > 0.5, area form; None if no class has ground truth."""
        return _mean(item.map50_area for item in self.classes)

    @property
    def map75_area(self) -> float | None:
        """Mean over the classes at IoU > 0.75, area form; None if no class has ground truth."""
        return _mean(item.map75_area for item in self.classes)

    @property
    def map50_95_area(self) -> float | None:
        """Mean over the classes and IoU > 0.50, 0.55, ..., 0.95, area form; None if no class has ground truth."""
        return _mean(item.map50_95_area for item in self.classes)

    def to_json(self) -> dict[str, Any]:
        """Return the report without its curves, ready for `json.dumps`; undefined values are null."""
        return {
            **{measure: getattr(self, measure) for measure in MEASURES},
            "classes": {item.name: item.to_json() for item in self.classes},
            "images": self.images,
            "difficult_as_normal": self.difficult_as_normal,
            "notes": list(self.notes),
            "confusion": None if self.confusion is None else self.confusion.tolist(),
        }

    def as_table(self) -> str:
        """Return the report as lines of text, one per class and one for the means."""
        width = max([len("mean over classes"), *(len(item.name) for item in self.classes)])
        titles = "".join(f"{title:>14}" for title in TITLES)
        lines = [f"{'class':<{width}}{'truths':>9}{'found':>9}{titles}{'best score':>12}{'missed':>9}{'false':>9}"]
        for item in (*self.classes, None):
            values = "".join(f"{_rounded(getattr(item or self, measure)):>14}" for measure in MEASURES)
            if item is None:
                truths, found, missed, false = (
                    sum(getattr(one, name) for one in self.classes)
                    for name in ("truths", "detections", "missed", "false")
                )
                lines.append("-" * len(lines[0]))
                ends = f"{'':>12}{missed:>9}{false:>9}"
                lines.append(f"{'mean over classes':<{width}}{truths:>9}{found:>9}{values}{ends}")
            else:
                ends = f"{_rounded(item.best.score if item.best else None):>12}{item.missed:>9}{item.false:>9}"
                lines.append(f"{item.name:<{width}}{item.truths:>9}{item.detections:>9}{values}{ends}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def draw_curves(self, path: Path) -> None:
        """Draw precision over recall at IoU > 0.5, a line per class.

        Args:
            path: Picture to write, replaced if it exists; its suffix chooses the format, PNG without one.

        Raises:
            MissingExtraError: If matplotlib is not installed.
            StoreError: If the picture cannot be written.
        """
        figure = self.figure()
        try:
            with published_file(path, overwrite=True) as stream:
                figure.savefig(stream, format=path.suffix.lower()[1:] or "png")
        except ValueError as error:
            raise StoreError(f"{path}: cannot write the picture ({error}); use .png, .svg or .pdf") from error

    def figure(self) -> Figure:
        """Draw precision over recall at IoU > 0.5, a line per class.

        Returns:
            The figure.

        Raises:
            MissingExtraError: If matplotlib is not installed.
        """
        try:
            import matplotlib
        except ImportError as error:
            raise MissingExtraError(library="matplotlib", extra="plot") from error
        with matplotlib.rc_context({"text.parse_math": False}):  # a class may have dollars in its name
            return self._figure()

    def _figure(self) -> Figure:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 5), layout="constrained")
        axes = figure.add_subplot(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        for item in self.classes:
            if item.curve is not None:
                axes.plot(item.curve.recall, item.curve.precision, label=f"{item.name} {_rounded(item.map50_area)}")
        axes.set_title("Precision over recall at IoU > 0.5 (AP, area form)")
        if any(item.curve is not None for item in self.classes):
            axes.legend(fontsize="small")
        axes.grid(visible=True, alpha=0.3)
        return figure


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are defined, None if there is none."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def _rounded(value: float | None) -> str:
    """Return a number as the table shows it."""
    return "-" if value is None else f"{value:.4f}"
