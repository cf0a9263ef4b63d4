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

from swathe.detections import Detections, SceneInfo
from swathe.engine.ledger import read_account
from swathe.engine.plan import Plan
from swathe.errors import StoreError
from swathe.query import Query
from swathe.store.lock import is_at_work
from swathe.store.published import Store


@dataclass(frozen=True)
class Predecessor:
    """An earlier run with the same model and settings."""

    run: str  # run id
    begun: frozenset[str]  # ids of scenes that are not published and have not failed, but of which windows are done
    at_work: bool  # whether a process works on it
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
            found.append(_read(run, account, store))
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
    """Tell whether an earlier run holds nothing that a plan does not give as well; docs/decisions/resume.md says when.

    Args:
        plan: The plan.
        earlier: The earlier run.

    Returns:
        Whether nobody works on it, and the plan has the scenes that it has published, unchanged, and those that it was
        looking at when it was ended. Scenes that failed, or were not reached, hold nothing.
    """
    keys = dict(zip((scene.id for scene in plan.scenes), scene_keys(plan), strict=True))
    unchanged = all(keys.get(scene) == key for scene, key in earlier.sources.items())
    return unchanged and earlier.begun <= keys.keys() and not earlier.at_work


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
        StoreError: If the store is damaged, or the scene of that run has been removed meanwhile.
    """
    found = store.scan(Query(runs=(earlier.run,), scenes=(scene.id,)))
    if (earlier.run, scene.id) not in found.scenes:
        raise StoreError(
            f"scene {scene.id} of run {earlier.run} was to be taken over, but has been removed meanwhile; run the same "
            "command again: it looks at the scene"
        )
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


def _read(run: str, account: Mapping[str, Any], store: Store) -> Predecessor:
    """Read the account that a run or its ledger has left; scenes that were removed since do not count."""
    published = {published.scene.id for published in store.published(run)}
    sources = {scene: source for scene, source in account["sources"].items() if scene in published}
    return Predecessor(
        run=run,
        begun=frozenset(account.get("begun", ())),
        at_work=is_at_work(store.work_folder(run)),
        sources={scene: str(source["key"]) for scene, source in sources.items()},
        skipped={scene: int(source["skipped"]) for scene, source in sources.items()},
    )
