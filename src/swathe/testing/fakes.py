"""Detectors and readers whose behaviour is known: perfect, failing, counting.

They work in any process: a script file says what they do, and the `DetectorSpec` carries its path. Seen from the
engine they are detectors and readers like any other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from swathe import boxes as box_math
from swathe.boxes import canonical, hulls, to_polygons
from swathe.detectors.card import ModelCard
from swathe.detectors.protocol import Detector, DetectorSpec, Tile, TileDetections
from swathe.errors import ModelError, SourceError, UsageError
from swathe.raster.pyramid import Level
from swathe.raster.reader import Reader, TileRead
from swathe.raster.scene import Scene
from swathe.raster.window import Window
from swathe.testing.scenes import SyntheticScene

BACKEND = "swathe.testing.fakes:SCRIPTED"
BLANK_READER = "swathe.testing.fakes:BlankReader"
BROKEN_READER = "swathe.testing.fakes:BrokenReader"
# A detector does not report slivers; and a rectangle needs two sides.
LEAST_SIDE = 1.0

Floats = npt.NDArray[np.float64]


GROWN_BYTES, GROWN_SECONDS = 3 << 30, 10.0


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong when the detector is given a certain window."""

    # "error" raises ModelError, "kill" ends the process at once, "orphan" the one that has started it, "hang" blocks,
    # "memory" asks for more than there is, "grow" takes more for a while than containers have
    kind: str
    scene: str  # scene id
    call: int  # not before this many windows of the scene were looked at, over all processes
    times: int = 1  # how often it happens


@dataclass(frozen=True)
class Script:
    """What a scripted detector does; saved as a file that its spec points to."""

    clip: str = "minimum"  # box of a cut object: "minimum" area rectangle, or the "own" orientation of the object
    delay: float = 0.0  # seconds each window takes
    log: str | None = None  # file that gets one line per window looked at
    faults: tuple[Fault, ...] = ()
    boxes: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)  # scene id -> (n, 5), scene pixels
    classes: Mapping[str, Sequence[int]] = field(default_factory=dict)  # scene id -> (n,)

    @classmethod
    def read(cls, path: Path) -> Script:
        """Read a script back from its file."""
        values = json.loads(path.read_text(encoding="utf-8"))
        faults = tuple(Fault(**fault) for fault in values.pop("faults"))
        return cls(**values, faults=faults)


def write_script(
    scenes: Sequence[SyntheticScene],
    path: Path,
    *,
    clip: str = "minimum",
    delay: float = 0.0,
    log: Path | None = None,
    faults: Sequence[Fault] = (),
) -> DetectorSpec:
    """Write a script and describe the detector that follows it.

    Args:
        scenes: Truth that the detector shall find; all must have the same class names.
        path: Script file to write.
        clip: Box of an object that a window edge cuts: "minimum" area rectangle of what is left, or the tightest one in
            the object's "own" orientation.
        delay: Seconds each window takes.
        log: File that gets one line per window looked at; faults need one.
        faults: What goes wrong.

    Returns:
        The specification. Its hash covers the truth and the kind of clipping alone, so that runs with and without
        faults are the same run.

    Raises:
        UsageError: If there are faults and no log, by which they are counted.
    """
    if faults and log is None:
        raise UsageError("faults need a log: it tells all processes how many windows were looked at before")
    script = Script(
        clip=clip,
        delay=delay,
        log=None if log is None else str(log),
        faults=tuple(faults),
        boxes={scene.id: scene.boxes.tolist() for scene in scenes},
        classes={scene.id: scene.classes.tolist() for scene in scenes},
    )
    path.write_text(json.dumps(asdict(script)), encoding="utf-8")
    identity = json.dumps([script.boxes, script.classes, clip], sort_keys=True)
    digest = hashlib.sha256(identity.encode()).hexdigest()
    return DetectorSpec(
        backend=BACKEND, path=str(path), classes=scenes[0].class_names, sha256=digest, min_score=0.0, iou=0.2
    )


class ScriptedBackend:
    """Opens the detectors that scripts describe."""

    suffixes = frozenset({".json"})

    def describe(self, path: str) -> ModelCard:
        """Refuse: a script says what is found in known scenes and is not a model that could be given others."""
        raise ModelError(f"{path}: is a script of a detector, not a model; use what write_script returned")

    def open(self, spec: DetectorSpec) -> Detector:
        """Open the detector that a script describes.

        Args:
            spec: Made by `write_script`.

        Returns:
            A perfect detector, behind one that fails and counts if the script says so.
        """
        script = Script.read(Path(spec.path))
        detector: Detector = PerfectDetector(spec, script)
        return detector if script.log is None else FailingDetector(detector, script)


SCRIPTED = ScriptedBackend()


class PerfectDetector:
    """Finds exactly what is in the window: the truth, clipped to it, with scores that differ from window to window."""

    def __init__(self, spec: DetectorSpec, script: Script) -> None:
        self.spec = spec
        self._clip = script.clip
        self._boxes = {name: np.array(rows, dtype=np.float64).reshape(-1, 5) for name, rows in script.boxes.items()}
        self._hulls = {name: hulls(boxes).reshape(-1, 4) for name, boxes in self._boxes.items()}
        self._classes = {name: np.array(rows, dtype=np.int64) for name, rows in script.classes.items()}

    def detect(self, tiles: Sequence[Tile]) -> list[TileDetections]:
        """Return what is left of the objects in each window, best score first.

        Args:
            tiles: The windows; their pixels are not looked at.

        Returns:
            Per window, boxes in its pixels.
        """
        return [self._detect(tile) for tile in tiles]

    def _detect(self, tile: Tile) -> TileDetections:
        """Return what is left of the objects in one window."""
        around = self._hulls[tile.scene] * tile.scale - np.array([tile.col_off, tile.row_off] * 2)
        seen = np.flatnonzero(
            (around[:, 0] < tile.width) & (around[:, 1] < tile.height) & (around[:, 2] > 0) & (around[:, 3] > 0)
        )
        boxes = self._boxes[tile.scene][seen].copy()
        boxes[:, :4] *= tile.scale
        boxes[:, :2] -= (tile.col_off, tile.row_off)
        around = around[seen]
        whole = (around[:, :2] >= 0).all(axis=1) & (around[:, 2:] <= (tile.width, tile.height)).all(axis=1)
        for number in np.flatnonzero(~whole):
            boxes[number] = self._rest(boxes[number], tile)
        found = (boxes[:, 2] >= LEAST_SIDE) & (boxes[:, 3] >= LEAST_SIDE)
        scores = np.array([_score(tile, int(number)) for number in seen]).reshape(-1)
        order = np.flatnonzero(found)[np.argsort(-scores[found], kind="stable")]
        return TileDetections(boxes[order], scores[order], self._classes[tile.scene][seen][order])

    def _rest(self, box: Floats, tile: Tile) -> Floats:
        """Return the box (5,) of what a window leaves of an object; zeros if that is nothing."""
        corners = clip_to_window(to_polygons(box[None])[0], tile.width, tile.height)
        if len(corners) < 3:
            return np.zeros(5)
        if self._clip == "minimum":
            return np.asarray(box_math.from_polygons([corners])[0])
        return tightest_along(corners, float(box[4]))


def clip_to_window(corners: Floats, width: float, height: float) -> Floats:
    """Clip a convex polygon to a window.

    Args:
        corners: (k, 2) corners in order.
        width: The window reaches from 0 to here in x.
        height: The window reaches from 0 to here in y.

    Returns:
        (m, 2) corners of the part inside, none if nothing is.
    """
    for axis, sign, limit in ((0, -1.0, 0.0), (0, 1.0, width), (1, -1.0, 0.0), (1, 1.0, height)):
        kept: list[Floats] = []
        beyond = sign * corners[:, axis] - sign * limit
        for here, there, out, out_next in zip(
            corners, np.roll(corners, -1, axis=0), beyond, np.roll(beyond, -1), strict=True
        ):
            if out <= 0:
                kept.append(here)
            if (out <= 0) != (out_next <= 0):
                kept.append(here + (there - here) * (out / (out - out_next)))
        corners = np.array(kept).reshape(-1, 2)
        if not len(corners):
            break
    return corners


def tightest_along(corners: Floats, theta: float) -> Floats:
    """Return the tightest box around points whose one side has a given direction.

    Args:
        corners: (k, 2) points.
        theta: Direction of a side, radians clockwise on screen.

    Returns:
        (5,) canonical box.
    """
    axes = np.array([[np.cos(theta), np.sin(theta)], [-np.sin(theta), np.cos(theta)]])
    turned = corners @ axes.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    centre = axes.T @ ((low + high) / 2)
    return np.asarray(canonical(np.array([[*centre, *(high - low), theta]]))[0])


def _score(tile: Tile, number: int) -> float:
    """Return a score in 0.5 to 1 that depends on object and window alone, so that fragments often beat the whole."""
    text = f"{tile.scene} {tile.scale} {tile.col_off} {tile.row_off} {number}"
    return 0.5 + zlib.crc32(text.encode()) / 2**33


class FailingDetector:
    """Writes each window it is given into a log, and fails where the script says so."""

    def __init__(self, detector: Detector, script: Script) -> None:
        self.spec = detector.spec
        self._detector = detector
        self._script = script
        self._log = Path(str(script.log))
        self._happened = self._log.with_suffix(".faults")

    def detect(self, tiles: Sequence[Tile]) -> list[TileDetections]:
        """Log each window, then fail or let the other detector work.

        Args:
            tiles: The windows.

        Returns:
            What the other detector found.

        Raises:
            ModelError: If the script has an "error" for one of these windows.
        """
        for tile in tiles:
            self._log_or_fail(tile)
        return self._detector.detect(tiles)

    def _log_or_fail(self, tile: Tile) -> None:
        """Write the window into the log, then fail if that is its turn."""
        _append(self._log, f"{tile.scene}\t{tile.scale}\t{tile.col_off}\t{tile.row_off}")
        # Counted afterwards, or two workers at once would each miss the other's window, and a fault could stay away.
        earlier = sum(seen.split("\t")[0] == tile.scene for seen in read_log(self._log)) - 1
        time.sleep(self._script.delay)
        for fault in self._script.faults:
            if fault.scene == tile.scene and earlier >= fault.call and self._claim(fault):
                self._fail(fault)

    def _claim(self, fault: Fault) -> bool:
        """Take one of a fault's times, which no other process has then; false if all are taken."""
        self._happened.mkdir(exist_ok=True)
        for number in range(fault.times):
            # Exclusive: two workers that are due at the same moment must not both take the same time.
            with contextlib.suppress(FileExistsError):
                (self._happened / f"{fault.kind}-{fault.scene}-{fault.call}-{number}").touch(exist_ok=False)
                return True
        return False

    @staticmethod
    def _fail(fault: Fault) -> None:
        """End the process or raise, as the fault says."""
        if fault.kind in ("kill", "orphan"):
            os.kill(os.getpid() if fault.kind == "kill" else os.getppid(), signal.SIGKILL)
        if fault.kind in ("hang", "orphan"):
            signal.pause()
        if fault.kind == "memory":
            np.empty(1 << 60, dtype=np.uint8)
        if fault.kind == "grow":
            held = np.ones(GROWN_BYTES, dtype=np.uint8)
            time.sleep(GROWN_SECONDS)
            del held
            return
        raise ModelError(f"scene {fault.scene}: the script says that a window fails after {fault.call}")


def read_log(path: Path) -> list[str]:
    """Return one line per window that scripted detectors looked at: scene, scale, column and row, separated by tabs."""
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _append(path: Path, line: str) -> None:
    """Add a line to a file that several processes write to."""
    # One write in append mode: lines of several processes do not mix.
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(handle, f"{line}\n".encode())
    os.close(handle)


class BlankReader:
    """Reads grey windows of any scene; nothing is opened, so that thousands of runs take seconds."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.reads = 0
        self.bytes = 0

    def read(self, level: Level, window: Window) -> TileRead:
        """Return a grey window without allocating it.

        Args:
            level: Not looked at; every level is grey.
            window: The window in level pixels.

        Returns:
            The window, all of it valid.
        """
        del level
        self.reads += 1
        grey = np.broadcast_to(np.uint8(128), (window.height, window.width, 3))
        return TileRead(grey, 1.0)

    def check_unchanged(self) -> None:
        """Do nothing: there is no source."""

    def close(self) -> None:
        """Do nothing."""


class CountingReader:
    """Passes reads on and keeps account of them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.windows: list[tuple[float, Window]] = []  # scale and window of each read, in order

    @property
    def reads(self) -> int:
        """Number of reads so far."""
        return len(self.windows)

    def read(self, level: Level, window: Window) -> TileRead:
        """Count, then read."""
        self.windows.append((level.scale, window))
        return self._reader.read(level, window)

    def check_unchanged(self) -> None:
        """Let the reader behind check."""
        self._reader.check_unchanged()

    def close(self) -> None:
        """Close the reader behind."""
        self._reader.close()


class BrokenReader(BlankReader):
    """A reader that fails at the first read of scenes whose ids begin with "broken" or "odd"."""

    def read(self, level: Level, window: Window) -> TileRead:
        """Read, or fail: like a truncated file, or in a way that nobody has thought of.

        Args:
            level: The level.
            window: The window in level pixels.

        Returns:
            A grey window.

        Raises:
            SourceError: If the scene is a broken one.
            ValueError: If the scene is an odd one.
        """
        if self.scene.id.startswith("broken"):
            raise SourceError(f"{self.scene.uri}: the file ends too early; fetch it again")
        if self.scene.id.startswith("odd"):
            raise ValueError("nobody has foreseen this")
        return super().read(level, window)
