"""The process that leads a run: it hands out batches, merges each scene when it is complete, and publishes it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import numpy as np

from swathe.detections import Detections, SceneInfo
from swathe.detectors.protocol import DetectorSpec
from swathe.engine.events import (
    BatchFinished,
    BatchRetried,
    Progress,
    RunPlanned,
    RunSummary,
    SceneFailed,
    SceneMerged,
)
from swathe.engine.executor import Executor
from swathe.engine.ledger import Ledger, SceneRecord, sources
from swathe.engine.limits import too_many_objects
from swathe.engine.parts import Part
from swathe.engine.plan import Plan
from swathe.engine.predecessors import Predecessor, scene_keys, taken_over
from swathe.engine.raw import RawDetections
from swathe.engine.sweep import merge_parts
from swathe.engine.task import BatchJob, BatchResult, Retry, Work
from swathe.errors import StoreError
from swathe.raster.origins import redacted
from swathe.raster.scene import Scene
from swathe.store.published import Store


class Leader:
    """The state of one run in the process that leads it: counts and which batches are missing, no detections."""

    def __init__(self, plan: Plan, detector: DetectorSpec, store: Store, ledger: Ledger, tell: Progress) -> None:
        self._plan, self._detector, self._store, self._ledger, self._tell = plan, detector, store, ledger, tell
        self._scenes = {scene.id: number for number, scene in enumerate(plan.scenes)}
        self._keys = scene_keys(plan)
        self._records: dict[int, SceneRecord] = {}
        self._failed: dict[str, str] = {}
        self._failed_before: set[int] = set()
        self._missing: dict[int, set[int]] = {}
        self._missing_windows: Counter[int] = Counter()  # of each scene, in its missing batches
        self._done_windows = self._resumed_windows = self._lost_windows = 0
        self._workers = 0

    def carry_out(self, executor: Executor, reader: str, inherited: Mapping[int, Predecessor]) -> None:
        """Do all that is missing and publish each scene as it is complete; inherited ones last, all at once."""
        self._workers = executor.workers
        self._take_stock(inherited)
        self._tell(
            RunPlanned(
                run=self._plan.run,
                scenes=len(self._scenes),
                windows=self._plan.windows,
                resumed_windows=self._resumed_windows,
                resumed_scenes=len(self._scenes) - len(self._missing),
                workers=executor.workers,
                memory_bytes=self._plan.memory(executor.workers).total,
            )
        )
        for number in [number for number, missing in self._missing.items() if not missing]:
            self._finish_scene(number)
        work = Work(self._detector, self._plan.settings, self._ledger.folder, reader)
        # Closing ends the workers at once, also when this process is interrupted.
        with closing(executor.run(self._jobs(), work)) as results:
            for result in results:
                if isinstance(result, Retry):
                    self._tell(BatchRetried(self._plan.batch(result.batch).scene, result.reason))
                elif result.error is not None:
                    self._give_up(result.batch, result.error)
                else:
                    self._take(result)
        for number in sorted(set(range(len(self._plan.scenes))).difference(self._records, self._missing)):
            self._take_over(number, inherited[number])

    def sources(self) -> dict[str, Any]:
        """Return what later runs must know of the published scenes."""
        return sources(self._records[number] for number in sorted(self._records))

    def summary(self, seconds: float) -> RunSummary:
        """Add up the published scenes."""
        records = [self._records[number] for number in sorted(self._records)]
        per_class = dict.fromkeys(self._detector.classes, 0)
        for record in records:
            for name, count in record.per_class.items():
                per_class[name] += count
        return RunSummary(
            run=self._plan.run,
            windows=self._plan.windows,
            skipped=sum(record.skipped for record in records),
            seconds=seconds,
            detections=sum(record.detections for record in records),
            per_class=per_class,
            files=tuple(self._store.scene_path(self._plan.run, record.scene) for record in records),
            resumed_windows=self._resumed_windows,
            lost_windows=self._lost_windows,
            failed=dict(self._failed),
        )

    def _take_stock(self, inherited: Mapping[int, Predecessor]) -> None:
        """Find out what an earlier call, or an earlier run, has finished."""
        begun = self._ledger.batches_with_part()  # a new run of a million batches looks for no file of them
        for number in range(len(self._plan.scenes)):
            record = self._ledger.scene_record(number)
            if record is not None and self._store.scene_path(self._plan.run, record.scene).exists():
                self._records[number] = record
                self._resumed_windows += record.windows
                continue
            if number in inherited:
                self._resumed_windows += self._plan.scene_windows(number)
                continue
            if self._ledger.has_failed(number):
                self._failed_before.add(number)
            missing = self._missing[number] = set()
            resumed = 0
            for index in self._plan.scene_batches(number):
                if index not in begun or self._ledger.part(index) is None:
                    missing.add(index)
                else:
                    resumed += self._plan.batch(index).count
            self._missing_windows[number] = self._plan.scene_windows(number) - resumed
            self._resumed_windows += resumed
        self._done_windows = self._resumed_windows

    def _jobs(self) -> Iterator[BatchJob]:
        """Yield what is missing, in the order of the plan; batches of scenes that failed meanwhile are left out."""
        for number, missing in list(self._missing.items()):
            scene = self._plan.scenes[number]
            for index in sorted(missing):
                if scene.id in self._failed:
                    break
                yield BatchJob(self._plan.batch(index), scene)

    def _give_up(self, index: int, reason: str) -> None:
        """Count the scene of a batch as failed; batches of it that are in work may still come in."""
        scene = self._plan.batch(index).scene
        if scene not in self._failed:
            self._failed[scene] = reason
            self._ledger.fail_scene(self._scenes[scene], reason)
            lost = self._missing_windows[self._scenes[scene]]
            self._lost_windows += lost
            self._tell(SceneFailed(scene, reason, lost))

    def _take(self, result: BatchResult) -> None:
        """Count a finished batch, and finish its scene if that was the last one."""
        batch = self._plan.batch(result.batch)
        self._done_windows += result.windows
        if batch.scene in self._failed:
            self._lost_windows -= result.windows
        self._tell(
            BatchFinished(
                scene=batch.scene,
                scale=batch.level.scale,
                windows=result.windows,
                skipped=result.skipped,
                detections=result.detections,
                done_windows=self._done_windows,
                total_windows=self._plan.windows - self._lost_windows,
            )
        )
        number = self._scenes[batch.scene]
        if number in self._failed_before and batch.scene not in self._failed:
            self._failed_before.remove(number)
            self._ledger.forget_failure(number)
        self._missing[number].discard(batch.index)
        self._missing_windows[number] -= batch.count
        if not self._missing[number] and batch.scene not in self._failed:
            self._finish_scene(number)

    def _finish_scene(self, number: int) -> None:
        """Merge a complete scene, publish it and close its account."""
        started = time.perf_counter()
        scene, windows = self._plan.scenes[number], self._plan.scene_windows(number)
        batches = self._plan.scene_batches(number)
        merged = merge_parts(self._part, batches, self._plan.settings, single=windows == 1)
        raw, kept = merged.raw, len(merged.kept)
        # The workers end when nothing is missing any more, before the last scene is merged.
        at_work = self._workers if any(self._missing.values()) else 0
        problem = too_many_objects(self._plan, scene.id, kept, at_work)
        if problem is not None:
            self._failed[scene.id] = problem
            self._tell(SceneFailed(scene.id, problem))
            return
        counts = np.bincount(merged.kept.classes, minlength=len(self._detector.classes)).tolist()
        per_class = dict(zip(self._detector.classes, counts, strict=True))
        record = SceneRecord(scene.id, windows, merged.skipped, kept, per_class, self._keys[number])
        detections = self._detections(scene, merged.kept)
        del merged  # the table holds its own copy
        self._store.publish_scene(self._plan.run, detections, scene_info(scene))
        self._ledger.close_scene(number, record)
        self._records[number] = record
        seconds = time.perf_counter() - started
        self._tell(SceneMerged(scene.id, raw, kept, seconds, len(self._records), len(self._scenes)))

    def _detections(self, scene: Scene, kept: RawDetections) -> Detections:
        """Make the table of a scene."""
        return Detections.from_arrays(
            kept.boxes,
            kept.scores,
            kept.classes,
            self._detector.classes,
            scene_info(scene),
            self._plan.run,
            cut=kept.cut,
            run_info=self._plan.description(),
        )

    def _take_over(self, number: int, earlier: Predecessor) -> None:
        """Publish what an earlier run found in a scene that is still the same."""
        info, windows = scene_info(self._plan.scenes[number]), self._plan.scene_windows(number)
        found = taken_over(self._plan, info, earlier, self._store)
        counts = Counter(found.classes.tolist())
        per_class = {name: counts[name] for name in self._detector.classes}
        self._store.publish_scene(self._plan.run, found, info)
        skipped = earlier.skipped[info.id]
        self._records[number] = SceneRecord(info.id, windows, skipped, len(found), per_class, self._keys[number])
        self._ledger.close_scene(number, self._records[number])

    def _part(self, index: int) -> Part:
        """Read the part of a finished batch."""
        part = self._ledger.part(index)
        if part is None:
            raise StoreError(
                f"{self._ledger.folder}: the part of {self._plan.batch(index).describe()} was damaged after it was "
                "written; check the disk, then run the same command again to redo it"
            )
        return part


def scene_info(scene: Scene) -> SceneInfo:
    """Return what travels with the detections of a scene."""
    return SceneInfo(
        id=scene.id,
        uri=redacted(scene.uri),
        width=scene.width,
        height=scene.height,
        crs=scene.crs,
        transform=scene.transform,
        acquired=scene.acquired,
    )
