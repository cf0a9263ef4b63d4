"""What is known of each file of a finished run without opening it: an account that a query checks before it trusts it.

An entry counts only for a file that bears the very seal it was made of: size and SHA-256 of the footer. So an index
that is stale, copied from elsewhere or missing makes queries slower and never wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from swathe.atomic import published_file
from swathe.errors import StoreError
from swathe.store.schema import SCHEMA_VERSION, FileHead, check_version, parse_json, to_json
from swathe.store.seal import Seal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from swathe.query import Query
    from swathe.query.values import Bounds
    from swathe.store.old_file import DetectionsFile
    from swathe.store.schema import Count

KIND = "index"
SEAL = b',"sha256":"'  # the last key, over all bytes before it


@dataclass(frozen=True)
class FileEntry:
    """What is known of one file."""

    name: str  # name of the file
    seal: Seal  # what it must bear, or the entry is of another file
    rows: int  # detections in it
    bounds: Bounds | None  # hull of all geometries: xmin, ymin, xmax, ymax in geometry coordinates; None without rows
    highest_score: float | None  # None without rows
    head: FileHead  # its scenes, classes and runs
    class_scores: Mapping[str, float] | None = None  # highest score of each class that has rows; None if not known

    @classmethod
    def of(cls, file: DetectionsFile, *, by_class: bool = False) -> Self:
        """Describe a file that is open.

        Args:
            file: The file.
            by_class: Look up the highest score of each class, too, for which rows are read.

        Returns:
            The entry.

        Raises:
            StoreError: If the file is damaged.
        """
        scores = file.class_scores() if by_class else None
        if not len(file):
            return cls(file.path.name, file.seal, 0, None, None, file.head, scores)
        hulls = file.hulls()
        xmin, ymin = hulls[:, :2].min(axis=0).tolist()
        xmax, ymax = hulls[:, 2:].max(axis=0).tolist()
        score = float(file.highest_scores().max())
        return cls(file.path.name, file.seal, len(file), (xmin, ymin, xmax, ymax), score, file.head, scores)

    @property
    def counts(self) -> tuple[Count, ...]:
        """Detections of each run and scene."""
        return self.head.counts

    def may_match(self, query: Query) -> bool:
        """Tell whether the file may hold a match.

        Args:
            query: What is looked for.

        Returns:
            False if it holds none.
        """
        if self.bounds is None or self.highest_score is None or not self.head.may_match(query):
            return False
        highest = self.highest_score
        if query.classes is not None and self.class_scores is not None:
            known = [self.class_scores[name] for name in query.classes if name in self.class_scores]
            if not known:
                return False
            highest = max(known)
        if query.min_score is not None and highest < query.min_score:
            return False
        return bool(query.hull_mask(np.asarray([self.bounds]))[0])

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "name": self.name,
            "size": self.seal.size,
            "footer": self.seal.footer,
            "sha256": self.seal.digest,
            "rows": self.rows,
            "bounds": self.bounds,
            "highest_score": self.highest_score,
            **({} if self.class_scores is None else {"class_scores": self.class_scores}),
            "head": self.head.document(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], path: Path) -> Self:
        """Make an entry of JSON values.

        Args:
            document: What `document` has returned.
            path: Where it comes from, for messages.

        Returns:
            The entry.

        Raises:
            StoreError: If its head is damaged, or of a newer version.
            KeyError: If something is missing.
            ValueError: If something is no number.
        """
        seal = Seal(int(document["size"]), int(document["footer"]), str(document["sha256"]))
        bounds: Bounds | None = None
        if document["bounds"]:
            xmin, ymin, xmax, ymax = map(float, document["bounds"])
            bounds = xmin, ymin, xmax, ymax
        head = FileHead.from_document(document["head"], path)
        scores = document.get("class_scores")
        if scores is not None:
            scores = {str(name): float(score) for name, score in dict(scores).items()}
        return cls(str(document["name"]), seal, int(document["rows"]), bounds, document["highest_score"], head, scores)


def write_index(path: Path, entries: Iterable[FileEntry]) -> None:
    """Publish the index of a run.

    Args:
        path: Where it is kept.
        entries: What is known of its files.

    Raises:
        UsageError: If a run's description is no JSON.
        StoreError: If it cannot be written.
    """
    files = [entry.document() for entry in sorted(entries, key=lambda entry: entry.name)]
    text = to_json({"kind": KIND, "schema_version": SCHEMA_VERSION, "files": files})
    body = text.removesuffix("}").encode()
    with published_file(path, overwrite=True) as stream:
        stream.write(body + SEAL + sha256(body).hexdigest().encode() + b'"}\n')


def read_index(path: Path) -> Mapping[str, FileEntry]:
    """Read the index of a run; one that is missing, damaged or of a newer version is as good as empty.

    Damage that leaves it readable, such as another digit in a hull, is told by the checksum at its end.

    Args:
        path: Where it is kept.

    Returns:
        Name of a file -> what is known of it, if the file still bears that seal.
    """
    try:
        state = path.stat()
    except OSError:
        return {}
    return _parsed(path, (state.st_ino, state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=64)
def _parsed(path: Path, _state: tuple[int, int, int]) -> Mapping[str, FileEntry]:
    """Read an index once for as long as its file stays the same."""
    try:
        text = path.read_bytes()
        body, _, seal = text.rpartition(SEAL)
        if seal.rstrip() != sha256(body).hexdigest().encode() + b'"}':
            return {}
        document = parse_json(text, path)
        check_version(document, KIND, path)
        entries = [FileEntry.from_document(entry, path) for entry in document["files"]]
    except (OSError, StoreError, KeyError, TypeError, ValueError):
        return {}
    return {entry.name: entry for entry in entries}
