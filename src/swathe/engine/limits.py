"""How much memory a run may take: what the user says, or what is free, and the way out if a plan needs more."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from swathe.engine.memory import MEBIBYTE, WORKING_ROWS, Projection, merge_memory, project
from swathe.engine.plan import Plan
from swathe.errors import UsageError
from swathe.raster.reader import block_memory

UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?", re.IGNORECASE)
# Tiles that are proposed in place of one that is too large are multiples of this, pixels: the coarsest stride of the
# networks, four times.
TILE_STEP = 128
# A block is decoded as a whole, whatever part of it a window needs, and a small file can promise a large one. Larger
# ones are read only if somebody has said how much memory there is. Blocks of 8192 x 8192 RGB pixels pass. Bytes.
LARGEST_BLOCK = 512 * MEBIBYTE

PROC = Path("/proc")
GROUPS = Path("/sys/fs/cgroup")
# Beginning of the line in /proc/self/cgroup, folder of the groups, file of the limit, file of what is used: version 2
# of control groups, and version 1.
GROUP_FILES = (
    ("0::", "", "memory.max", "memory.current"),
    (":memory:", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def parse_bytes(text: str) -> int:
    """Read an amount of memory.

    Args:
        text: A number with a unit: "1.5GB" (powers of 1000), "800MiB" (powers of 1024), or bytes without one.

    Returns:
        Bytes, at least 1.

    Raises:
        UsageError: If it is no such amount.
    """
    found = AMOUNT.fullmatch(text.strip())
    amount = 0.0
    if found is not None:
        base = 1024 if found[3] else 1000
        amount = float(found[1]) * base ** UNITS[found[2].upper()]
    if not 1 <= amount < math.inf:
        raise UsageError(argument="memory", value=text, accepted="a number with a unit, for instance 1.5GB or 800MiB")
    return int(amount)


def available_memory(proc: Path = PROC, groups: Path = GROUPS) -> int | None:
    """Return the memory that new processes may take: of the machine, and of the control groups this process is in.

    Args:
        proc: Where the kernel tells about memory and processes.
        groups: Where it tells about control groups.

    Returns:
        Bytes; None where the system does not tell.
    """
    free = [int(line.split()[1]) << 10 for line in _lines(proc / "meminfo") if line.startswith("MemAvailable:")]
    return min([*free, *_free_in_groups(proc, groups)], default=None)


def _free_in_groups(proc: Path, groups: Path) -> Iterator[int]:
    """Yield what is left in each control group with a limit, from the own one outwards."""
    for line in _lines(proc / "self" / "cgroup"):
        for mark, folder, limit_name, used_name in GROUP_FILES:
            if mark not in line:
                continue
            root = groups / folder
            own = root / line.partition(mark)[2].lstrip("/")
            for group in (own, *own.parents):
                limit, used = _number(group / limit_name), _number(group / used_name)
                if limit is not None and used is not None:
                    yield max(0, limit - used + _file_cache(group / "memory.stat"))
                if group == root:
                    break


def _file_cache(path: Path) -> int:
    """Return the bytes of cached files that the kernel gives up before it refuses memory."""
    return sum(int(line.split()[1]) for line in _lines(path) if line.startswith("inactive_file "))


def _number(path: Path) -> int | None:
    """Return the number in a file; None for "max", no limit, and where there is no file."""
    words = " ".join(_lines(path)).split()
    return int(words[0]) if words and words[0].isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []


def memory_limit(plan: Plan) -> int | None:
    """Return what the processes of a run may take together: as set, or what is free; None if that is unknown."""
    return available_memory() if plan.settings.memory_limit is None else plan.settings.memory_limit


def check_memory(plan: Plan, workers: int) -> None:
    """Make sure that a run fits into memory before it begins.

    Args:
        plan: The run.
        workers: Worker processes, 0 for none.

    Raises:
        UsageError: If the projection is above the limit; the message names what would fit. Without `--memory` also if a
            scene's blocks are enormous.
    """
    if plan.settings.memory_limit is None:
        _check_blocks(plan)
    limit, projection = memory_limit(plan), plan.memory(workers)
    if limit is None or projection.total <= limit:
        return
    origin = "are free" if plan.settings.memory_limit is None else "are allowed by --memory"
    raise UsageError(
        f"this run takes about {in_words(projection.total)} ({describe(projection)}), but {in_words(limit)} {origin}; "
        f"{way_out(plan, workers, limit)}"
    )


def _check_blocks(plan: Plan) -> None:
    """Refuse scenes whose blocks take enormous memory, whoever packed them so."""
    for scene in plan.scenes:
        size, (rows, columns) = block_memory(scene), scene.block_shape
        if size > LARGEST_BLOCK:
            enough = math.ceil(plan.memory(0).total / MEBIBYTE)
            raise UsageError(
                f"{scene.id}: any window of it takes a block of {columns} x {rows} pixels, {in_words(size)} when it is "
                "decoded; if you trust the file, allow what it takes with --memory, such as "
                f"--memory {enough}MiB --workers 0, or pack it in smaller tiles"
            )


def too_many_objects(plan: Plan, scene: str, objects: int, workers: int) -> str | None:
    """Look again when a scene is merged and its objects are counted: are there many more than the plan allowed for?

    Args:
        plan: The run.
        scene: Scene id.
        objects: Its objects after the merge.
        workers: Worker processes that may be at work meanwhile, 0 for none.

    Returns:
        Why the scene cannot be published within the limit, and what to do; None if it can.
    """
    needed, beside = merge_memory(objects), replace(plan.memory(workers), merge=0).total
    limit = plan.settings.memory_limit
    # What the system has free now is free beside all that is running.
    free = available_memory() if limit is None else limit - beside
    if free is None or needed <= free or objects <= WORKING_ROWS:
        return None
    return (
        f"{scene}: to publish its {objects:,} objects takes about {in_words(needed)}, more than the "
        f"{in_words(max(0, free))} that are left beside the rest of the run. Its windows are done and kept: run the "
        "same command again with a higher --memory or with --workers 0, or begin anew with a higher --min-score"
    )


def way_out(plan: Plan, workers: int, limit: int) -> str:
    """Say what to do about a plan that needs too much memory.

    Args:
        plan: The plan.
        workers: Its worker processes.
        limit: Bytes that it may take.

    Returns:
        The end of a sentence: the most workers and the largest tile that fit, each with all else as it is.
    """
    fewer = next((count for count in range(workers - 1, -1, -1) if plan.memory(count).total <= limit), None)
    tile = _largest_tile(plan, workers, limit)
    ways = [] if fewer is None else [f"--workers {fewer}"]
    ways += [] if tile is None else [f"--tile {tile}"]
    if not ways:
        tiles = {count: _largest_tile(plan, count, limit) for count in (1, 0)}
        ways = [f"--tile {tile} --workers {count}" for count, tile in tiles.items() if tile is not None][:1]
    higher = f"a higher --memory, if you know that there is more than {in_words(limit)}"
    if not ways:
        return f"not even one worker with small windows fits: use a smaller model, or {higher}"
    return f"use {' or '.join(ways)}, or {higher}"


def _largest_tile(plan: Plan, workers: int, limit: int) -> int | None:
    """Return the largest smaller tile with which the plan fits."""
    for tile in range((plan.settings.tile - 1) // TILE_STEP * TILE_STEP, 0, -TILE_STEP):
        settings = replace(plan.settings, tile=tile, stride=min(tile, plan.settings.stride))
        if project(plan.scenes, settings, plan.detector, workers).total <= limit:
            return tile
    return None


def describe(projection: Projection) -> str:
    """Say what a projection is made of."""
    parts = {
        "libraries": projection.libraries,
        "leading process": projection.leader,
        "merge": projection.merge,
        f"{projection.workers} workers of" if projection.workers > 1 else "worker": projection.each_worker,
    }
    return ", ".join(f"{name} {in_words(size)}" for name, size in parts.items() if size)


def in_words(size: int) -> str:
    """Return an amount of memory for people."""
    return f"{size / MEBIBYTE:,.0f} MiB"
