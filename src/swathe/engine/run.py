"""A whole run: plan, look at what earlier runs have left, let the leader work, commit."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from swathe.detectors.protocol import DetectorSpec
from swathe.engine.events import Progress, ProgressEvent, RunFinished, RunSummary
from swathe.engine.executor import Executor
from swathe.engine.leader import Leader
from swathe.engine.ledger import Ledger, holds_work
from swathe.engine.limits import check_memory
from swathe.engine.local import choose_executor
from swathe.engine.plan import Plan, make_plan
from swathe.engine.predecessors import covers, find_predecessors, heirlooms
from swathe.engine.settings import RunSettings
from swathe.engine.succession import forget_successor, name_successor, remove_empty, remove_succeeded
from swathe.errors import UsageError
from swathe.raster.scene import Scene
from swathe.store.lock import run_lock
from swathe.store.published import Store

RASTER_READER = "swathe.raster.reader:RasterReader"


def run_detection(
    scenes: Sequence[Scene],
    detector: DetectorSpec,
    store: Store,
    settings: RunSettings,
    *,
    progress: Progress | None = None,
    executor: Executor | None = None,
    reader: str = RASTER_READER,
) -> RunSummary:
    """Detect objects in scenes and put them into a store; an unfinished run of the same plan is resumed.

    Args:
        scenes: What to look at; ids must be unique.
        detector: The model.
        store: Where the detections go. A scene can be read from it as soon as it is complete.
        settings: How to cut and merge, and with how many workers.
        progress: Called in this process with each event; the last one carries the summary.
        executor: Who does the work; chosen by `settings.workers` if not given.
        reader: "package.module:factory" of what opens readers for scenes.

    Returns:
        What was done. Scenes that could not be read are listed under `failed`; the run is then left unfinished, so that
        running it again tries these scenes once more.

    Raises:
        UsageError: If there are no scenes, ids are not unique, or the run needs more memory than it may take.
        ModelError: If the model cannot be opened or fails.
        StoreError: If the store cannot be written, or another process works on the same run.
        SwatheError: If a worker process ends unexpectedly; what is finished is kept.
        KeyboardInterrupt: On Ctrl-C; what is finished is kept.
    """
    return run_plan(make_plan(scenes, settings, detector), store, progress=progress, executor=executor, reader=reader)


def run_plan(
    plan: Plan,
    store: Store,
    *,
    progress: Progress | None = None,
    executor: Executor | None = None,
    reader: str = RASTER_READER,
    supersede: bool = True,
) -> RunSummary:
    """Carry out a plan; see `run_detection`.

    Args:
        plan: Made with a detector.
        store: Where the detections go.
        progress: Called in this process with each event.
        executor: Who does the work; chosen by the plan's settings if not given.
        reader: "package.module:factory" of what opens readers for scenes.
        supersede: Remove earlier finished runs of which nothing is lost by it: those of the same model and settings
            whose scenes are all in this run, unchanged. Unfinished ones are removed in any case.

    Returns:
        What was done.

    Raises:
        UsageError: If the plan has no detector, or needs more memory than it may take.
        ModelError: If the model cannot be opened or fails.
        StoreError: If the store cannot be written, or another process works on the same run.
        SwatheError: If a worker process ends unexpectedly.
        KeyboardInterrupt: On Ctrl-C.
    """
    if plan.detector is None:
        raise UsageError("this plan only counts windows; make it with a detector to run it")
    started = time.perf_counter()
    executor = executor or choose_executor(plan.settings.workers)
    tell = progress or _ignore
    remove_succeeded(store)
    finished = store.manifest(plan.run)
    if finished is None:
        check_memory(plan, executor.workers)
        earlier = find_predecessors(plan, store)
        with Ledger(store.work_folder(plan.run), plan) as ledger:
            forget_successor(store, plan.run)
            remove_empty(store, plan.run)
            leader = Leader(plan, plan.detector, store, ledger, tell)
            leader.carry_out(executor, reader, heirlooms(plan, earlier))
            summary = leader.summary(time.perf_counter() - started)
            _succeed_others(plan, store, finished_too=supersede)
            if not summary.failed:
                store.commit(plan.run, _manifest(plan, summary, leader.sources()))
            elif not holds_work(ledger.folder):
                store.discard_work(plan.run)
    else:
        _clear_away(store, plan.run)
        _succeed_others(plan, store, finished_too=False)
        summary = _summary_of_finished(plan, store, finished, time.perf_counter() - started)
    remove_succeeded(store)
    tell(RunFinished(summary))
    return summary


def _succeed_others(plan: Plan, store: Store, *, finished_too: bool) -> None:
    """Write down which other runs are to go, because the plan's own holds what they hold."""
    for other in find_predecessors(plan, store):  # not those of before: somebody may be working on one of them by now
        if covers(plan, other) and (finished_too or store.manifest(other.run) is None):
            name_successor(store, other.run, plan.run)


def _clear_away(store: Store, run: str) -> None:
    """Remove the ledger of a finished run, which a call that ended between commit and removal has left."""
    folder = store.work_folder(run)
    if folder.exists():
        with run_lock(folder):
            store.discard_work(run)


def _ignore(event: ProgressEvent) -> None:
    """Take no notice of progress."""


def _manifest(plan: Plan, summary: RunSummary, account: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a finished run for the store; nothing in it depends on when, where or in how many tries it ran."""
    return {
        "run": plan.run,
        **plan.description(),
        "scenes": [scene.id for scene in plan.scenes],
        "value_ranges": {scene.id: list(scene.value_range) for scene in plan.scenes if scene.value_range is not None},
        "windows": summary.windows,
        "skipped": summary.skipped,
        "detections": summary.detections,
        "per_class": dict(summary.per_class),
        "sources": account,
    }


def _summary_of_finished(plan: Plan, store: Store, manifest: Mapping[str, Any], seconds: float) -> RunSummary:
    """Return the summary of a run that was finished before: there is nothing left to do."""
    return RunSummary(
        run=plan.run,
        windows=manifest["windows"],
        skipped=manifest["skipped"],
        seconds=seconds,
        detections=manifest["detections"],
        per_class=manifest["per_class"],
        files=tuple(store.scene_path(plan.run, scene.id) for scene in plan.scenes),
        resumed_windows=manifest["windows"],
    )
