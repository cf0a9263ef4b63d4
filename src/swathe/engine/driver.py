"""The process that drives a run: it hands out jobs, counts, and commits what workers have written."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace

from swathe.engine.events import BatchFinished, BatchRetried, Progress, SceneFailed, SceneMerged
from swathe.engine.identity import Stock, stored_scene
from swathe.engine.job import BatchJob, Job, JobResult, Pool, Retry, SceneJob, StripJob
from swathe.engine.plan import Plan, ScenePlan
from swathe.engine.strips import Strips
from swathe.errors import StoreError
from swathe.stages import STAGES
from swathe.store.protocol import Store, StoredScene, Written

# Scenes that are written within so many seconds become visible in one step.
COMMIT_SECONDS = 1.0


class Driver:
    """The state of one call: counts and which batches are missing, no detections."""

    def __init__(self, plan: Plan, stock: Stock, store: Store, progress: Progress, memory: int | None) -> None:
        self._memory = memory  # bytes that the merge of a scene may take
        self._plan, self._store, self._progress = plan, store, progress
        self._names = stock.names
        self._todo = {scene.id: scene for scene in stock.todo}
        self._ready: deque[SceneJob | StripJob] = deque()  # merges whose parts are all there
        self._strips: dict[str, Strips] = {}  # scene id -> strips of a scene with many detections
        self._left_strips: Counter[str] = Counter()  # scene id -> strips that are not merged
        self._left: dict[str, int] = {}  # scene id -> batches without a part
        self._left_windows: Counter[str] = Counter()  # scene id -> windows that are not done
        self._raw: dict[str, int] = {}  # id of a written scene -> detections before the merge
        self._written: list[Written] = []  # to be committed
        self._failures: list[StoredScene] = []  # to be committed
        self._next_commit = time.monotonic() + COMMIT_SECONDS
        self._done_windows = self._total_windows = 0
        self.full_windows = 0  # of this call, in which the model had no room for more boxes
        self.stages = dict.fromkeys(STAGES, 0.0)  # seconds of all workers
        self.done = {scene.scene.id: scene for scene in stock.done}
        self.failed: dict[str, str] = {}
        self._take(stock)

    @property
    def lost_windows(self) -> int:
        """Windows of failed scenes that are not done."""
        return sum(self._left_windows[scene] for scene in self.failed)

    def carry_out(self, pool: Pool) -> None:
        """Do all that is missing, and commit each scene soon after it is written."""
        self._commit()
        while True:
            for result in pool.run(self._jobs()):
                if isinstance(result, Retry):
                    self._progress(BatchRetried(result.scene, result.reason))
                else:
                    self._count(result)
                if time.monotonic() >= self._next_commit:
                    self._commit()
            if not self._ready:
                break
        self._commit()

    def _take(self, stock: Stock) -> None:
        """Find out what earlier calls have left in the workspace."""
        self._total_windows = self._plan.windows
        self._done_windows = stock.resumed_windows()
        for scene in stock.todo:
            names = stock.names.get(scene.key, frozenset())
            record = self._record(scene) if scene.record in names else None
            if record is not None:
                self._written.append(record)
                continue
            self._left[scene.id], self._left_windows[scene.id] = scene.batch_count, scene.windows
            if names:
                there = [batch for batch in scene.batches() if scene.part(batch) in names]
                self._left[scene.id] -= len(there)
                self._left_windows[scene.id] -= sum(batch.count for batch in there)
            if not self._left[scene.id]:
                self._ready.append(SceneJob(scene, self._memory))
        self._ahead = self._unfinished()

    def _record(self, scene: ScenePlan) -> Written | None:
        """Return what a worker of an earlier call has written, and nobody has committed."""
        data = self._store.workspace(self._plan.run).get(scene.record)
        try:
            return None if data is None else Written.from_json(data)
        except StoreError:  # damaged
            return None

    def _unfinished(self) -> Iterator[Job]:
        """Yield what must be looked at, in the order of the plan; scenes that failed meanwhile are left out."""
        for scene in [scene for scene in self._todo.values() if self._left.get(scene.id)]:
            if scene.batch_count == 1:
                yield SceneJob(scene, self._memory)
                continue
            names = self._names.get(scene.key, frozenset())
            for batch in scene.batches():
                if scene.id in self.failed:
                    break
                if scene.part(batch) not in names:
                    yield BatchJob(scene, batch)

    def _jobs(self) -> Iterator[Job]:
        """Yield what can be done now, merges first; those that become possible later are for the next round."""
        while True:
            if self._ready:
                merge = self._ready.popleft()
                if merge.scene.id not in self.failed:
                    yield merge
            elif (job := next(self._ahead, None)) is not None:
                yield job
            else:
                return

    def _count(self, result: JobResult) -> None:
        """Take notice of a finished job."""
        scene = self._todo[result.scene]
        for name, seconds in result.stages.items():
            self.stages[name] += seconds
        if result.windows:
            self._done_windows += result.windows
            self.full_windows += result.full
            self._left_windows[scene.id] -= result.windows
            self._left[scene.id] -= 1
            self._progress(
                BatchFinished(
                    scene=scene.id,
                    scale=result.scale,
                    windows=result.windows,
                    skipped=result.skipped,
                    detections=result.detections,
                    done_windows=self._done_windows,
                    total_windows=self._total_windows - self.lost_windows,
                    full=result.full,
                )
            )
        if result.error is not None:
            self._fail(scene, result.error)
        elif result.written is not None:
            self._written.append(result.written)
            self._raw[scene.id] = result.detections
        elif result.strips is not None:
            self._cut(scene, result.strips)
        elif scene.id in self._strips:
            self._left_strips[scene.id] -= 1
            self._settle(scene)
        elif not self._left[scene.id] and scene.id not in self.failed:
            self._ready.append(SceneJob(scene, self._memory))

    def _cut(self, scene: ScenePlan, strips: Strips) -> None:
        """Have the strips of a scene merged, as far as no earlier call has done it."""
        names = self._names.get(scene.key, frozenset())
        self._strips[scene.id] = strips
        for strip in strips.strips:
            if not names.issuperset(f"{scene.key}/{name}" for name in strip.names):
                self._left_strips[scene.id] += 1
                self._ready.append(StripJob(scene, strip))
        self._settle(scene)

    def _settle(self, scene: ScenePlan) -> None:
        """Have a scene written when its strips are merged."""
        if not self._left_strips[scene.id]:
            self._ready.append(SceneJob(scene, self._memory, self._strips[scene.id]))

    def _fail(self, scene: ScenePlan, reason: str) -> None:
        """Count a scene as failed; batches of it that are in work may still come in."""
        if scene.id not in self.failed:
            self.failed[scene.id] = reason
            self._failures.append(replace(stored_scene(self._plan.run, scene), state="failed", reason=reason))
            self._progress(SceneFailed(scene.id, reason, self._left_windows[scene.id]))

    def _leftovers(self, scene: ScenePlan) -> Iterator[str]:
        """Yield the names in the workspace that are of no use once a scene is committed."""
        yield from self._names.get(scene.key, ())
        if scene.batch_count > 1:
            yield from map(scene.part, scene.batches())
        strips = self._strips.pop(scene.id, None)
        for strip in () if strips is None else strips.strips:
            yield from (f"{scene.key}/{name}" for name in strip.names)
        yield scene.record

    def _commit(self) -> None:
        """Make visible what is written, and clear away what is of no use after that."""
        self._next_commit = time.monotonic() + COMMIT_SECONDS
        written, failures, self._written, self._failures = self._written, self._failures, [], []
        if not written and not failures:
            return
        self._store.commit(self._plan.run, written, failures)
        scenes = [self._todo[one.scene.scene.id] for one in written]
        self._store.workspace(self._plan.run).drop(name for scene in scenes for name in self._leftovers(scene))
        for one in written:
            name = one.scene.scene.id
            self.done[name] = one.scene
            raw = self._raw.pop(name, one.scene.detections)
            total = self._plan.scene_count
            self._progress(SceneMerged(name, raw, one.scene.detections, len(self.done), total))
