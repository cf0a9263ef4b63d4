"""Runs that go because another one holds all that they hold, and what is left of those that never got anywhere.

A run that is to go bears the name of its successor, so that a call that is killed between the steps is made up for by
the next one.
"""

from __future__ import annotations

import json

from swathe.atomic import not_written, published_file
from swathe.engine.ledger import holds_work
from swathe.engine.plan import Plan
from swathe.engine.predecessors import covers, find_predecessors
from swathe.errors import StoreError
from swathe.store.lock import is_at_work
from swathe.store.published import Store

SUCCESSOR_NAME = "successor.json"


def name_successor(store: Store, run: str, successor: str) -> None:
    """Write down that a run is to be removed as soon as another one has all its scenes.

    Args:
        store: The store.
        run: Id of the run that goes.
        successor: Id of the run whose plan covers it, see `swathe.engine.predecessors.covers`.

    Raises:
        StoreError: If it cannot be written.
    """
    folder = store.work_folder(run)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(not_written(folder, error)) from error
    with published_file(folder / SUCCESSOR_NAME, overwrite=True) as stream:
        stream.write(json.dumps({"run": successor}).encode())


def forget_successor(store: Store, run: str) -> None:
    """Take back that a run is to be removed, since it is worked on again and may come to hold more.

    Args:
        store: The store.
        run: Id of the run.

    Raises:
        StoreError: If that cannot be written.
    """
    path = store.work_folder(run) / SUCCESSOR_NAME
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(not_written(path, error)) from error


def remove_succeeded(store: Store) -> None:
    """Remove the runs whose successors have all their scenes, also where an earlier call was killed while doing it.

    A run that another process works on is left to the next call.

    Args:
        store: The store.

    Raises:
        StoreError: If a run cannot be removed.
    """
    for run in sorted({*store.runs(), *store.unfinished_runs()}):
        successor = _successor(store, run)
        if successor is None or is_at_work(store.work_folder(run)):
            continue
        if _scenes(store, run) <= _scenes(store, successor):
            store.remove_run(run)


def runs_beside(plan: Plan, store: Store) -> set[str]:
    """Find the runs that would lie beside a plan's own when that is done, and stand in the way of it.

    Args:
        plan: The plan.
        store: The store.

    Returns:
        Run ids: all but the plan's own, those that it covers, and those that never got anywhere.

    Raises:
        StoreError: If the store is damaged.
    """
    covered = {earlier.run for earlier in find_predecessors(plan, store) if covers(plan, earlier)}
    return {*store.runs(), *store.unfinished_runs()} - {plan.run, *covered, *empty_runs(store)}


def is_all_unfinished(plan: Plan, store: Store) -> bool:
    """Tell whether a store holds a plan's unfinished work and no more, so that replacing it would be doing it again.

    Args:
        plan: The plan.
        store: The store.

    Returns:
        Whether it holds unfinished runs only: the plan's own, or such as it covers.

    Raises:
        StoreError: If the store is damaged.
    """
    unfinished = store.unfinished_runs()
    return bool(unfinished) and {*store.runs()} <= {*unfinished} and not runs_beside(plan, store)


def empty_runs(store: Store) -> tuple[str, ...]:
    """Find the runs that were ended before they had done anything.

    Args:
        store: The store.

    Returns:
        Ids of unfinished runs without a finished batch or a published scene, that no process works on; sorted.

    Raises:
        StoreError: If the store is damaged.
    """
    return tuple(
        run
        for run in store.unfinished_runs()
        if not holds_work(store.work_folder(run)) and not is_at_work(store.work_folder(run)) and not _scenes(store, run)
    )


def remove_empty(store: Store, other_than: str) -> None:
    """Remove what is left of runs that were ended before they had done anything.

    Args:
        store: The store.
        other_than: Id of a run that stays.

    Raises:
        StoreError: If one cannot be removed.
    """
    for run in empty_runs(store):
        if run != other_than:
            store.remove_run(run)


def _successor(store: Store, run: str) -> str | None:
    """Return the run that is to follow a run."""
    try:
        return str(json.loads((store.work_folder(run) / SUCCESSOR_NAME).read_text(encoding="utf-8"))["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _scenes(store: Store, run: str) -> set[str]:
    return {published.scene.id for published in store.published(run)}
