"""The ledger of an unfinished run: what is done stays done, whatever ends the process.

It is a folder with a lock, the plan, one part file per finished batch, one record per stored scene and a mark per scene
that failed. A batch counts as finished when its part can be read back whole; a scene when its record is there, and then
its parts are gone.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from swathe.atomic import not_written, published_file, remove_leftovers
from swathe.engine.parts import Part, part_path, read_part
from swathe.engine.plan import Plan
from swathe.errors import StoreError
from swathe.store.lock import take_run_lock

PLAN_NAME = "plan.json"


@dataclass(frozen=True)
class SceneRecord:
    """A scene that is merged and published."""

    scene: str  # scene id
    windows: int  # windows of all its levels
    skipped: int  # of these, without data
    detections: int  # rows published
    per_class: Mapping[str, int]  # rows per class name, every class of the model listed
    key: str  # tells whether the file is still the same, see `swathe.engine.predecessors`


class Ledger:
    """Keeps the account of one run; use it as a context manager, which holds the lock."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self._plan = plan
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Take the lock and clear away what is of no use.

        Returns:
            The ledger.

        Raises:
            StoreError: If another process works on this run, or the folder cannot be used.
        """
        self._lock = take_run_lock(self.folder)
        try:
            self._prepare()
        except OSError as error:
            self._release()
            raise StoreError(not_written(self.folder, error)) from error
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back; the account stays for the next time."""
        self._release()

    def batches_with_part(self) -> frozenset[int]:
        """Return the indexes of batches of which there is a part, whole or not; one look at the folder for all."""
        return frozenset(_number(path) for path in self.folder.glob("part-*[0-9].npz") if path.stem[5:].isdecimal())

    def part(self, batch: int) -> Part | None:
        """Return what a finished batch gave, None if it is not finished.

        Args:
            batch: Index of the batch.

        Returns:
            The part, if it is there and whole.

        Raises:
            StoreError: If the part may not be read.
        """
        detector = self._plan.detector
        return (
            read_part(self.folder, batch) if detector is None else read_part(self.folder, batch, len(detector.classes))
        )

    def scene_record(self, number: int) -> SceneRecord | None:
        """Return the record of a published scene, None if it is not published.

        Args:
            number: Place of the scene in the plan.

        Returns:
            The record; None also if it is damaged, so that the scene is done again.
        """
        try:
            values = json.loads(self._record_path(number).read_text(encoding="utf-8"))
            return SceneRecord(**values)
        except (OSError, ValueError, TypeError):
            return None

    def close_scene(self, number: int, record: SceneRecord) -> None:
        """Write down that a scene is published and drop its parts.

        Args:
            number: Place of the scene in the plan.
            record: What was published.

        Raises:
            StoreError: If the record cannot be written.
        """
        with published_file(self._record_path(number), overwrite=True) as stream:
            stream.write(json.dumps(asdict(record), sort_keys=True).encode())
        for batch in self._plan.scene_batches(number):
            self._drop(part_path(self.folder, batch))

    def fail_scene(self, number: int, reason: str) -> None:
        """Write down that a scene was given up, so that what is done of it need not be kept for its own sake.

        Args:
            number: Place of the scene in the plan.
            reason: Why, for whoever looks into the folder.

        Raises:
            StoreError: If it cannot be written.
        """
        with published_file(self._mark_path(number), overwrite=True) as stream:
            stream.write(json.dumps({"scene": self._plan.scenes[number].id, "reason": reason}).encode())

    def has_failed(self, number: int) -> bool:
        """Return whether a scene, given its place in the plan, was given up when it was last looked at."""
        return self._mark_path(number).exists()

    def forget_failure(self, number: int) -> None:
        """Take back that a scene was given up, since it can be read again.

        Args:
            number: Place of the scene in the plan.

        Raises:
            StoreError: If that cannot be written.
        """
        self._drop(self._mark_path(number))

    def _drop(self, path: Path) -> None:
        """Remove a file that is of no use any more."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(not_written(path, error)) from error

    def _record_path(self, number: int) -> Path:
        return self.folder / f"scene-{number:09d}.json"

    def _mark_path(self, number: int) -> Path:
        return self.folder / f"failed-{number:09d}.json"

    def _prepare(self) -> None:
        remove_leftovers(self.folder, "")
        layout = json.dumps({**self._plan.layout(), **self._plan.description()}, sort_keys=True).encode()
        path = self.folder / PLAN_NAME
        if path.is_file() and path.read_bytes() == layout:
            return
        # Parts of another layout, written by another version, belong to other windows.
        for pattern in ("part-*", "scene-*", "failed-*"):
            for old in self.folder.glob(pattern):
                old.unlink(missing_ok=True)
        with published_file(path, overwrite=True) as stream:
            stream.write(layout)

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def read_account(folder: Path) -> dict[str, Any] | None:
    """Read what the ledger of an unfinished run says, in the form of a manifest.

    Args:
        folder: Ledger folder.

    Returns:
        Settings, detector, scenes and, for each published scene, its key and windows without data; under "begun" the
        scenes that are neither published nor given up, and of which a batch is finished. None if there is no ledger, or
        it is damaged.
    """
    try:
        account: dict[str, Any] = json.loads((folder / PLAN_NAME).read_text(encoding="utf-8"))
        texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("scene-*.json"))]
        known = sources(SceneRecord(**json.loads(text)) for text in texts)
        failed = {account["scenes"][_number(path)] for path in folder.glob("failed-*.json")}
        begun = _with_parts(folder, account["levels"]) - failed - known.keys()
        return {**account, "sources": known, "begun": sorted(begun)}
    except (OSError, ValueError, TypeError, LookupError):
        return None


def holds_work(folder: Path) -> bool:
    """Tell whether a ledger holds anything that a later call need not do again.

    Args:
        folder: Ledger folder; it need not exist.

    Returns:
        Whether there is a finished batch or a published scene.
    """
    return any(next(folder.glob(pattern), None) for pattern in ("part-*", "scene-*"))


def _with_parts(folder: Path, levels: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the scenes of which batches are finished, given the levels of the plan."""
    firsts = [level["first_batch"] for level in levels]
    batches = (_number(path) for path in folder.glob("part-*.npz"))
    return {levels[bisect_right(firsts, batch) - 1]["scene"] for batch in batches}


def _number(path: Path) -> int:
    """Return the number in the name of a file of the ledger."""
    return int(path.stem.partition("-")[2])


def sources(records: Iterable[SceneRecord]) -> dict[str, Any]:
    """Return what later runs must know of scenes to take them over.

    Args:
        records: Published scenes.

    Returns:
        Scene id -> key and windows without data, JSON values.
    """
    return {record.scene: {"key": record.key, "skipped": record.skipped} for record in records}
