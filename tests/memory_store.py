"""A store in memory, for tests of what only reads: every answer comes from the value `Detections`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import shapely

from swathe.areas import Areas
from swathe.detections import Detections
from swathe.query import Query
from swathe.query.cells import Cells
from swathe.store.protocol import StoredRun, StoredScene


@dataclass
class MemoryStore:
    """Runs with their scenes and detections."""

    found: list[tuple[StoredScene, Detections]] = field(default_factory=list)
    about: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    updated: dict[str, str] = field(default_factory=dict)
    named: Areas = field(default_factory=Areas)
    parts: set[str] = field(default_factory=set)
    address: str = "memory"

    def add(self, run: str, detections: Detections, *, state: str = "complete", windows: int = 4) -> None:
        """Add a scene, or put it in the place of the one of its id."""
        (scene,) = detections.scenes.values()
        stored = StoredScene(run, scene, f"print of {scene.uri}", state, windows, per_class=detections.per_class())
        self.found = [pair for pair in self.found if (pair[0].run, pair[0].scene.id) != (run, scene.id)]
        self.found.append((stored, detections))
        self.updated[run] = f"2026-01-01T00:00:{len(self.found):02}Z"

    def runs(self) -> tuple[StoredRun, ...]:
        runs = []
        for run in sorted(self.updated, key=self.updated.__getitem__):
            states = [scene.state for scene in self.scenes(run)]
            counts = [states.count(state) for state in ("complete", "pending", "failed")]
            detections = sum(scene.detections for scene in self.scenes(run))
            runs.append(StoredRun(run, None, self.about.get(run, {}), self.updated[run], *counts, detections))
        return tuple(runs)

    def scenes(self, run: str | None = None) -> tuple[StoredScene, ...]:
        scenes = [scene for scene, _ in self.found if run is None or scene.run == run]
        return tuple(sorted(scenes, key=lambda scene: (scene.run, scene.scene.id)))

    def scan(self, query: Query | None = None) -> Iterator[Detections]:
        everything = Detections.concat([rows for _, rows in self.found])
        yield (query or Query()).select(everything)

    def count(self, query: Query | None = None) -> Mapping[str, int]:
        (rows,) = self.scan(query)
        return rows.per_class()

    def density(self, query: Query | None, cells: Cells) -> np.ndarray:
        (rows,) = self.scan(query)
        return cells.count(shapely.bounds(rows.footprints()).reshape(-1, 4))

    def workspace(self, run: str) -> Any:
        """The names of the parts of unfinished scenes; nothing else is asked of it."""
        return SimpleNamespace(names=lambda: frozenset(self.parts if run in self.updated else ()))

    def areas(self) -> Areas:
        return self.named
