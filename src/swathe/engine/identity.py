"""What of a plan is left to do, by what the store knows of the run.

A run is found again by its model and settings, a scene by its id within the run, and its content by a fingerprint:

| same id in the run | address | content | then |
|---|---|---|---|
| no | - | - | looked at |
| yes | any | same | skipped; a moved file only gets its new address |
| yes | same | changed | looked at again; replaced when complete |
| yes | other | other | refused before any work |
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from swathe.engine.plan import Plan, ScenePlan, scene_info, scene_key
from swathe.errors import Argument, UsageError
from swathe.raster.origins import redacted
from swathe.store.protocol import Store, StoredScene


@dataclass(frozen=True)
class Stock:
    """What is done and what is not."""

    done: tuple[StoredScene, ...]  # scenes of the plan that need not be looked at
    todo: tuple[ScenePlan, ...]  # the others
    news: tuple[StoredScene, ...]  # what the store is to be told before the work: new, changed and moved scenes
    names: Mapping[str, frozenset[str]]  # key of a scene to do -> names that it has in the workspace
    orphans: tuple[str, ...]  # names in the workspace that are of no use any more

    def resumed_windows(self) -> int:
        """Count the windows that earlier calls have finished."""
        parts = (
            batch.count
            for scene in self.todo
            if scene.key in self.names
            for batch in scene.batches()
            if scene.part(batch) in self.names[scene.key]
        )
        return sum(scene.windows for scene in self.done) + sum(parts)


def take_stock(plan: Plan, store: Store) -> Stock:
    """Find out what is to be done; changes nothing.

    Args:
        plan: What the caller asks for.
        store: Where the run is kept.

    Returns:
        What is done and what is not.

    Raises:
        UsageError: If a scene has the name of another one of the run; both files are named.
        StoreError: If the store cannot be read.
    """
    # Names before scenes: whoever puts a name has told the store of its scene before.
    names: dict[str, set[str]] = defaultdict(set)
    for name in store.workspace(plan.run).names():
        names[name.partition("/")[0]].add(name)
    stored = store.scenes(plan.run)
    scenes = _by_known_names(plan, stored)
    known = {scene.scene.id: scene for scene in stored}
    done = [known.pop(scene.scene.id) for scene in plan.done if scene.scene.id in known]
    todo: list[ScenePlan] = []
    news: list[StoredScene] = []
    for scene in scenes:
        before = known.pop(scene.id, None)
        wanted = stored_scene(plan.run, scene)
        if before is not None and before.state == "complete" and _content(before) == scene.fingerprint:
            wanted = replace(before, scene=wanted.scene)
            done.append(wanted)
        else:
            _check_same_file(scene, before)
            todo.append(scene)
        if wanted != before:
            news.append(wanted)
    at_work = any(other.state == "pending" for other in known.values())  # perhaps another process
    used = {scene.key for scene in todo} | {scene_key(other.scene.id, _content(other)) for other in known.values()}
    orphans = tuple(name for key in names.keys() - used if not at_work for name in names[key])
    mine = {scene.key: frozenset(names[scene.key]) for scene in todo if scene.key in names}
    return Stock(tuple(done), tuple(todo), tuple(news), mine, orphans)


def stored_scene(run: str, scene: ScenePlan) -> StoredScene:
    """Return what a store knows of a scene that is going to be looked at.

    Args:
        run: Run id.
        scene: The scene.

    Returns:
        A pending scene.
    """
    mark = f"{scene.fingerprint}-{scene.source.stamp}" if scene.source.stamp else scene.fingerprint
    return StoredScene(run, scene_info(scene.source), mark, "pending", scene.windows)


def is_known(stored: StoredScene, stamp: str) -> bool:
    """Tell, without opening a file, that a run is done with it.

    Args:
        stored: What the run knows of the file at this address.
        stamp: See `swathe.raster.fingerprint.stamp`.

    Returns:
        Whether the file need not be opened.
    """
    return bool(stamp) and stored.state == "complete" and stored.fingerprint.endswith(f"-{stamp}")


def _content(stored: StoredScene) -> str:
    """Return the fingerprint of a scene's content; behind it may stand the stamp of its file."""
    return stored.fingerprint.partition("-")[0]


def _by_known_names(plan: Plan, stored: Iterable[StoredScene]) -> list[ScenePlan]:
    """Let files keep the names by which the run knows them.

    The name of a file changes when another one of the same name is added in another folder.
    """
    taken = {scene.id for scene in plan.scenes} | {scene.scene.id for scene in plan.done}
    stored = [scene for scene in stored if scene.scene.id not in taken]
    addresses = Counter(scene.scene.uri for scene in stored)
    names = {scene.scene.uri: scene.scene.id for scene in stored if addresses[scene.scene.uri] == 1}
    if not names:
        return list(plan.scenes)
    renamed = []
    for scene in plan.scenes:
        name = names.pop(redacted(scene.source.uri), scene.id)
        renamed.append(scene if name == scene.id else ScenePlan(replace(scene.source, id=name), scene.levels))
    return renamed


def _check_same_file(scene: ScenePlan, before: StoredScene | None) -> None:
    """Refuse a file that has the name of another one."""
    address = redacted(scene.source.uri)
    if before is not None and _content(before) != scene.fingerprint and before.scene.uri != address:
        raise UsageError(
            f"{address}: scene {scene.id!r} of this run is another file of the same name, {before.scene.uri}; give "
            "these scenes other names (",
            Argument("scene_prefix"),
            "), or take another store",
        )
