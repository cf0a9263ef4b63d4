"""How much memory a run may take: what the user says, or what is free, and the way out if a plan needs more."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from swathe.engine.memory import MEBIBYTE, WORKING_ROWS, Projection, merge_memory, project
from swathe.engine.plan import Plan
from swathe.errors import Argument, UsageError
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


def check_slot(plan: Plan, limit: int) -> None:
    """Make sure that a worker fits into the memory that its pool gives it.

    Args:
        plan: The run.
        limit: Bytes.

    Raises:
        UsageError: If the projection is above the limit.
    """
    needed = plan.memory(1).slot
    if needed > limit:
        raise UsageError(
            f"a worker of this run takes about {in_words(needed)}, but has {in_words(limit)}; give the executors more "
            "memory, run fewer tasks at once on each, or choose a smaller tile"
        )


def check_memory(plan: Plan, workers: int) -> None:
    """Make sure that a run fits into the memory of this machine before it begins.

    Args:
        plan: The run.
        workers: Worker processes, 0 for none.

    Raises:
        UsageError: If the projection is above the limit; the message names what would fit. Where no limit is set, also
            if a scene's blocks are enormous.
    """
    if plan.settings.memory_limit is None:
        _check_blocks(plan)
    limit, projection = memory_limit(plan), plan.memory(workers)
    if limit is None or projection.total <= limit:
        return
    free = plan.settings.memory_limit is None
    raise UsageError(
        f"this run takes about {in_words(projection.total)} ({describe(projection)}), but {in_words(limit)} are ",
        *(("free; ",) if free else ("allowed by ", Argument("memory"), "; ")),
        *way_out(plan, workers, limit),
    )


def _check_blocks(plan: Plan) -> None:
    """Refuse scenes whose blocks take enormous memory, whoever packed them so."""
    for scene in (planned.source for planned in plan.scenes):
        size, (rows, columns) = block_memory(scene), scene.block_shape
        if size > LARGEST_BLOCK:
            enough = math.ceil(plan.memory(0).total / MEBIBYTE)
            raise UsageError(
                f"{scene.id}: any window of it takes a block of {columns} x {rows} pixels, {in_words(size)} when it is "
                "decoded; if you trust the file, allow what it takes, such as ",
                Argument("memory"),
                f" {enough}MiB ",
                *_set("workers", 0),
                ", or pack it in smaller tiles",
            )


def merge_limit(plan: Plan, workers: int, per_slot: int | None) -> int | None:
    """Return what the merge of one scene may take beside all else.

    Args:
        plan: The run.
        workers: Worker processes, 0 for none.
        per_slot: Bytes that each worker may take by itself; None if all share the memory of this machine.

    Returns:
        Bytes; None if it is what the system has free at that time.
    """
    if per_slot is not None:
        return per_slot - replace(plan.memory(1), objects=0).slot
    if plan.settings.memory_limit is None:
        return None
    bare = replace(plan.memory(workers), objects=0)
    return (plan.settings.memory_limit - bare.total) // bare.merges


def too_many_objects(scene: str, objects: int, limit: int | None) -> str | None:
    """Look again when a scene is merged and its objects are counted: are there many more than the plan allowed for?

    Args:
        scene: Scene id.
        objects: Its objects after the merge.
        limit: Bytes that a merge may take; None for what the system has free now.

    Returns:
        Why the scene cannot be written within the limit, and what to do; None if it can.
    """
    needed, free = merge_memory(objects), available_memory() if limit is None else limit
    if free is None or needed <= free or objects <= WORKING_ROWS:
        return None
    return (
        f"{scene}: to write its {objects:,} objects takes about {in_words(needed)}, more than the "
        f"{in_words(max(0, free))} that are left beside the rest of the run. Its windows are done and kept: run the "
        "same command again with more memory or without worker processes, or begin anew with a higher lowest score"
    )


def way_out(plan: Plan, workers: int, limit: int) -> list[str | Argument]:
    """Say what to do about a plan that needs too much memory.

    Args:
        plan: The plan.
        workers: Its worker processes.
        limit: Bytes that it may take.

    Returns:
        Parts of the end of a sentence: the most workers and the largest tile that fit, each with all else as it is.
    """
    fewer = next((count for count in range(workers - 1, -1, -1) if plan.memory(count).total <= limit), None)
    tile = _largest_tile(plan, workers, limit)
    ways = [] if fewer is None else [_set("workers", fewer)]
    ways += [] if tile is None else [_set("tile", tile)]
    if not ways:
        tiles = {count: _largest_tile(plan, count, limit) for count in (1, 0)}
        both = [[*_set("tile", tile), " ", *_set("workers", count)] for count, tile in tiles.items() if tile]
        ways = both[:1]
    higher: list[str | Argument] = [
        "a higher ",
        Argument("memory"),
        f", if you know that there is more than {in_words(limit)}",
    ]
    if not ways:
        return ["not even one worker with small windows fits: use a smaller model, or ", *higher]
    first, *second = ways
    return ["use ", *first, *(part for way in second for part in (" or ", *way)), ", or ", *higher]


def _set(argument: str, value: int) -> list[str | Argument]:
    """Return the parts of a message that proposes a value."""
    return [Argument(argument), f" {value}"]


def _largest_tile(plan: Plan, workers: int, limit: int) -> int | None:
    """Return the largest smaller tile with which the plan fits."""
    for tile in range((plan.settings.tile - 1) // TILE_STEP * TILE_STEP, 0, -TILE_STEP):
        settings = replace(plan.settings, tile=tile, stride=min(tile, plan.settings.stride))
        if project(plan.views, settings, plan.detector, workers).total <= limit:
            return tile
    return None


def describe(projection: Projection) -> str:
    """Say what a projection is made of."""
    parts = {
        "libraries": projection.libraries,
        "driver": projection.driver,
        "merge": projection.merge,
        f"{projection.workers} workers of" if projection.workers > 1 else "worker": projection.each_worker,
    }
    return ", ".join(f"{name} {in_words(size)}" for name, size in parts.items() if size)


def in_words(size: int) -> str:
    """Return an amount of memory for people."""
    return f"{size / MEBIBYTE:,.0f} MiB"
