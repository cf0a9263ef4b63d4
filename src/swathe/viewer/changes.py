"""What is new and what is gone between two runs, or two times: boxes of a class are matched by how they overlap."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from swathe.store.exports.geojson import features
from swathe.store.exports.rows import json_text
from swathe.viewer.features import GEOJSON
from swathe.viewer.library import TooMuchError
from swathe.viewer.parameters import Conditions, Names

if TYPE_CHECKING:
    from swathe.detections import Detections
    from swathe.query import Query as DetectionQuery
    from swathe.viewer.library import Library

MOST_COMPARED = 20_000  # detections of either side
Indexes: TypeAlias = npt.NDArray[np.int64]


class ChangesParameters(Conditions):
    """What is compared with what."""

    before_run: Names = Field([], description="Run to compare with; the same as `run` if not given.")
    before: str | None = Field(None, max_length=80, description="When scenes to compare with were taken.")
    overlap: float = Field(0.3, ge=0.01, le=1, allow_inf_nan=False, description="Least IoU of boxes that are the same.")


def make_router(library: Library) -> APIRouter:
    """Make the routes.

    Args:
        library: What to answer from.

    Returns:
        The routes.
    """
    router = APIRouter(tags=["Changes"])

    @router.get("/changes", summary="Detections that are only there now, or only before")
    def changes(request: Request, given: Annotated[ChangesParameters, Query()]) -> Response:
        snapshot = library.now()
        earlier = given.model_copy(
            update={
                "run": given.before_run or given.run,
                "taken": given.taken if given.before is None else given.before,
            }
        )
        now, before = given.query(library, snapshot), earlier.query(library, snapshot)

        def make() -> bytes:
            return _compare(_few(library, now), _few(library, before), given.overlap)

        return library.answer(request, snapshot.version, GEOJSON, make)

    return router


def _few(library: Library, query: DetectionQuery) -> Detections:
    rows = library.rows(replace(query, limit=MOST_COMPARED + 1), 0, MOST_COMPARED + 1)
    if len(rows) > MOST_COMPARED:
        raise TooMuchError(f"there are more than {MOST_COMPARED:,} detections to compare; ask for a smaller bbox")
    return rows


def _compare(now: Detections, before: Detections, overlap: float) -> bytes:
    """Write what is new and gone as features with a property `change`."""
    pairs = matched(now, before, overlap)
    fresh = now.take(np.setdiff1d(np.arange(len(now)), pairs[:, 0]))
    gone = before.take(np.setdiff1d(np.arange(len(before)), pairs[:, 1]))
    texts = [
        f'{{"change":"{change}",{text[1:]}'.replace('"properties":{', f'"properties":{{"change":"{change}",', 1)
        for change, rows in (("new", fresh), ("gone", gone))
        for text in features(rows)
    ]
    head = {"type": "FeatureCollection", "same": len(pairs), "new": len(fresh), "gone": len(gone)}
    return f'{json_text(head)[:-1]},"features":[{",".join(texts)}]}}'.encode()


def matched(one: Detections, other: Detections, overlap: float) -> Indexes:
    """Pair boxes of one class that overlap, those first that overlap most; each is in one pair at most.

    Args:
        one: Some detections.
        other: Others.
        overlap: Least IoU of a pair, on the ground.

    Returns:
        Pairs (k, 2) of an index into either.
    """
    left, right = one.footprints(), other.footprints()
    pairs = shapely.STRtree(right).query(left, predicate="intersects").T if len(left) and len(right) else []
    pairs = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    pairs = pairs[one.classes[pairs[:, 0]] == other.classes[pairs[:, 1]]]
    shared = shapely.area(shapely.intersection(left[pairs[:, 0]], right[pairs[:, 1]]))
    ratios = shared / (shapely.area(left[pairs[:, 0]]) + shapely.area(right[pairs[:, 1]]) - shared)
    taken: tuple[set[int], set[int]] = set(), set()
    kept = []
    for number in np.argsort(-ratios, kind="stable").tolist():
        a, b = pairs[number].tolist()
        if ratios[number] >= overlap and a not in taken[0] and b not in taken[1]:
            taken[0].add(a)
            taken[1].add(b)
            kept.append(number)
    return np.asarray(pairs[kept], dtype=np.int64)
