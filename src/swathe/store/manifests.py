"""The manifests of a store: what is known of each finished run. A run without one is unfinished."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from swathe.atomic import published_file
from swathe.errors import StoreError
from swathe.store.layout import RUNS, run_name
from swathe.store.schema import read_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Manifests:
    """All manifests of a store, a file for each finished run."""

    store: Path  # folder of the store

    def path(self, run: str) -> Path:
        """Return where the manifest of a run is, or will be.

        Args:
            run: The run.

        Returns:
            The file.

        Raises:
            UsageError: If the run id is empty or too long.
        """
        return self.store / RUNS / f"{run_name(run)}.json"

    def names(self) -> set[str]:
        """Return the names of all finished runs, as `run_name` has escaped them."""
        return {path.stem for path in (self.store / RUNS).glob("[!.]*.json")}

    def read(self, run: str) -> dict[str, Any] | None:
        """Read a manifest.

        Args:
            run: The run.

        Returns:
            The manifest, None if there is none.

        Raises:
            UsageError: If the run id is empty or too long.
            StoreError: If it is damaged.
        """
        try:
            return read_document(self.path(run))
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def write(self, run: str, text: str) -> None:
        """Publish a manifest, in place of an earlier one.

        Args:
            run: The run.
            text: The manifest as JSON.

        Raises:
            UsageError: If the run id is empty or too long.
            StoreError: If it cannot be written.
        """
        with published_file(self.path(run), overwrite=True) as stream:
            stream.write(f"{text}\n".encode())

    def remove(self, run: str) -> None:
        """Remove a manifest, if there is one: the run is unfinished then.

        Args:
            run: The run.

        Raises:
            UsageError: If the run id is empty or too long.
            StoreError: If it cannot be removed.
        """
        try:
            self.path(run).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"run {run!r} cannot be removed from {self.store} ({error.strerror})") from error


def without_scene(manifest: Mapping[str, Any], scene: str, counts: Mapping[str, int]) -> dict[str, Any]:
    """Change the manifest of a run that loses a scene.

    Args:
        manifest: The manifest.
        scene: Id of the scene.
        counts: Class name -> detections that go with it.

    Returns:
        The manifest of what is left; it names the scene among those that were removed.
    """
    changed = dict(manifest)
    if isinstance(manifest.get("scenes"), list):
        changed["scenes"] = [other for other in manifest["scenes"] if other != scene]
    if isinstance(manifest.get("detections"), int):
        changed["detections"] = manifest["detections"] - sum(counts.values())
    if isinstance(manifest.get("per_class"), dict):
        changed["per_class"] = {name: count - counts.get(name, 0) for name, count in manifest["per_class"].items()}
    changed["removed"] = sorted({*manifest.get("removed", []), scene})
    return changed
