"""Runs, as they are and as they grow: a list, and a stream of events."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from swathe.colours import class_colours
from swathe.engine.plan import scene_key
from swathe.errors import StoreError
from swathe.store.exports.rows import json_text
from swathe.viewer.library import TooMuchError
from swathe.viewer.problems import log

if TYPE_CHECKING:
    from swathe.store.protocol import StoredRun
    from swathe.viewer.library import Library
    from swathe.viewer.snapshot import Snapshot

PART = re.compile(r"([^/]+)/part-\d+-\d+-(\d+)")  # key of a scene, number of windows: as the engine calls its parts
STEP = 1.0  # seconds between looks at the store
QUIET = 15.0  # seconds after which a stream shows that it is alive
MOST_STREAMS = 64
MOST_REASONS = 20  # failed scenes of a run that are named


def make_router(library: Library) -> APIRouter:
    """Make the routes.

    Args:
        library: What to answer from.

    Returns:
        The routes.
    """
    router = APIRouter(tags=["Runs"])
    streams: set[object] = set()

    @router.get("/runs", summary="Runs with model, settings, and how far they are")
    def runs(request: Request) -> Response:
        text = _now(library)
        return library.answer(request, text, "application/json", text.encode)

    @router.get("/events", summary="Runs as server-sent events, one whenever something has changed")
    async def events() -> StreamingResponse:
        if len(streams) >= MOST_STREAMS:
            raise TooMuchError(f"{MOST_STREAMS} pages watch this store already; close one")
        return StreamingResponse(_watch(library, streams), media_type="text/event-stream")

    return router


async def _watch(library: Library, streams: set[object]) -> AsyncIterator[bytes]:
    """Yield an event for each change, and a comment now and then."""
    mark, seen, quiet = object(), "", 0.0  # the text that was sent last, and for how many seconds nothing was
    streams.add(mark)
    try:
        while not library.stopping:
            try:
                text = await run_in_threadpool(_now, library)
            except StoreError as error:  # it may be back at the next look
                log.warning("%s", error)
            else:
                if text != seen:
                    seen, quiet = text, 0.0
                    yield f"event: runs\ndata: {text}\n\n".encode()
            if quiet >= QUIET:
                quiet = 0.0
                yield b": still here\n\n"
            await asyncio.sleep(STEP)
            quiet += STEP
    finally:
        streams.discard(mark)


def _now(library: Library) -> str:
    """Return the description of the runs, with what is done of scenes that are not complete."""
    snapshot = library.now()
    return json_text(describe(snapshot, {run.id: _in_work(library, snapshot, run) for run in snapshot.runs}))


def _in_work(library: Library, snapshot: Snapshot, run: StoredRun) -> int:
    """Count the windows whose parts lie in the workspace of a run."""
    if not run.pending:
        return 0
    waiting = [scene for scene in snapshot.by_run.get(run.id, []) if scene.state == "pending"]
    most = {scene_key(scene.scene.id, scene.fingerprint): scene.windows for scene in waiting}
    done = dict.fromkeys(most, 0)
    for name in library.store.workspace(run.id).names():
        if (part := PART.fullmatch(name)) and part[1] in done:
            done[part[1]] += int(part[2])
    return sum(min(windows, most[key]) for key, windows in done.items())


def describe(snapshot: Snapshot, in_work: Mapping[str, int]) -> dict[str, Any]:
    """Describe the runs of a store.

    Args:
        snapshot: What the store holds.
        in_work: Windows that are done of scenes that are not complete, by run.

    Returns:
        JSON values: the version, the colour of each class, and the runs, the latest first.
    """
    colours = {name: "#{:02x}{:02x}{:02x}".format(*rgb) for name, rgb in class_colours(snapshot.class_names).items()}
    runs = [_run(snapshot, run, in_work.get(run.id, 0)) for run in snapshot.runs]
    return {"version": snapshot.version, "colours": colours, "runs": runs[::-1]}


def _run(snapshot: Snapshot, run: StoredRun, in_work: int) -> dict[str, Any]:
    scenes = snapshot.by_run.get(run.id, [])
    failed = [scene for scene in scenes if scene.state == "failed"]
    classes: dict[str, int] = {}
    for scene in scenes:
        for name, count in scene.per_class.items():
            classes[name] = classes.get(name, 0) + count
    return {
        "id": run.id,
        "name": run.name,
        "about": dict(run.about),
        "updated": run.updated,
        "scenes": {"complete": run.complete, "pending": run.pending, "failed": run.failed},
        "windows": {
            "done": in_work + sum(scene.windows for scene in scenes if scene.state == "complete"),
            "all": sum(scene.windows for scene in scenes if scene.state != "failed"),
        },
        "detections": run.detections,
        "classes": classes,
        "failed": [{"scene": scene.scene.id, "reason": scene.reason} for scene in failed[:MOST_REASONS]],
    }
