"""The embedded store: a folder with a GeoParquet file for each run and scene. See docs/store-format.md."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from unicodedata import category
from urllib.parse import unquote

from swathe.atomic import published_file, published_folder, remove_leftovers
from swathe.detections import Detections
from swathe.errors import StoreError, UsageError
from swathe.query import Query
from swathe.store.parquet import DetectionsFile, write_detections
from swathe.store.schema import SCHEMA_VERSION, check_version, parse_json, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from swathe.detections import SceneInfo

MARK = "swathe-store.json"
KIND = "geoparquet"
DETECTIONS, RUNS, WORK = "detections", "runs", ".work"
_SEPARATOR = "-"  # between run and scene in file names; escaped within runs
_LONGEST_NAME = 100  # bytes of an escaped run or scene id: file systems take 255 in all


@dataclass(frozen=True)
class GeoParquetStore:
    """A store in a folder that exists; `create` makes one."""

    path: Path  # the folder

    def __post_init__(self) -> None:
        """Refuse a folder that is no store, or one of another version."""
        object.__setattr__(self, "path", Path(self.path))
        mark = self.path / MARK
        if not self.path.exists():
            raise StoreError(f"there is no store at {self.path}; check the name, or detect into it first")
        if not mark.is_file():
            raise StoreError(f"{self.path} is not a store of Swathe (it has no {MARK}); name another folder")
        check_version(parse_json(_read(mark), mark), KIND, mark)
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
            StoreError: If the path exists and may not be replaced, or cannot be written.
        """
        path = Path(path)
        with published_folder(path, replaceable=is_store if overwrite else None) as folder:
            cls.lay_out(folder)
        return cls(path)

    @classmethod
    def lay_out(cls, folder: Path) -> Self:
        """Turn an empty folder into a store.

        Args:
            folder: The folder.

        Returns:
            The store.
        """
        (folder / DETECTIONS).mkdir()
        (folder / RUNS).mkdir()
        with published_file(folder / MARK, overwrite=False) as stream:
            stream.write(to_json({"kind": KIND, "schema_version": SCHEMA_VERSION}).encode())
        return cls(folder)

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
        strangers = ({*detections.run_ids.tolist()} - {run}) | ({*detections.scene_ids.tolist()} - {scene.id})
        if strangers or detections.scenes.get(scene.id, scene) != scene:
            raise UsageError(
                f"detections published for run {run!r}, scene {scene.id!r} must belong to these alone, not to "
                f"{', '.join(sorted(strangers)) or 'another scene of this name'}; split them first"
            )
        own = replace(detections, scenes={scene.id: scene}, runs={run: detections.runs.get(run, {})})
        path = self.scene_path(run, scene.id)
        with published_file(path, overwrite=True) as stream:
            write_detections(own, stream)
        return path

    def scene_path(self, run: str, scene: str) -> Path:
        """Return where a scene is kept once it is published.

        Args:
            run: The run.
            scene: Scene id.

        Returns:
            The GeoParquet file.
        """
        return self.path / DETECTIONS / file_name(run, scene)

    def commit(self, run: str, manifest: Mapping[str, Any]) -> None:
        """Mark a run as finished and clear its work folder.

        Args:
            run: The run.
            manifest: What shall be known of it, JSON values.

        Raises:
            UsageError: If a value is none of JSON.
            StoreError: If it cannot be written.
        """
        text = to_json(manifest, indent=2)
        with published_file(self._manifest_path(run), overwrite=True) as stream:
            stream.write(f"{text}\n".encode())
        self.discard_work(run)

    def manifest(self, run: str) -> dict[str, Any] | None:
        """Return the manifest of a finished run.

        Args:
            run: The run.

        Returns:
            The manifest, None for a run that is unfinished or unknown.

        Raises:
            StoreError: If it is damaged.
        """
        path = self._manifest_path(run)
        return parse_json(_read(path), path) if path.exists() else None

    def runs(self) -> tuple[str, ...]:
        """Return all runs with a manifest or a published scene.

        Returns:
            Run ids, sorted.
        """
        published = {path.name.partition(_SEPARATOR)[0] for path in self._paths(Query())}
        finished = {path.stem for path in (self.path / RUNS).glob("[!.]*.json")}
        return tuple(sorted(map(unquote, published | finished)))

    def scenes(self, run: str | None = None) -> tuple[SceneInfo, ...]:
        """Return the published scenes; those without detections too.

        Args:
            run: The run, None for all.

        Returns:
            Scenes sorted by id.

        Raises:
            StoreError: If a file is damaged.
        """
        query = Query(runs=None if run is None else (run,))
        scenes = {scene for file in self._files(query) for scene in file.head.scenes}
        return tuple(sorted(scenes, key=lambda scene: (scene.id, scene.uri)))

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
        query = query or Query()
        return query.finish(Detections.concat(file.scan(query) for file in self._files(query)))

    def work_folder(self, run: str) -> Path:
        """Return the folder for the ledger of an unfinished run; it need not exist yet.

        Args:
            run: The run.

        Returns:
            The folder.
        """
        return self.path / WORK / _run_name(run)

    def unfinished_runs(self) -> tuple[str, ...]:
        """Return the runs that have a work folder.

        Returns:
            Run ids, sorted.
        """
        return tuple(sorted(unquote(path.name) for path in (self.path / WORK).glob("*") if path.is_dir()))

    def discard_work(self, run: str) -> None:
        """Throw away the work folder of a run, and what killed processes left of its files.

        Args:
            run: The run.

        Raises:
            StoreError: If it cannot be removed.
        """
        folder = self.work_folder(run)
        try:
            if folder.exists():
                shutil.rmtree(folder)
            remove_leftovers(self.path / DETECTIONS, f"{_run_name(run)}{_SEPARATOR}")
            remove_leftovers(self.path / RUNS, f"{_run_name(run)}.json")
        except OSError as error:
            raise StoreError(f"{folder} cannot be removed ({error.strerror}); check rights") from error

    def remove_run(self, run: str) -> None:
        """Remove a run: its manifest, its scenes and its work folder.

        Args:
            run: The run.

        Raises:
            StoreError: If it cannot be removed.
        """
        try:
            self._manifest_path(run).unlink(missing_ok=True)
            for path in self._paths(Query(runs=(run,))):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"run {run!r} cannot be removed from {self.path} ({error.strerror})") from error
        self.discard_work(run)

    def _manifest_path(self, run: str) -> Path:
        return self.path / RUNS / f"{_run_name(run)}.json"

    def _paths(self, query: Query) -> list[Path]:
        """Return the files of detections whose names allow a match, sorted."""
        runs = None if query.runs is None else {_run_name(run) for run in query.runs}
        scenes = None if query.scenes is None else {_scene_name(scene) for scene in query.scenes}
        paths = []
        for path in (self.path / DETECTIONS).glob("[!.]*.parquet"):
            run, _, scene = path.stem.partition(_SEPARATOR)
            if (runs is None or run in runs) and (scenes is None or scene in scenes):
                paths.append(path)
        return sorted(paths)

    def _files(self, query: Query) -> Iterator[DetectionsFile]:
        """Open the files of detections that may hold a match, one after the other."""
        for path in self._paths(query):
            yield DetectionsFile(path)


def is_store(path: Path | str) -> bool:
    """Tell whether a path is the folder of a store, of whatever version.

    Args:
        path: Any path.

    Returns:
        Whether it bears the mark of a store.
    """
    return (Path(path) / MARK).is_file()


def file_name(run: str, scene: str) -> str:
    """Return the name of the file for a run and a scene: one of its own, whatever characters they hold.

    Args:
        run: Run id.
        scene: Scene id.

    Returns:
        `RUN-SCENE.parquet`, percent-encoded where a file name cannot or should not hold a character.

    Raises:
        UsageError: If the run id is empty or too long.
    """
    return f"{_run_name(run)}{_SEPARATOR}{_scene_name(scene)}.parquet"


def _run_name(run: str) -> str:
    """Return a run id as part of a file name; `urllib.parse.unquote` gives it back."""
    name = _escape(run, "_.")
    if not name or len(name.encode()) > _LONGEST_NAME:
        raise UsageError(f"run {run!r}: the id of a run must have 1 to {_LONGEST_NAME} bytes; choose another one")
    return name


def _scene_name(scene: str) -> str:
    """Return a scene id as part of a file name; a very long one is cut and told apart by its hash."""
    name = _escape(scene, "_.-")
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    return f"{name.encode()[:_LONGEST_NAME].decode(errors='ignore')}~{sha256(scene.encode()).hexdigest()[:16]}"


def _escape(name: str, safe: str) -> str:
    """Percent-encode all but letters and digits of any script and `safe` characters, of which a leading dot is none."""
    kept = [
        character
        if character.isalnum()
        or category(character).startswith("M")
        or (character in safe and (number or character != "."))
        else "".join(f"%{byte:02X}" for byte in character.encode())
        for number, character in enumerate(name)
    ]
    return "".join(kept)


def _read(path: Path) -> bytes:
    """Return the content of a small file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); check its rights") from error
