"""The protocol of stores: what a run, a viewer and the commands ask of the place where detections are kept.

A store holds runs; a run is a model with its settings, and grows scene by scene. Whatever a store keeps its detections
in, its answers equal those of `swathe.query.reference_filter` over all scenes that were committed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from swathe.arguments import instance
from swathe.detections import Detections, SceneInfo
from swathe.errors import StoreError, UsageError

if TYPE_CHECKING:
    from swathe.areas import Areas
    from swathe.files import Workspace
    from swathe.query import Query
    from swathe.query.cells import Cells

RECORD = "written"  # last part of the name of a record in a workspace: of a scene that was written, see `Written`
SceneState = Literal["pending", "failed", "complete"]


@dataclass(frozen=True)
class StoredScene:
    """A scene of a run, as the store knows it. One that is looked at again keeps its detections until they change."""

    run: str  # id of the run
    scene: SceneInfo
    fingerprint: str  # of its content: decides whether it is looked at again
    state: SceneState
    windows: int  # of all its scales
    skipped: int = 0  # of these, without data
    per_class: Mapping[str, int] = field(default_factory=dict)  # detections by class name, only classes with some
    reason: str = ""  # why it failed
    file: str = ""  # data file relative to the store, "" while there is none

    @property
    def detections(self) -> int:
        """How many detections are known of it."""
        return sum(self.per_class.values())


@dataclass(frozen=True)
class StoredRun:
    """A run, as the store knows it."""

    id: str
    name: str | None  # that a user has given it
    about: Mapping[str, Any]  # model and settings, JSON values
    updated: str  # of the last commit, ISO 8601 in UTC: orders runs, decides which is the latest
    complete: int  # scenes that were looked at
    pending: int  # scenes that are still to be looked at
    failed: int  # scenes that could not be looked at
    detections: int

    @property
    def scenes(self) -> int:
        """How many scenes it has, in whatever state."""
        return self.complete + self.pending + self.failed

    @classmethod
    def of(
        cls, run: str, name: str | None, about: Mapping[str, Any], updated: str, scenes: Collection[StoredScene]
    ) -> StoredRun:
        """Count the scenes of a run; see the fields."""
        states = Counter(scene.state for scene in scenes)
        detections = sum(scene.detections for scene in scenes)
        return cls(run, name, about, updated, states["complete"], states["pending"], states["failed"], detections)


def begun(old: StoredScene | None, given: StoredScene) -> StoredScene:
    """Tell what is known of a scene that a run is going to look at, has failed at, or has found at another address.

    Args:
        old: What was known of it.
        given: What is told of it now, in whatever state.

    Returns:
        What is known from now on: what was found in it earlier stays.
    """
    if old is None or not old.file:
        return given
    moved = old.scene if given.state != "complete" else replace(old.scene, uri=given.scene.uri)
    return replace(old, scene=moved, state=given.state, reason=given.reason)


def alone(scene: StoredScene, found: Detections) -> Detections:
    """Describe the detections of a scene by this scene and its run alone.

    Args:
        scene: The scene.
        found: Its detections.

    Returns:
        The detections.

    Raises:
        UsageError: If one belongs to another run or scene.
    """
    key = (scene.run, scene.scene.id)
    instance("found", found, Detections, "detections of Swathe")
    if set(found.scene_codes()[0]) - {key} or found.scenes.get(key, scene.scene) != scene.scene:
        raise UsageError(f"the detections must belong to run {key[0]!r} and scene {key[1]!r} alone; split them first")
    return replace(found, scenes={key: scene.scene}, runs={scene.run: found.runs.get(scene.run, {})})


@dataclass(frozen=True)
class Written:
    """What a sink has written of a scene; invisible until it is committed."""

    scene: StoredScene  # complete
    facts: Mapping[str, Any]  # what the store needs for the commit, JSON values

    def to_json(self) -> bytes:
        """Serialise; equal values give equal bytes."""
        return msgspec.json.encode(self, order="sorted")

    @classmethod
    def from_json(cls, data: bytes) -> Written:
        """Read what `to_json` has written.

        Args:
            data: The bytes.

        Returns:
            The record.

        Raises:
            StoreError: If it is damaged.
        """
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StoreError(f"a record of a written scene is damaged ({error}); the scene is written again") from error


class Catalogue(Protocol):
    """Which runs and scenes there are: one read each, however many there are."""

    def runs(self) -> tuple[StoredRun, ...]:
        """Return all runs.

        Returns:
            Runs by the time of their last commit, the latest last.

        Raises:
            StoreError: If the store is damaged or cannot be reached.
        """
        ...

    def scenes(self, run: str | None = None) -> tuple[StoredScene, ...]:
        """Return scenes in whatever state.

        Args:
            run: Id of the run, None for all.

        Returns:
            Scenes by run and scene id.

        Raises:
            StoreError: If the store is damaged or cannot be reached.
        """
        ...


class Scans(Protocol):
    """What was found, by conditions."""

    def scan(self, query: Query | None = None) -> Iterator[Detections]:
        """Yield what a query asks for; all together equals `reference_filter` over everything committed.

        Args:
            query: What to look for, None for everything.

        Returns:
            Detections in canonical order, also from one batch to the next; between them they describe all scenes and
            runs that are asked for, with matches or not.

        Raises:
            StoreError: If the store is damaged, or changes too much while it is read.
        """
        ...

    def count(self, query: Query | None = None) -> Mapping[str, int]:
        """Count what a query asks for; geometries are only read where the outline of a region cuts.

        Args:
            query: What to look for, None for everything.

        Returns:
            Detections by class name, only classes with some.

        Raises:
            StoreError: If the store is damaged or cannot be reached.
        """
        ...

    def density(self, query: Query | None, cells: Cells) -> npt.NDArray[np.int64]:
        """Count what a query asks for by the cells of a grid, from the centres of the upright hulls.

        Args:
            query: What to look for, None for everything.
            cells: The grid.

        Returns:
            Counts (rows, columns), the first row at the top (largest y).

        Raises:
            StoreError: If the store is damaged or cannot be reached.
        """
        ...


class Sink(Protocol):
    """How scenes come into a store, and leave it. Everything may be done twice, and by several at once."""

    def begin(self, run: str, about: Mapping[str, Any], scenes: Sequence[StoredScene], name: str | None = None) -> None:
        """Tell, in one step, that a run is going to look at scenes.

        A scene that is complete stays readable as it is until its new detections are committed. One that is given in
        state "complete" has been looked at already: it gets the address that is given.

        Args:
            run: Id of the run.
            about: Model and settings, JSON values.
            scenes: The scenes, in state "pending" or "complete".
            name: A name for the run; None keeps the one that it has.

        Raises:
            StoreError: If it cannot be written.
        """
        ...

    def write(self, scene: StoredScene, found: Detections) -> Written:
        """Write the detections of a scene, on any machine; nobody sees them yet.

        Args:
            scene: The scene with its run, windows and fingerprint.
            found: All its detections; may be empty.

        Returns:
            What `commit` needs; the same for the same detections.

        Raises:
            UsageError: If a detection belongs to another run or scene.
            SourceError: If a footprint has no longitude and latitude.
            StoreError: If it cannot be written.
        """
        ...

    def commit(self, run: str, written: Sequence[Written], failed: Sequence[StoredScene] = ()) -> None:
        """Make scenes visible, or replace what they had, in one step for readers.

        Args:
            run: Id of the run; it has begun.
            written: What `write` has returned.
            failed: Scenes that could not be looked at, with the reason.

        Raises:
            StoreError: If it cannot be written; readers then see what they saw before.
        """
        ...

    def remove(self, run: str, scenes: Collection[str] | None = None) -> None:
        """Remove scenes of a run, in one step for readers; those that are not there are fine.

        Args:
            run: Id of the run.
            scenes: Scene ids; None for the whole run with its workspace. A run without scenes goes, too.

        Raises:
            StoreError: If they cannot be removed.
        """
        ...


class Store(Catalogue, Scans, Sink, Protocol):
    """A place where detections are kept."""

    @property
    def address(self) -> str:
        """Where it is."""
        ...

    def workspace(self, run: str) -> Workspace:
        """Return the place for the unfinished work of a run; readers never look into it."""
        ...

    def areas(self) -> Areas:
        """Return the named areas that are kept in it.

        Returns:
            The areas.

        Raises:
            StoreError: If they are damaged or cannot be reached.
        """
        ...

    def keep_areas(self, areas: Areas) -> None:
        """Keep named areas, in place of all earlier ones.

        Args:
            areas: The areas.

        Raises:
            StoreError: If they cannot be written.
        """
        ...

    def compact(self, older_than: timedelta) -> Compacted:
        """Merge small files, and delete what nobody needs.

        Args:
            older_than: How long ago a file must have been replaced, removed, or left by a process that was killed.

        Returns:
            What was done.

        Raises:
            StoreError: If it cannot be done.
        """
        ...


@dataclass(frozen=True)
class Compacted:
    """What a compaction has done."""

    before: int  # files of detections before
    after: int  # files of detections after
    deleted: int  # files that were deleted, of whatever kind
