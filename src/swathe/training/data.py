"""Labelled crops for training and validation: cut along the engine's grid, read through the engine's reader."""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from swathe.datasets import dota, geojson
from swathe.datasets.augment import Augmentation, TrainingImage, fill_polygons, random_view
from swathe.datasets.classes import map_classes
from swathe.datasets.crops import crop
from swathe.datasets.formats import LabelSet
from swathe.datasets.sample import Sample
from swathe.errors import SourceError
from swathe.inputs import read_input
from swathe.raster.grid import Grid
from swathe.raster.ground import ground_sample_distance
from swathe.raster.opening import open_scene
from swathe.raster.pyramid import Level
from swathe.raster.reader import RasterReader
from swathe.raster.scene import Scene
from swathe.raster.window import Window
from swathe.training.config import DataSettings, TrainingConfig

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True)
class LabelledCrop:
    """One crop of one image, with its labels; the pixels are read when they are needed."""

    scene: Scene
    level: Level
    window: Window  # level pixels
    sample: Sample  # labels in crop pixels; difficult ones are ignore regions
    area: BaseGeometry | None  # crop pixels: where labels are complete; None: everywhere
    labelled: npt.NDArray[np.bool_]  # (classes,) which classes the set labels
    repeat: int = 1  # how often the crop is the first choice of a view in an epoch

    @property
    def name(self) -> str:
        """Name of the crop, unique in its set."""
        return self.sample.name


class CropSet:
    """Crops of one or several labelled sets; decoded crops are kept up to a number of bytes."""

    def __init__(self, crops: Sequence[LabelledCrop], classes: Sequence[str], cache_bytes: int) -> None:
        """Take the crops; nothing is read yet."""
        self.crops = list(crops)
        self.order = np.repeat(np.arange(len(self.crops)), [item.repeat for item in self.crops])
        self.classes = tuple(classes)
        self._kept: OrderedDict[int, TrainingImage] = OrderedDict()
        self._bytes = 0
        self._limit = cache_bytes
        self._reader: RasterReader | None = None  # of the scene that was read last: its neighbours come next

    def __len__(self) -> int:
        """Return the number of crops."""
        return len(self.crops)

    def sizes(self) -> npt.NDArray[np.float64]:
        """Return the long and short sides of all objects that count.

        Returns:
            (n, 2) in crop pixels.
        """
        found = [item.sample.boxes()[~item.sample.difficult, 2:4] for item in self.crops]
        return np.concatenate(found) if found else np.empty((0, 2))

    def ground_sample_distance(self) -> float | None:
        """Return the size of a crop pixel on the ground, as far as the scenes agree on it.

        Returns:
            Metres; None if a scene has no georeference or the largest is more than a tenth above the smallest.

        Raises:
            SourceError: If a reference system cannot be brought to WGS 84.
        """
        found: set[float] = set()
        for scene, scale in {item.scene.id: (item.scene, item.level.scale) for item in self.crops}.values():
            size = ground_sample_distance(scene.crs, scene.transform, scene.width, scene.height)
            if size is None:
                return None
            found.add(size / scale)
        return round(float(np.median(list(found))), 4) if max(found) <= 1.1 * min(found) else None

    def load(self, index: int) -> TrainingImage:
        """Read one crop.

        Args:
            index: Position in `crops`.

        Returns:
            Pixels and labels; the caller must not change them.

        Raises:
            SourceError: If the image cannot be read.
        """
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        image = self._read(self.crops[index])
        self._kept[index] = image
        self._bytes += image.pixels.nbytes + image.ignore.nbytes
        while self._bytes > self._limit and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self._bytes -= old.pixels.nbytes + old.ignore.nbytes
        return image

    def close(self) -> None:
        """Close the file that was read last; it is opened again when it is needed."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _read(self, item: LabelledCrop) -> TrainingImage:
        if self._reader is None or self._reader.scene != item.scene:
            self.close()
            self._reader = RasterReader(item.scene)
        pixels = self._reader.read(item.level, item.window).pixels
        height, width = pixels.shape[:2]
        ignore = np.zeros((height, width), np.uint8)
        if item.area is not None:
            ignore[:] = 1
            parts = getattr(item.area, "geoms", [item.area])
            for part in parts:
                if part.geom_type == "Polygon":  # where the area only touches a crop's edge, lines and points are left
                    fill_polygons(ignore, [np.asarray(part.exterior.coords)], 0)
        hard = item.sample.difficult
        fill_polygons(ignore, item.sample.polygons[hard])
        names = [item.sample.classes[position] for position in np.flatnonzero(~hard)]
        indices = np.array([self.classes.index(name) for name in names], np.int64)
        return TrainingImage(pixels, item.sample.boxes()[~hard], indices, ignore, item.labelled)


def open_sets(entries: Sequence[DataSettings], config: TrainingConfig, tile: int, stride: int) -> CropSet:
    """Find the crops of labelled sets.

    Args:
        entries: The sets.
        config: The run, for the class list and the size of the cache.
        tile: Side of the crops, pixels of the level.
        stride: Step between crops, pixels of the level.

    Returns:
        The crops of all sets.

    Raises:
        UsageError: If the configuration does not fit the data.
        SourceError: If labels or images are missing or damaged, or the sets have no crop at all.
    """
    classes = config.model.classes
    crops: list[LabelledCrop] = []
    for entry in entries:
        labelled = np.array([not entry.labelled or name in entry.labelled for name in classes], np.bool_)
        for scene, sample, area, box in _images(entry):
            mapped = map_classes(sample, entry.rename, wanted=classes, others=entry.others)
            mapped = replace(mapped, difficult=mapped.difficult | mapped.flat())
            cut = _cut(scene, mapped, area, box, _scale_of(scene, entry), tile, stride, labelled)
            crops.extend(replace(item, repeat=entry.repeat) for item in cut)
    if not crops:
        raise SourceError("the training or validation sets hold no image; check the folders in the configuration")
    return CropSet(crops, classes, config.run.cache_megabytes * 2**20)


def open_held_out(config: TrainingConfig) -> CropSet | None:
    """Find the crops that a run is validated on.

    Args:
        config: The run.

    Returns:
        The crops, or None if the configuration names no validation set.

    Raises:
        UsageError: If the configuration does not fit the data.
        SourceError: If labels or images are missing or damaged, or the sets have no crop at all.
    """
    tile = config.run.validate_tile or config.model.input_size
    return open_sets(config.validate, config, tile, tile * 3 // 4) if config.validate else None


def _scale_of(scene: Scene, entry: DataSettings) -> float:
    """Return the scale that brings an image to the resolution wanted, or the set's own where that cannot be known."""
    if entry.resolution is None:
        return entry.scale
    size = ground_sample_distance(scene.crs, scene.transform, scene.width, scene.height)
    if size is None and entry.kind == "dota":
        size = dota.read_resolution(entry.labels / f"{Path(scene.uri).stem}.txt")
    return entry.scale if size is None else size / entry.resolution


Box = tuple[int, int, int, int]
LabelledImage = tuple[Scene, Sample, "BaseGeometry | None", Box]


def _images(entry: DataSettings) -> Iterator[LabelledImage]:
    """Yield the images of a set: scene, labels, where they are complete, and the part that may be used."""
    if entry.kind == "geojson":
        yield _labelled_scene(entry)
        return
    for sample in chosen_samples(entry):
        if sample.image is None:
            raise SourceError(f"labels of {sample.name!r} have no image in {entry.images}; add it or delete the labels")
        scene = open_scene(sample.image, bands=entry.bands)
        yield scene, sample, None, (0, 0, scene.width, scene.height)


def chosen_samples(entry: DataSettings) -> list[Sample]:
    """Read the labels of a set, and keep the images that its lists of names leave.

    Args:
        entry: The set, of any kind but geojson.

    Returns:
        The labels under the names that the set gives to classes, one sample per image.

    Raises:
        SourceError: If labels, images or a list are missing or damaged, or no image is left.
    """
    samples = LabelSet(entry.labels, entry.kind, entry.images).read()
    if entry.only is not None:
        names = _names(entry.only)
        samples = [sample for sample in samples if sample.name in names]
    if entry.without is not None:
        names = _names(entry.without)
        samples = [sample for sample in samples if sample.name not in names]
    if not samples:
        raise SourceError(f"{entry.labels}: the lists `only` and `without` leave no image of this set; check them")
    return samples


def _names(path: Path) -> set[str]:
    """Read image names, one a line."""
    try:
        return set(read_input(path).decode().split("\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"list of images {path} cannot be read ({error}); check its name") from error


def _labelled_scene(entry: DataSettings) -> LabelledImage:
    """Lay polygons over their scene; objects centred outside of the chosen side become ignore regions."""
    import shapely

    scene = open_scene(Path(entry.scene or ""), bands=entry.bands)
    rings = geojson.read_rings(entry.labels, scene, class_name=entry.class_name)
    if not rings.rings:
        raise SourceError(f"{entry.labels} holds no polygon, so there is nothing to learn from it; check the labels")
    sample = geojson.read_polygons(entry.labels, scene, class_name=entry.class_name)
    left, top, right, bottom = box = entry.box or (0, 0, scene.width, scene.height)
    centres = sample.polygons.mean(axis=1)
    outside = np.any((centres < (left, top)) | (centres >= (right, bottom)), axis=1)
    sample = Sample(sample.name, sample.image, sample.polygons, sample.classes, sample.difficult | outside)
    area = shapely.intersection(geojson.labelled_area(rings.rings, entry.margin, ratio=entry.hull), shapely.box(*box))
    return scene, sample, area, box


def _cut(
    scene: Scene,
    sample: Sample,
    area: BaseGeometry | None,
    box: Box,
    scale: float,
    tile: int,
    stride: int,
    labelled: npt.NDArray[np.bool_],
) -> Iterator[LabelledCrop]:
    """Cut one image into crops by the engine's grid."""
    import shapely
    from shapely import affinity

    left, top, right, bottom = (round(value * scale) for value in box)
    scaled = Sample(sample.name, sample.image, sample.polygons * scale, sample.classes, sample.difficult)
    level = Level.of(scene.width, scene.height, scale)
    for window in Grid(right - left, bottom - top, tile, stride):
        moved = Window(window.col_off + left, window.row_off + top, window.width, window.height)
        cut = crop(scaled, moved)
        known = None
        if area is not None:
            known = affinity.affine_transform(area, [scale, 0, 0, scale, -moved.col_off, -moved.row_off])
            known = shapely.intersection(known, shapely.box(0, 0, moved.width, moved.height))
            if known.area == 0:
                continue
        yield LabelledCrop(scene, level, moved, cut.sample, known, labelled)


@dataclass(frozen=True)
class Batch:
    """Views stacked for the network."""

    images: npt.NDArray[np.uint8]  # (b, size, size, bands)
    targets: npt.NDArray[np.float32]  # (n, 7) image index, class, cx, cy, w, h (pixels), theta
    ignore: npt.NDArray[np.uint8]  # (b, size, size)
    labelled: npt.NDArray[np.bool_]  # (b, classes)


def make_batch(crops: CropSet, first: int, count: int, size: int, augment: Augmentation, seed: int) -> Batch:
    """Make the views with the running numbers `first` to `first + count - 1`.

    A view depends on the seed and its running number alone, so a resumed run sees the same views.

    Args:
        crops: Where views are taken from; each entry of `crops.order` is the first choice once in as many views.
        first: Running number of the first view since the start of the run.
        count: Number of views.
        size: Side of the views, pixels.
        augment: How much views differ from the crops.
        seed: Seed of the run.

    Returns:
        The batch.
    """
    views, order = [], crops.order
    for number in range(first, first + count):
        rng = np.random.default_rng((seed, 1, number))
        shuffled = np.random.default_rng((seed, 0, number // len(order))).permutation(order)
        chosen = [int(shuffled[number % len(order)])]

        def pick(source: np.random.Generator, chosen: list[int] = chosen) -> TrainingImage:
            return crops.load(chosen.pop() if chosen else int(source.choice(order)))

        views.append(random_view(pick, size, augment, rng))
    rows = []
    for index, view in enumerate(views):
        row = np.empty((len(view.boxes), 7), np.float32)
        row[:, 0], row[:, 1], row[:, 2:] = index, view.classes, view.boxes
        rows.append(row)
    return Batch(
        np.stack([view.pixels for view in views]),
        np.concatenate(rows),
        np.stack([view.ignore for view in views]),
        np.stack([view.labelled for view in views]),
    )


def prefetched(make: Callable[[int], Batch], numbers: Sequence[int], depth: int = 2) -> Generator[Batch]:
    """Yield `make(number)` for each number, made ahead by one thread.

    Args:
        make: Makes one batch.
        numbers: What to make, in order.
        depth: How many batches may wait.

    Yields:
        The batches, in order.

    Raises:
        SwatheError: Whatever `make` raised, at the place where its batch would have come.
    """
    ready: queue.Queue[Batch | BaseException] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: Batch | BaseException) -> None:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.2)
                return
            except queue.Full:
                continue

    def work() -> None:
        for number in numbers:
            if stop.is_set():
                return
            try:
                put(make(number))
            except BaseException as error:  # noqa: BLE001 - handed to the consumer, which raises it
                put(error)
                return

    thread = threading.Thread(target=work, name="swathe-views", daemon=True)
    thread.start()
    try:
        for _ in numbers:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
