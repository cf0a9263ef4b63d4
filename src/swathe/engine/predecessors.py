"""Earlier runs of the same model and settings in the same store: what they found in unchanged scenes is taken over.

The id of a run covers its scenes, so a folder with one file mended or added is another run. It need not look at the
other files again. When it is complete, an earlier run of which nothing is lost by it is removed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from swathe.atomic import published_file
from swathe.detections import Detections, SceneInfo
from swathe.engine.ledger import read_account
from swathe.engine.plan import Plan
from swathe.query import Query
from swathe.store.protocol import Store

SUCCESSOR_NAME = "successor.json"


@dataclass(frozen=True)
class Predecessor:
    """An earlier run with the same model and settings."""

    run: str  # run id
    scenes: frozenset[str]  # ids of its scenes, those that failed among them
    sources: Mapping[str, str]  # id of each published scene -> key of the file, see `scene_keys`
    skipped: Mapping[str, int]  # id of each published scene -> windows without data


def scene_keys(plan: Plan) -> tuple[str, ...]:
    """Return what tells whether a scene is still the same: a hash of its part in the run's identity.

    Args:
        plan: The plan.

    Returns:
        16 hexadecimal digits for each scene, in the order of the plan.
    """
    texts = (json.dumps(scene, sort_keys=True, separators=(",", ":")) for scene in plan.identity()["scenes"])
    return tuple(hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts)


def find_predecessors(plan: Plan, store: Store) -> tuple[Predecessor, ...]:
    """Find the earlier runs of a plan's model and settings.

    Args:
        plan: The plan.
        store: Where to look.

    Returns:
        The runs, in the order of their ids; without the plan's own.

    Raises:
        StoreError: If the store is damaged.
    """
    same = json.loads(json.dumps(plan.description()))
    found = []
    for run in sorted({*store.runs(), *store.unfinished_runs()} - {plan.run}):
        account = store.manifest(run) or read_account(store.work_folder(run))
        if account is not None and "sources" in account and {name: account.get(name) for name in same} == same:
            found.append(_read(run, account, {published.scene.id for published in store.published(run)}))
    return tuple(found)


def heirlooms(plan: Plan, predecessors: Iterable[Predecessor]) -> dict[int, Predecessor]:
    """Tell which scenes need not be looked at, because they are the same as in an earlier run.

    Args:
        plan: The plan.
        predecessors: The earlier runs.

    Returns:
        Place of the scene in the plan -> the run that has looked at it.
    """
    known = {(scene, key): earlier for earlier in predecessors for scene, key in earlier.sources.items()}
    pairs = enumerate(zip((scene.id for scene in plan.scenes), scene_keys(plan), strict=True))
    return {number: known[pair] for number, pair in pairs if pair in known}


def covers(plan: Plan, earlier: Predecessor) -> bool:
    """Tell whether nothing that an earlier run has found or was to look at is missing in a plan.

    Args:
        plan: The plan.
        earlier: The earlier run.

    Returns:
        Whether the plan has all scenes of the earlier run, and those it has published unchanged.
    """
    keys = dict(zip((scene.id for scene in plan.scenes), scene_keys(plan), strict=True))
    return earlier.scenes <= keys.keys() and all(keys[scene] == key for scene, key in earlier.sources.items())


def taken_over(plan: Plan, scene: SceneInfo, earlier: Predecessor, store: Store) -> Detections:
    """Return what an earlier run found in a scene, as the plan's own run would have found it.

    Args:
        plan: The plan.
        scene: The scene, as the plan has it.
        earlier: The run that has looked at the scene.
        store: Where both are kept.

    Returns:
        The detections.

    Raises:
        StoreError: If the store is damaged.
    """
    found = store.scan(Query(runs=(earlier.run,), scenes=(scene.id,)))
    indexes = {name: index for index, name in enumerate(found.class_names)}
    return Detections.from_arrays(
        found.boxes,
        found.scores,
        [indexes[name] for name in found.classes.tolist()],
        found.class_names,
        scene,
        plan.run,
        cut=found.cut,
        run_info=plan.description(),
    )


def name_successor(store: Store, earlier: Predecessor, plan: Plan) -> None:
    """Write down that an earlier run is to be removed as soon as the plan's run has all its scenes.

    Args:
        store: The store.
        earlier: The earlier run.
        plan: The plan that covers it.

    Raises:
        StoreError: If it cannot be written.
    """
    folder = store.work_folder(earlier.run)
    folder.mkdir(parents=True, exist_ok=True)
    with published_file(folder / SUCCESSOR_NAME, overwrite=True) as stream:
        stream.write(json.dumps({"run": plan.run}).encode())


def remove_succeeded(store: Store) -> None:
    """Remove the runs whose successors have all their scenes, also where an earlier call was killed while doing it.

    Args:
        store: The store.

    Raises:
        StoreError: If another process works on such a run, or it cannot be removed.
    """
    for run in sorted({*store.runs(), *store.unfinished_runs()}):
        successor = _successor(store, run)
        if successor is not None and _scenes(store, run) <= _scenes(store, successor):
            store.remove_run(run)


def _successor(store: Store, run: str) -> str | None:
    """Return the run that is to follow a run."""
    try:
        return str(json.loads((store.work_folder(run) / SUCCESSOR_NAME).read_text(encoding="utf-8"))["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _scenes(store: Store, run: str) -> set[str]:
    return {published.scene.id for published in store.published(run)}


def _read(run: str, account: Mapping[str, Any], published: set[str]) -> Predecessor:
    """Read the account that a run or its ledger has left; scenes that were removed since do not count."""
    sources = {scene: source for scene, source in account["sources"].items() if scene in published}
    return Predecessor(
        run=run,
        scenes=frozenset(account["scenes"]),
        sources={scene: str(source["key"]) for scene, source in sources.items()},
        skipped={scene: int(source["skipped"]) for scene, source in sources.items()},
    )
