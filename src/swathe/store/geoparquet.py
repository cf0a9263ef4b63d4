"""The embedded store: a folder with GeoParquet files, by run and scene. See docs/reference/store-format.md."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from swathe.arguments import file_path, instance, text
from swathe.atomic import published_file, published_folder, remove_leftovers
from swathe.detections import Detections, SceneInfo
from swathe.errors import StoreError, UsageError
from swathe.query import Query
from swathe.store.folder import DetectionsFolder
from swathe.store.layout import DETECTIONS, INDEX, MARK, RUNS, SEPARATOR, WORK, run_name, run_of, split_name
from swathe.store.lock import is_at_work, run_lock, store_lock
from swathe.store.manifests import Manifests, without_scene
from swathe.store.published import Published
from swathe.store.schema import SCHEMA_VERSION, check_version, read_document, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = ["DETECTIONS", "MARK", "GeoParquetStore", "is_idle_store", "is_store"]

KIND = "geoparquet"


@dataclass(frozen=True)
class GeoParquetStore:
    """A store in a folder that exists; `create` makes one."""

    path: Path  # the folder

    def __post_init__(self) -> None:
        """Refuse a folder that is no store, or one of another version."""
        object.__setattr__(self, "path", file_path("path", self.path, "the folder of a store"))
        mark = self.path / MARK
        if not self.path.exists():
            raise StoreError(f"there is no store at {self.path}; check the name, or detect into it first")
        if not mark.is_file():
            raise StoreError(f"{self.path} is not a store of Swathe (it has no {MARK}); name another folder")
        check_version(read_document(mark), KIND, mark)
        for folder in (DETECTIONS, RUNS):
            if not (self.path / folder).is_dir():
                raise StoreError(f"store {self.path} is damaged: its folder {folder} is missing; restore it")

    @classmethod
    def create(cls, path: Path | str, *, overwrite: bool = False) -> Self:
        """Make a new, empty store.

        Args:
            path: A folder that does not exist, or is empty.
            overwrite: Whether a store that is there may be replaced; nothing else ever is.

        Returns:
            The store.

        Raises:
            StoreError: If the path exists and may not be replaced, a process works in it, or it cannot be written.
        """
        path = file_path("path", path, "the folder of a store")
        with published_folder(path, replaceable=is_idle_store if overwrite else None) as folder:
            cls.lay_out(folder)
        return cls(path)

    @classmethod
    def lay_out(cls, folder: Path) -> Self:
        """Turn an empty folder into a store.

        Args:
            folder: The folder.

        Returns:
            The store.

        Raises:
            StoreError: If it cannot be written.
        """
        (folder / DETECTIONS).mkdir()
        (folder / RUNS).mkdir()
        _mark(folder)
        return cls(folder)

    @property
    def files(self) -> DetectionsFolder:
        """The files of detections."""
        return DetectionsFolder(self.path)

    @property
    def manifests(self) -> Manifests:
        """What is known of finished runs."""
        return Manifests(self.path)

    def publish_scene(self, run: str, detections: Detections, scene: SceneInfo) -> Path:
        """Make the detections of a scene visible; doing it again replaces them.

        Args:
            run: Which run found them.
            detections: Detections of this run in this scene; may be empty.
            scene: The scene.

        Returns:
            The GeoParquet file.

        Raises:
            UsageError: If a detection belongs to another run or scene, or the run's description is no JSON.
            SourceError: If a footprint has no longitude and latitude.
            StoreError: If it cannot be written; readers then see what they saw before.
        """
        text("run", run, "the id of a run")
        instance("detections", detections, Detections, "detections of Swathe")
        instance("scene", scene, SceneInfo, "a SceneInfo")
        strangers = ({*detections.run_ids.tolist()} - {run}) | ({*detections.scene_ids.tolist()} - {scene.id})
        if strangers or detections.scenes.get((run, scene.id), scene) != scene:
            raise UsageError(
                f"detections published for run {run!r}, scene {scene.id!r} must belong to these alone, not to "
                f"{', '.join(sorted(strangers)) or 'another scene of this name'}; split them first"
            )
        self._raise_version()
        own = replace(detections, scenes={(run, scene.id): scene}, runs={run: detections.runs.get(run, {})})
        return self.files.publish(run, own, scene)

    def scene_path(self, run: str, scene: str) -> Path:
        """Return where a scene is kept once it is published.

        Args:
            run: The run.
            scene: Scene id.

        Returns:
            The GeoParquet file; a merged one holds other scenes of the run too.

        Raises:
            UsageError: If the run id is empty or too long.
            StoreError: If a merged file of the run is damaged.
        """
        return self.files.locate(run, scene)

    def commit(self, run: str, manifest: Mapping[str, Any]) -> None:
        """Mark a run as finished, index its files, and clear its work folder.

        Args:
            run: The run.
            manifest: What shall be known of it, JSON values.

        Raises:
            UsageError: If a value is none of JSON.
            StoreError: If it cannot be written.
        """
        text = to_json(manifest, indent=2)
        self._raise_version()
        self.files.refresh_index(run)
        self.manifests.write(run, text)
        self.discard_work(run)

    def manifest(self, run: str) -> dict[str, Any] | None:
        """Return the manifest of a finished run.

        Args:
            run: The run.

        Returns:
            The manifest, None for a run that is unfinished or unknown.

        Raises:
            UsageError: If the run id is empty or too long.
            StoreError: If it is damaged.
        """
        return self.manifests.read(run)

    def runs(self) -> tuple[str, ...]:
        """Return all runs with a manifest or a published scene.

        Returns:
            Run ids, sorted.
        """
        published = {split_name(path.name)[0] for path in self.files.paths(Query())}
        return tuple(sorted(map(run_of, published | self.manifests.names())))

    def unfinished_runs(self) -> tuple[str, ...]:
        """Return the runs without a manifest: those that have published a scene, or have begun to work.

        Returns:
            Run ids, sorted.
        """
        begun = {run_of(path.name) for path in (self.path / WORK).glob("*") if path.is_dir()}
        found = begun.union(self.runs())
        return tuple(sorted(run for run in found if not self.manifests.path(run).exists()))

    def scenes(self, run: str | None = None) -> tuple[SceneInfo, ...]:
        """Return the published scenes; those without detections too.

        Args:
            run: The run, None for all.

        Returns:
            Scenes sorted by id.

        Raises:
            StoreError: If a file is damaged.
        """
        scenes = {published.scene for published in self.published(run)}
        return tuple(sorted(scenes, key=lambda scene: (scene.id, scene.uri)))

    def published(self, run: str | None = None) -> tuple[Published, ...]:
        """Return what was published, with the number of detections.

        Args:
            run: The run, None for all.

        Returns:
            Each scene of each run, sorted by run and scene.

        Raises:
            UsageError: If the run id is empty or too long.
            StoreError: If a file is damaged.
        """
        found = []
        for entry in self.files.entries(Query(runs=None if run is None else (run,))):
            scenes = entry.head.scenes
            about = entry.head.runs
            found += [Published(own, scenes[own, scene], count, about[own]) for own, scene, count in entry.counts]
        return tuple(sorted(found, key=lambda published: (published.run, published.scene.id)))

    def scan(self, query: Query | None = None) -> Detections:
        """Return what a query asks for; equals `reference_filter` over everything published.

        Args:
            query: What to look for, None for everything.

        Returns:
            The matches in canonical order. Scenes without a match are described too.

        Raises:
            UsageError: If the answer mixes runs that describe a scene differently.
            StoreError: If a file is damaged; the message names it.
        """
        query = Query() if query is None else instance("query", query, Query, "a Query, or None for everything")
        return query.finish(self.files.matches(query))

    def work_folder(self, run: str) -> Path:
        """Return the folder for the ledger of an unfinished run; it need not exist yet.

        Args:
            run: The run.

        Returns:
            The folder.

        Raises:
            UsageError: If the run id is empty or too long.
        """
        return self.path / WORK / run_name(run)

    def discard_work(self, run: str) -> None:
        """Throw away the work folder of a run, and what killed processes left of its files.

        Args:
            run: The run.

        Raises:
            UsageError: If the run id is empty or too long.
            StoreError: If it cannot be removed.
        """
        folder = self.work_folder(run)
        try:
            if folder.exists():
                shutil.rmtree(folder)
            remove_leftovers(self.path / DETECTIONS, f"{run_name(run)}{SEPARATOR}")
            for kept in (RUNS, INDEX):
                remove_leftovers(self.path / kept, f"{run_name(run)}.json")
        except OSError as error:
            raise StoreError(f"{folder} cannot be removed ({error.strerror}); check rights") from error

    def remove_run(self, run: str) -> None:
        """Remove a run: its manifest, its scenes in one step, and its work folder.

        Args:
            run: The run.

        Raises:
            UsageError: If the run id is empty or too long.
            StoreError: If another process works on it, or it cannot be removed. It counts as unfinished then.
        """
        with run_lock(self.work_folder(run)):
            # First, so that no run that has lost scenes ever counts as finished.
            self.manifests.remove(run)
            self.files.remove(run)
            self.discard_work(run)

    def remove_scene(self, run: str, scene: str) -> None:
        """Remove one scene of a run; its manifest, if it has one, goes on without it.

        Args:
            run: The run.
            scene: Scene id.

        Raises:
            UsageError: If the run has not published such a scene.
            StoreError: If another process works on the run, or the scene cannot be removed.
        """
        text("scene", scene, "the id of a scene")
        present = {published.scene.id for published in self.published(run)}
        if scene not in present:
            raise UsageError(f"run {run!r} in {self.path} has no scene {scene!r}; `swathe scenes` lists those it has")
        if present == {scene}:
            self.remove_run(run)
            return
        with run_lock(self.work_folder(run)):
            manifest = self.manifest(run)
            if manifest is not None:
                gone = self.files.matches(Query(runs=(run,), scenes=(scene,)))
                left = without_scene(manifest, scene, Counter(gone.classes.tolist()))
                # First, so that whatever a manifest names can be read.
                self.manifests.write(run, to_json(left, indent=2))
            self.files.remove(run, scene)
            if manifest is not None:
                self.discard_work(run)

    def compact(self, run: str) -> int:
        """Merge the small files of a finished run; readers find the same as before, at every moment.

        Args:
            run: The run.

        Returns:
            How many files there are less.

        Raises:
            UsageError: If the run is not finished.
            StoreError: If another process works on the run, a file is damaged, or the file system cannot exchange files
                in one step.
        """
        if self.manifest(run) is None:
            raise UsageError(
                f"run {run!r} in {self.path} is not finished and may change yet; resume or remove it first"
            )
        self._raise_version()
        with run_lock(self.work_folder(run)):
            gone = self.files.merge(run)
            self.discard_work(run)
        return gone

    def _raise_version(self) -> None:
        """Mark an older store as one of this version before a file of this version comes into it."""
        mark = self.path / MARK
        if check_version(read_document(mark), KIND, mark) == SCHEMA_VERSION:
            return
        with store_lock(mark, exclusive=True):
            (self.path / INDEX).mkdir(exist_ok=True)
            _mark(self.path)


def is_store(path: Path | str) -> bool:
    """Tell whether a path is the folder of a store, of whatever version.

    Args:
        path: Any path.

    Returns:
        Whether it bears the mark of a store.
    """
    return (Path(path) / MARK).is_file()


def is_idle_store(path: Path | str) -> bool:
    """Tell whether a path is the folder of a store that may be replaced as a whole.

    Args:
        path: Any path.

    Returns:
        Whether it bears the mark of a store.

    Raises:
        StoreError: If a process works on a run in it.
    """
    busy = sorted(run_of(folder.name) for folder in (Path(path) / WORK).glob("*") if is_at_work(folder))
    if busy:
        raise StoreError(
            f"{path}: a process is working on run {busy[0]} in it, so it cannot be replaced; wait, or stop it"
        )
    return is_store(path)


def _mark(folder: Path) -> None:
    """Write what tells that a folder is a store, and of which version."""
    with published_file(folder / MARK, overwrite=True) as stream:
        stream.write(to_json({"kind": KIND, "schema_version": SCHEMA_VERSION}).encode())
