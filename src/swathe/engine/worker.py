"""The worker: carries out jobs. Every executor runs this code, in whatever process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np

from swathe.detections import Detections
from swathe.detectors.protocol import Detector
from swathe.detectors.registry import open_detector
from swathe.engine.failure import describe_failure
from swathe.engine.identity import stored_scene
from swathe.engine.job import BatchJob, Job, JobResult, SceneJob, StripJob, Work
from swathe.engine.limits import too_many_objects
from swathe.engine.look import look_at
from swathe.engine.parts import Part
from swathe.engine.plan import Batch, ScenePlan, scene_info
from swathe.engine.raw import RawDetections
from swathe.engine.region import wanted
from swathe.engine.strips import MergedScene, Strip, Strips, merge_at_once, merge_or_cut, merge_strip, settle_open
from swathe.errors import MissingExtraError, ModelError, SourceError, StoreError, UsageError
from swathe.plugins import load
from swathe.raster.reader import Reader
from swathe.raster.scene import Scene
from swathe.stages import stage, take
from swathe.store import open_store
from swathe.store.protocol import Written

OpenReader = Callable[[Scene], Reader]
# Faults of the machine or of the model: the next scene would fare no better.
FATAL = (ModelError, MissingExtraError, StoreError, MemoryError)


class Worker:
    """Opens the detector once and readers as scenes come, and carries out jobs until closed."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._store = open_store(work.store)
        self._workspace = self._store.workspace(work.run)
        self._open_reader = load_factory(work.reader)
        # Batches come scene by scene, so one open reader serves; it holds file handles and caches.
        self._reader: Reader | None = None
        self._source: Scene | None = None
        self._detector: Detector | None = None

    def run(self, job: Job) -> JobResult:
        """Carry out a job. What it writes is the same however often it is done.

        Args:
            job: The job.

        Returns:
            Counts; or the reason, if anything about the scene goes wrong.

        Raises:
            ModelError: If the detector cannot be opened or fails.
            MissingExtraError: If the library of its backend is not installed.
            UsageError: If there is no such backend, or it cannot take such tiles.
            StoreError: If the workspace or the store cannot be written.
            MemoryError: If memory runs out.
        """
        if isinstance(job, BatchJob) or job.scene.batch_count == 1:
            self._open_detector()
        try:
            result = self._carry_out(job)
        except FATAL:
            raise
        except Exception as error:  # noqa: BLE001 whatever one scene causes must not end the others
            result = JobResult(job.scene.id, error=self._reason(job.scene, error))
        return replace(result, stages=take())

    def close(self) -> None:
        """Close the reader."""
        if self._reader is not None:
            self._reader.close()
        self._reader = self._source = None

    def _carry_out(self, job: Job) -> JobResult:
        if isinstance(job, BatchJob):
            return self._look(job)
        self.close()  # its memory is for the merge now
        with stage("merge"):
            if isinstance(job, StripJob):
                self._strip(job.scene, job.strip)
                return JobResult(job.scene.id)
            return self._finish(job)

    def _look(self, job: BatchJob) -> JobResult:
        """Look at a batch and put its part into the workspace."""
        part = (self._part if job.again else self._new_part)(job.scene, job.batch)
        return _looked_at(job.scene, job.batch, part)

    def _finish(self, job: SceneJob) -> JobResult:
        """Merge a scene and write it, or cut it into strips."""
        scene, settings = job.scene, self._work.settings
        if scene.batch_count == 1:
            (batch,) = scene.batches()
            alone = self._look_at(scene, batch)
            # A single window is stored as the detector gave it.
            kept = alone.raw if scene.windows == 1 else merge_at_once(alone.raw, settings)
            merged = MergedScene(kept, len(alone.raw), alone.skipped)
            return replace(_looked_at(scene, batch, alone), written=self._write(job, merged))
        if job.strips is None:
            size = scene.source.width, scene.source.height
            parts = (self._part(scene, batch) for batch in scene.batches())
            outcome = merge_or_cut(parts, size, settings, self._work.merge_rows)
            if isinstance(outcome, Strips):
                return JobResult(scene.id, strips=outcome)
        else:
            outcome = self._settle(scene, job.strips)
        return JobResult(scene.id, detections=outcome.raw, written=self._write(job, outcome))

    def _settle(self, scene: ScenePlan, strips: Strips) -> MergedScene:
        """Decide about what is open in all strips of a scene."""
        kept, opens = zip(*(self._strip(scene, strip) for strip in strips.strips), strict=True)
        last = settle_open(strips.strips, opens, self._work.settings)
        return MergedScene(RawDetections.concat([*kept, last]), strips.raw, strips.skipped)

    def _strip(self, scene: ScenePlan, strip: Strip) -> tuple[RawDetections, ...]:
        """Return what stays and what is open of a strip; it is merged unless that was done already."""
        names = [f"{scene.key}/{name}" for name in strip.names]
        there = [self._unpacked(name) for name in names]
        if None not in there:
            return tuple(part.raw for part in there if part is not None)
        wanted_batches, batches = set(strip.batches), enumerate(scene.batches())
        parts = (self._part(scene, batch) for place, batch in batches if place in wanted_batches)
        rows = merge_strip(parts, strip, self._work.settings)
        for name, raw in zip(names, rows, strict=True):
            self._workspace.put(name, Part(raw, 0).pack())
        return rows

    def _part(self, scene: ScenePlan, batch: Batch) -> Part:
        """Return the part of a batch; one that is not there, or damaged, is made again."""
        part = self._unpacked(scene.part(batch))
        return self._new_part(scene, batch) if part is None else part

    def _new_part(self, scene: ScenePlan, batch: Batch) -> Part:
        """Look at a batch, and put its part into the workspace."""
        part = self._look_at(scene, batch)
        with stage("write"):
            self._workspace.put(scene.part(batch), part.pack())
        return part

    def _unpacked(self, name: str) -> Part | None:
        """Return a part from the workspace; None if it is not there, or damaged."""
        data = self._workspace.get(name)
        return None if data is None else Part.unpack(data, len(self._work.detector.classes))

    def _look_at(self, scene: ScenePlan, batch: Batch) -> Part:
        detector, settings = self._open_detector(), self._work.settings
        if self._reader is None or self._source != scene.source:
            self.close()
            self._reader, self._source = self._open_reader(scene.source), scene.source
        part = look_at(scene.id, batch, self._reader, detector, settings)
        # A part must never hold pixels of two pictures, nor a scene parts of two.
        self._reader.check_unchanged()
        return part

    def _write(self, job: SceneJob, merged: MergedScene) -> Written:
        """Write what was found in a scene, and put down that it is written."""
        scene, names = job.scene, self._work.detector.classes
        kept = wanted(merged.kept, scene_info(scene.source), self._work.settings)
        problem = too_many_objects(scene.id, len(kept), job.memory)
        if problem is not None:
            raise SourceError(problem)
        counts = zip(names, np.bincount(kept.classes, minlength=len(names)).tolist(), strict=True)
        stored = replace(
            stored_scene(self._work.run, scene),
            state="complete",
            skipped=merged.skipped,
            per_class={name: count for name, count in counts if count},
        )
        found = Detections.from_arrays(
            kept.boxes,
            kept.scores,
            kept.classes,
            names,
            scene_info(scene.source),
            self._work.run,
            cut=kept.cut,
            run_info=self._work.about,
        )
        with stage("write"):
            written = self._store.write(stored, found)
            self._workspace.put(scene.record, written.to_json())
        return written

    def _open_detector(self) -> Detector:
        if self._detector is None:
            with stage("start"):
                self._detector = open_detector(self._work.detector)
        return self._detector

    def _reason(self, scene: ScenePlan, error: Exception) -> str:
        """Say why a scene failed: a file that is replaced meanwhile often looks damaged."""
        try:
            if self._reader is not None and self._source == scene.source:
                self._reader.check_unchanged()
        except SourceError as changed:
            return str(changed)
        return describe_failure(scene.source.uri, error)


def load_factory(name: str) -> OpenReader:
    """Find what opens readers.

    Args:
        name: "package.module:factory".

    Returns:
        The factory.

    Raises:
        UsageError: If there is no such factory.
    """
    try:
        return cast("OpenReader", load(name))
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"reader {name!r}: cannot be loaded ({error}); write it as package.module:factory") from error


def _looked_at(scene: ScenePlan, batch: Batch, part: Part) -> JobResult:
    return JobResult(scene.id, batch.level.level.scale, batch.count, part.skipped, len(part.raw), part.full)
