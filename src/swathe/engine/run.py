"""A whole run: look at what is done, let workers do the rest, commit."""

from __future__ import annotations

import time
from dataclasses import replace

from swathe.detectors.protocol import DetectorSpec
from swathe.engine.driver import Driver
from swathe.engine.events import Progress, ProgressEvent, RunFinished, RunPlanned, RunSummary
from swathe.engine.identity import Stock, take_stock
from swathe.engine.job import Executor, Pool, Work
from swathe.engine.limits import check_memory, check_slot, merge_limit
from swathe.engine.local import choose_executor
from swathe.engine.plan import Plan
from swathe.errors import UsageError
from swathe.raster.environment import capture
from swathe.store.protocol import Store

RASTER_READER = "swathe.raster.opening:open_reader"


def run_plan(
    plan: Plan,
    store: Store,
    *,
    name: str | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
    reader: str = RASTER_READER,
) -> RunSummary:
    """Detect objects in scenes and add them to a store; what is done already is not done again.

    Args:
        plan: Made with a detector.
        store: Where the detections go. A scene can be read from it soon after it is complete.
        name: What people call the run; as before if not given.
        progress: Called in this process with each event; the last one carries the summary.
        executor: Who does the work; chosen by the plan's settings if not given.
        reader: "package.module:factory" of what opens readers for scenes.

    Returns:
        What was done. Scenes that failed are listed under `failed`; another call tries these once more.

    Raises:
        UsageError: If the plan has no detector, needs more memory than it may take, or has a scene that is another
            file than the one that the run knows by this name.
        ModelError: If the model cannot be opened or fails.
        StoreError: If the store cannot be written.
        SwatheError: If worker processes end unexpectedly, one after the other; what is finished is kept.
        KeyboardInterrupt: On Ctrl-C; what is finished is kept.
    """
    if plan.detector is None:
        raise UsageError("this plan only counts windows; make it with a detector to run it")
    started, progress = time.perf_counter(), progress or _ignore
    stock = take_stock(plan, store)
    todo = replace(plan, scenes=stock.todo, done=())
    executor = executor or choose_executor(plan.settings.workers)
    work = Work(plan.detector, plan.settings, plan.run, plan.about(), store.address, reader, capture())
    with executor.open(work) as pool:
        if stock.todo:
            _check_memory(todo, pool)
            progress(_planned(plan, stock, todo, pool))
        if stock.news or name is not None:
            store.begin(plan.run, plan.about(), stock.news, name)
        memory = merge_limit(todo, pool.slots, pool.memory_per_slot)
        driver = Driver(plan, stock, store, progress, memory)
        driver.carry_out(pool)
    store.workspace(plan.run).drop(stock.orphans)
    summary = _summary(plan, plan.detector, stock, store, driver, time.perf_counter() - started)
    progress(RunFinished(summary))
    return summary


def _ignore(event: ProgressEvent) -> None:
    """Take no notice of progress."""


def _check_memory(plan: Plan, pool: Pool) -> None:
    """Make sure that the work fits where it is done."""
    if pool.memory_per_slot is None:
        check_memory(plan, pool.slots)
    else:
        check_slot(plan, pool.memory_per_slot)


def _planned(plan: Plan, stock: Stock, todo: Plan, pool: Pool) -> RunPlanned:
    return RunPlanned(
        run=plan.run,
        scenes=plan.scene_count,
        windows=plan.windows,
        resumed_windows=stock.resumed_windows(),
        resumed_scenes=len(stock.done),
        workers=pool.slots,
        memory_bytes=todo.memory(pool.slots).total,
    )


def _summary(
    plan: Plan, detector: DetectorSpec, stock: Stock, store: Store, driver: Driver, seconds: float
) -> RunSummary:
    """Add up the scenes that the caller has asked for, those of earlier calls too."""
    done = [driver.done[name] for name in sorted(driver.done)]
    per_class = dict.fromkeys(detector.classes, 0)
    for scene in done:
        for class_name, count in scene.per_class.items():
            per_class[class_name] += count
    return RunSummary(
        run=plan.run,
        windows=plan.windows,
        skipped=sum(scene.skipped for scene in done),
        seconds=seconds,
        detections=sum(scene.detections for scene in done),
        per_class=per_class,
        scenes=tuple(scene.scene.id for scene in done),
        files=tuple(dict.fromkeys(f"{store.address}/{scene.file}" for scene in done)),
        resumed_windows=stock.resumed_windows(),
        lost_windows=driver.lost_windows,
        full_windows=driver.full_windows,
        failed=dict(driver.failed),
        stages=driver.stages,
    )
