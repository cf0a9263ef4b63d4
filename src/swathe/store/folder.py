"""The files of detections in a store: found, described, queried, published, merged and removed."""

from __future__ import annotations

import itertools
import os
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self, TypeVar

from swathe.atomic import TEMPORARY_SUFFIX, not_written, published_file, sync_folder
from swathe.detections import Detections
from swathe.errors import StoreError
from swathe.query import Query
from swathe.store.compact import MERGED_ROWS, plan_merges
from swathe.store.index import FileEntry, read_index, write_index
from swathe.store.layout import (
    DETECTIONS,
    INDEX,
    MARK,
    MERGED_MARK,
    SEPARATOR,
    SUFFIX,
    file_name,
    merged_name,
    run_name,
    scene_name,
    split_name,
)
from swathe.store.lock import store_lock
from swathe.store.old_file import DetectionsFile
from swathe.store.parquet import write_detections
from swathe.store.swap import names_in, rearrange, sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from swathe.detections import SceneInfo
    from swathe.store.schema import FileHead

_ATTEMPTS = 5  # of a reader whose files are merged or removed while it opens them, before it makes the others wait
_Read = TypeVar("_Read")


@dataclass(frozen=True)
class DetectionsFolder:
    """All files of detections of a store. A scene of a run lies in a file of its own, or in a merged one of its run."""

    store: Path  # folder of the store

    @property
    def path(self) -> Path:
        """The folder that holds the files."""
        return self.store / DETECTIONS

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self.paths(Query()))

    def paths(self, query: Query) -> list[Path]:
        """Find the files whose names allow a match; a merged file tells its scenes only inside.

        Args:
            query: What is looked for.

        Returns:
            The files, sorted.

        Raises:
            UsageError: If the id of a run is empty or too long.
        """
        runs = None if query.runs is None else {run_name(run) for run in query.runs}
        scenes = None if query.scenes is None else {scene_name(scene) for scene in query.scenes}
        found = []
        for name in sorted(names_in(self.path)):
            if name.startswith(".") or not name.endswith(SUFFIX):
                continue
            run, scene = split_name(name)
            if (runs is None or run in runs) and (scenes is None or scene in scenes or scene.startswith(MERGED_MARK)):
                found.append(self.path / name)
        return found

    def entries(self, query: Query | None = None, *, by_class: bool = False) -> tuple[FileEntry, ...]:
        """Describe files.

        Args:
            query: Leaves out files whose names allow no match; None takes all.
            by_class: Look up the highest score of each class, too.

        Returns:
            What is known of each, in the order of their names.

        Raises:
            StoreError: If a file is damaged.
        """

        def describe(path: Path, known: FileEntry | None) -> FileEntry:
            if known is not None and (known.class_scores is not None or not by_class):
                return known
            return FileEntry.of(DetectionsFile(path), by_class=by_class)

        return self._settled(lambda: tuple(describe(path, known) for path, known in self._known(query or Query())))

    def matches(self, query: Query) -> Detections:
        """Return the matches of a query, in no particular order and without regard to its limit.

        Args:
            query: What to look for.

        Returns:
            The matches.

        Raises:
            UsageError: If the answer mixes runs that describe a scene differently.
            StoreError: If a file is damaged.
        """
        return self._settled(lambda: Detections.concat(self._parts(query)))

    def locate(self, run: str, scene: str) -> Path:
        """Find the file of a scene of a run.

        Args:
            run: The run.
            scene: Scene id.

        Returns:
            The file that holds it, or that will hold it.

        Raises:
            UsageError: If the run id is empty or too long.
            StoreError: If a merged file of the run is damaged.
        """
        own = self.path / file_name(run, scene)
        return own if own.exists() else self._merged_with(run, scene) or own

    def publish(self, run: str, detections: Detections, scene: SceneInfo) -> Path:
        """Write the file of a scene, or replace what there is of it.

        Args:
            run: The run.
            detections: Its detections in this scene alone.
            scene: The scene.

        Returns:
            The file.

        Raises:
            UsageError: If the run id is empty or too long.
            SourceError: If a footprint has no longitude and latitude.
            StoreError: If it cannot be written; readers then see what they saw before.
        """
        path = self.path / file_name(run, scene.id)
        merged = self._merged_with(run, scene.id)
        if merged is not None:
            self._exchange_scene(run, scene.id, merged, detections)
            return path
        with store_lock(self.store / MARK, exclusive=False), published_file(path, overwrite=True) as stream:
            write_detections(detections, stream)
        return path

    def remove(self, run: str, scene: str | None = None) -> None:
        """Remove a scene of a run, or all of them in one step if the file system can.

        Args:
            run: The run.
            scene: Scene id; None for all.

        Raises:
            UsageError: If the run id is empty or too long.
            StoreError: If it cannot be removed.
        """
        self._sweep()
        merged = None if scene is None else self._merged_with(run, scene)
        if scene is not None and merged is not None:
            self._exchange_scene(run, scene, merged, None)
        else:
            paths = self.paths(Query(runs=(run,))) if scene is None else [self.path / file_name(run, scene)]
            self._unlink(paths)
        self.refresh_index(run)

    def merge(self, run: str, limit: int = MERGED_ROWS) -> int:
        """Merge the small files of a run, each group in one step.

        Args:
            run: The run; nobody else may write it meanwhile.
            limit: Most rows of a merged file.

        Returns:
            How many files there are less.

        Raises:
            UsageError: If the run id is empty or too long.
            StoreError: If it cannot be written, or the file system has no way to do it in one step.
        """
        self._sweep()
        gone = 0
        for group in plan_merges(self.entries(Query(runs=(run,))), limit):
            detections = Detections.concat([DetectionsFile(self.path / entry.name).scan(Query()) for entry in group])
            drop = {entry.name for entry in group}
            with _Staged(self.path, run) as staged:
                staged.write(merged_name, replace(detections, runs={run: detections.runs.get(run, {})}))
                self._rearrange(drop, staged.files)
            gone += len(group) - 1
        self.refresh_index(run)
        return gone

    def refresh_index(self, run: str) -> None:
        """Write down what is known of the files of a run, or forget it if there is none.

        Args:
            run: The run.

        Raises:
            UsageError: If the run id is empty or too long.
            StoreError: If it cannot be written, or a file is damaged.
        """
        path, entries = self._index_path(run), self.entries(Query(runs=(run,)), by_class=True)
        if not entries:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise StoreError(f"{path}: this index cannot be removed ({error.strerror}); delete it") from error
        elif dict(read_index(path)) != {entry.name: entry for entry in entries}:
            path.parent.mkdir(exist_ok=True)
            write_index(path, entries)

    def _settled(self, read: Callable[[], _Read]) -> _Read:
        """Read again if a file went away between being listed and being opened: it was merged or removed."""
        for _ in range(_ATTEMPTS):
            try:
                return read()
            except StoreError as error:
                if not isinstance(error.__cause__, FileNotFoundError):
                    raise
        with store_lock(self.store / MARK, exclusive=False):
            return read()

    def _parts(self, query: Query) -> Iterator[Detections]:
        """Yield the matches of each file; one is not opened if what is known of it excludes it."""
        unopened: list[FileHead] = []
        for path, entry in self._known(query):
            if entry is not None and not entry.may_match(query):
                unopened.append(entry.head)
                continue
            yield from _nothing_of(unopened)
            unopened.clear()
            yield DetectionsFile(path).scan(query)
        yield from _nothing_of(unopened)

    def _known(self, query: Query) -> Iterator[tuple[Path, FileEntry | None]]:
        """Yield the files whose names allow a match, with what the index knows if it is of that very file."""
        indexes: dict[str, Mapping[str, FileEntry]] = {}
        for path in self.paths(query):
            run = split_name(path.name)[0]
            if run not in indexes:
                indexes[run] = read_index(self.store / INDEX / f"{run}.json")
            entry = indexes[run].get(path.name)
            yield path, entry if entry is not None and entry.seal.is_on(path) else None

    def _index_path(self, run: str) -> Path:
        return self.store / INDEX / f"{run_name(run)}.json"

    def _merged_with(self, run: str, scene: str) -> Path | None:
        """Return the merged file of a run that holds a scene."""
        for path, entry in self._known(Query(runs=(run,), scenes=())):
            head = DetectionsFile(path).head if entry is None else entry.head
            if (run, scene) in head.scenes:
                return path
        return None

    def _exchange_scene(self, run: str, scene: str, merged: Path, detections: Detections | None) -> None:
        """Take a scene out of a merged file and publish it anew, or not at all, in one step."""
        whole = DetectionsFile(merged).scan(Query())
        others = {key: info for key, info in whole.scenes.items() if key[1] != scene}
        with _Staged(self.path, run) as staged:
            if others:
                rest = whole.take(~whole.name_mask("scene", [scene]))
                staged.write(merged_name, replace(rest, scenes=others))
            if detections is not None:
                staged.write(lambda name, _: file_name(name, scene), detections)
            self._rearrange({merged.name}, staged.files)

    def _rearrange(self, drop: set[str], add: Mapping[str, Path]) -> None:
        """Change files in one step, while nobody publishes."""
        with store_lock(self.store / MARK, exclusive=True):
            if not rearrange(self.path, drop=drop, add=add):
                raise StoreError(
                    f"{self.store}: its file system cannot exchange two folders in one step, so files cannot be merged "
                    "nor merged ones changed; move the store to a local disk (ext4, XFS, Btrfs) first"
                )

    def _sweep(self) -> None:
        """Remove what a process left that was killed when it exchanged folders."""
        with store_lock(self.store / MARK, exclusive=True):
            sweep(self.path)

    def _unlink(self, paths: list[Path]) -> None:
        """Remove files in one step, or one after the other where the file system has no other way."""
        with store_lock(self.store / MARK, exclusive=True):
            if len(paths) > 1 and rearrange(self.path, drop={path.name for path in paths}):
                return
            try:
                for path in paths:
                    path.unlink(missing_ok=True)
                sync_folder(self.path)
            except OSError as error:
                raise StoreError(f"{self.path}: files cannot be removed ({error.strerror}); check rights") from error


def _nothing_of(heads: Iterable[FileHead]) -> Iterator[Detections]:
    """Yield no detections for files that were looked at, neighbours that know the same classes and runs together."""
    for (names, runs), alike in itertools.groupby(heads, key=lambda head: (head.class_names, head.runs)):
        yield Detections.empty(names, {key: scene for head in alike for key, scene in head.scenes.items()}, runs)


class _Staged:
    """Files written under hidden names, to be given their names later; gone at the end of the block."""

    def __init__(self, folder: Path, run: str) -> None:
        self.files: dict[str, Path] = {}  # final name -> where it is for now
        self._folder, self._run = folder, run
        self._written: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for path in self._written:
            path.unlink(missing_ok=True)

    def write(self, name_of: Callable[[str, str], str], detections: Detections) -> None:
        """Write a file whose name may depend on its seal."""
        path = self._folder / f".{run_name(self._run)}{SEPARATOR}{uuid.uuid4().hex[:12]}{TEMPORARY_SUFFIX}"
        self._written.append(path)
        try:
            with path.open("x+b") as stream:
                seal = write_detections(detections, stream).seal
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise StoreError(not_written(path, error)) from error
        self.files[name_of(self._run, seal.digest)] = path
