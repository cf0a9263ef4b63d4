"""The store seam: where detections of any number of runs are kept and queried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from swathe.detections import Detections, SceneInfo
    from swathe.query import Query


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
            StoreError: If it cannot be removed.
        """
        ...
