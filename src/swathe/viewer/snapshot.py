"""What a store holds, as of a moment ago: asked for by every request, read from the store at most once a second."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from swathe.errors import UsageError

if TYPE_CHECKING:
    from swathe.store.protocol import Catalogue, StoredRun, StoredScene

FRESH_FOR = 1.0  # seconds


class UnknownError(UsageError):
    """A request names something that is not there."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Runs and scenes of a store at one moment."""

    version: str  # changes when a run does
    runs: tuple[StoredRun, ...]  # the latest last
    scenes: Mapping[str, StoredScene]  # by key

    def scene(self, key: str) -> StoredScene:
        """Look up a scene by its key.

        Args:
            key: What `scene_key` gave.

        Returns:
            The scene.

        Raises:
            UnknownError: If there is none.
        """
        if key not in self.scenes:
            raise UnknownError(f"there is no scene with the key {key!r}; /api/collections/scenes/items lists them")
        return self.scenes[key]

    def settings(self, run: str) -> Mapping[str, Any]:
        """Return the settings of a run, empty if it tells none."""
        settings = next((known.about.get("settings") for known in self.runs if known.id == run), None)
        return settings if isinstance(settings, Mapping) else {}

    @cached_property
    def by_run(self) -> dict[str, list[StoredScene]]:
        """Scenes of each run that has some."""
        scenes: dict[str, list[StoredScene]] = {}
        for scene in self.scenes.values():
            scenes.setdefault(scene.run, []).append(scene)
        return scenes

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Names of all classes of which something was found, sorted."""
        return tuple(sorted({name for scene in self.scenes.values() for name in scene.per_class}))

    def find_runs(self, given: Sequence[str]) -> tuple[str, ...]:
        """Return the ids of runs.

        Args:
            given: For each the beginning of its id, its name, or "latest".

        Returns:
            The ids.

        Raises:
            UsageError: If there is no such run, or several.
        """
        from swathe.store import find_run

        return tuple(find_run(self.runs, name).id for name in given)

    def on_ground(self, runs: Sequence[str] | None) -> tuple[str, ...] | None:
        """Return the ids of scenes with georeference, None if all of these runs have one."""
        chosen = [scene.scene for scene in self.scenes.values() if runs is None or scene.run in runs]
        placed = {scene.id for scene in chosen if scene.georeferenced}
        return None if len(placed) == len({scene.id for scene in chosen}) else tuple(sorted(placed))


class Snapshots:
    """Takes snapshots of a store."""

    def __init__(self, store: Catalogue) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._taken = -FRESH_FOR
        self._latest = Snapshot("", (), {})

    def now(self) -> Snapshot:
        """Return a snapshot that is a second old at most.

        Returns:
            The snapshot.

        Raises:
            StoreError: If the store cannot be read.
        """
        with self._lock:
            if time.monotonic() - self._taken >= FRESH_FOR:
                runs = self._store.runs()
                version = _hash(msgspec.json.encode([asdict(run) for run in runs], order="deterministic"))
                if version != self._latest.version:
                    scenes = {scene_key(scene.run, scene.scene.id): scene for scene in self._store.scenes()}
                    self._latest = Snapshot(version, runs, scenes)
                self._taken = time.monotonic()
            return self._latest


def scene_key(run: str, scene: str) -> str:
    """Return what addresses call a scene of a run; names, which may hold anything, never stand in a path."""
    return _hash(f"{run}\0{scene}".encode())


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
