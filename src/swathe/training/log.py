"""The log of a run: a line per step, a line per validation, and the curves drawn from them."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path

from swathe.errors import MissingExtraError, StoreError

STEPS = "steps.csv"
SCORES = "scores.jsonl"
CURVES = "curves.png"
STEP_COLUMNS = ("step", "epoch", "learning_rate", "alpha", "box", "objectness", "classes", "angle", "total")


class RunLog:
    """Writes the log of one run; what an interrupted run logged beyond its saved state is cut off."""

    def __init__(self, folder: Path, steps: int, *, is_writer: bool = True) -> None:
        """Open the log of a run that has made `steps` steps so far; only one process writes it."""
        self.folder = folder
        self._rows: list[list[str]] = []
        if is_writer:
            self._cut(steps)

    def _cut(self, steps: int) -> None:
        kept = [row for row in self.step_rows() if int(row["step"]) <= steps]
        lines = [list(STEP_COLUMNS), *([row[column] for column in STEP_COLUMNS] for row in kept)]
        scores = [row for row in self.score_rows() if row["step"] <= steps]
        try:
            with (self.folder / STEPS).open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(lines)
            text = "".join(json.dumps(row) + "\n" for row in scores)
            (self.folder / SCORES).write_text(text, encoding="utf-8")
        except OSError as error:
            raise StoreError(f"{self.folder}: cannot write the log of the run ({error.strerror})") from error

    def step_rows(self) -> list[dict[str, str]]:
        """Return the lines of all steps written so far."""
        path = self.folder / STEPS
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return [row for row in csv.DictReader(file) if row.get("total")]

    def score_rows(self) -> list[dict[str, float]]:
        """Return the lines of all validations."""
        path = self.folder / SCORES
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]

    def last_scores(self) -> dict[str, float]:
        """Return the scores of the last validation, or nothing."""
        rows = self.score_rows()
        return {name: value for name, value in rows[-1].items() if name.startswith("map")} if rows else {}

    def validations_since_best(self) -> int:
        """Return how many validations came after the first of the best ones; 0 without any."""
        scores = [row["map50_area"] for row in self.score_rows()]
        return len(scores) - 1 - scores.index(max(scores)) if scores else 0

    def step(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Log one step; written at the next `flush`."""
        self._rows.append([str(step), str(epoch), *(repr(values[column]) for column in STEP_COLUMNS[2:])])

    def flush(self) -> None:
        """Write the steps logged since the last time."""
        with (self.folder / STEPS).open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(self._rows)
        self._rows.clear()

    def epoch(self, step: int, epoch: int, seconds: float, scores: Mapping[str, float]) -> None:
        """Log one validation."""
        row = {"step": step, "epoch": epoch, "seconds": round(seconds, 1), **scores}
        with (self.folder / SCORES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def draw_curves(self) -> None:
        """Draw losses and scores over the steps.

        Raises:
            MissingExtraError: If matplotlib is not installed.
        """
        try:
            import matplotlib

            matplotlib.use("Agg")
            from matplotlib import pyplot
        except ImportError as error:
            raise MissingExtraError(library="matplotlib", extra="plot") from error
        self.flush()
        steps, scores = self.step_rows(), self.score_rows()
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
        for column in ("box", "objectness", "classes", "angle"):
            left.plot([int(row["step"]) for row in steps], [float(row[column]) for row in steps], label=column, lw=0.8)
        left.set(xlabel="optimiser step", ylabel="loss (mean over the step)", yscale="log", title="Training loss")
        left.legend()
        for name, label in (("map50_area", "mAP50 (area)"), ("map50_95_area", "mAP50:95 (area)")):
            right.plot([row["step"] for row in scores], [row[name] for row in scores], "o-", ms=3, label=label)
        right.set(xlabel="optimiser step", ylabel="validation crops", ylim=(0, 1), title="Averaged weights")
        if scores:
            right.legend()
        figure.savefig(self.folder / CURVES, dpi=110)
        pyplot.close(figure)
