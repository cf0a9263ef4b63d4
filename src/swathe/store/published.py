"""The store seam: where detections of any number of runs are kept and queried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from swathe.detections import Detections, SceneInfo
    from swathe.query import Query


@dataclass(frozen=True)
class Published:
    """A scene that a run has published."""

    run: str  # run id
    scene: SceneInfo
    detections: int  # how many the run has found in it
    about: Mapping[str, Any]  # what the run told of itself: model, settings


class Store(Protocol):
    """Keeps detections by run and scene. A scene is seen by readers from the moment it is published, as a whole."""

    def publish_scene(self, run: str, detections: Detections, scene: SceneInfo) -> Path:
        """Make the detections of a scene visible; doing it again replaces them.

        Args:
            run: Which run found them.
            detections: Detections of this run in this scene; may be empty.
            scene: The scene.

        Returns:
            Where they are kept.

        Raises:
            UsageError: If a detection belongs to another run or scene.
            StoreError: If it cannot be written; readers then see what they saw before.
        """
        ...

    def scene_path(self, run: str, scene: str) -> Path:
        """Return where a scene is kept once it is published.

        Args:
            run: The run.
            scene: Scene id.

        Returns:
            The place; nothing need be there yet.
        """
        ...

    def commit(self, run: str, manifest: Mapping[str, Any]) -> None:
        """Mark a run as finished and clear its work folder.

        Args:
            run: The run.
            manifest: What shall be known of it, JSON values; the same input must give the same manifest.

        Raises:
            StoreError: If it cannot be written.
        """
        ...

    def manifest(self, run: str) -> Mapping[str, Any] | None:
        """Return the manifest of a finished run.

        Args:
            run: The run.

        Returns:
            The manifest, None for a run that is unfinished or unknown.

        Raises:
            StoreError: If it is damaged.
        """
        ...

    def runs(self) -> tuple[str, ...]:
        """Return all runs with a manifest or a published scene.

        Returns:
            Run ids, sorted.

        Raises:
            StoreError: If the store is damaged.
        """
        ...

    def scenes(self, run: str | None = None) -> tuple[SceneInfo, ...]:
        """Return the published scenes of one run or all.

        Args:
            run: The run, None for all.

        Returns:
            Scenes sorted by id; those without detections too.

        Raises:
            StoreError: If the store is damaged.
        """
        ...

    def published(self, run: str | None = None) -> tuple[Published, ...]:
        """Return what was published, with the number of detections.

        Args:
            run: The run, None for all.

        Returns:
            Each scene of each run, sorted by run and scene.

        Raises:
            StoreError: If the store is damaged.
        """
        ...

    def unfinished_runs(self) -> tuple[str, ...]:
        """Return the runs without a manifest: those that have published a scene, or have begun to work.

        Returns:
            Run ids, sorted.
        """
        ...

    def scan(self, query: Query | None = None) -> Detections:
        """Return what a query asks for; equals `reference_filter` over everything published.

        Args:
            query: What to look for, None for everything.

        Returns:
            The matches in canonical order.

        Raises:
            UsageError: If the answer mixes runs that describe a scene differently.
            StoreError: If the store is damaged; the message names the file.
        """
        ...

    def work_folder(self, run: str) -> Path:
        """Return the folder for the ledger of an unfinished run; readers never look into it.

        Args:
            run: The run.

        Returns:
            The folder; it need not exist yet.
        """
        ...

    def discard_work(self, run: str) -> None:
        """Throw away the work folder of a run.

        Args:
            run: The run.

        Raises:
            StoreError: If it cannot be removed.
        """
        ...

    def remove_run(self, run: str) -> None:
        """Remove a run: its scenes, its manifest and its work folder.

        Args:
            run: The run.

        Raises:
            StoreError: If another process works on it, or it cannot be removed.
        """
        ...

    def remove_scene(self, run: str, scene: str) -> None:
        """Remove one scene of a run; its manifest, if it has one, goes on without it.

        Args:
            run: The run.
            scene: Scene id.

        Raises:
            UsageError: If the run has not published such a scene.
            StoreError: If another process works on the run, or the scene cannot be removed.
        """
        ...
