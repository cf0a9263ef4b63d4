"""What annotation tools call the images, and which detections lie in each."""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from swathe.detections import Detections, SceneInfo


def image_names(scenes: Iterable[SceneInfo]) -> dict[SceneInfo, str]:
    """Name images by their place below the folder that holds all of them, so that no two have one name.

    Args:
        scenes: Where things were found.

    Returns:
        Names such as "P1.tif", or "a/P1.tif" where images lie in several folders; in the order of the names.
    """
    places = {scene: PurePosixPath(scene.uri or scene.id) for scene in scenes}
    folders = [place.parent.parts for place in places.values()]
    levels = enumerate(zip(*folders, strict=False))
    shared = next((level for level, parts in levels if len(set(parts)) > 1), min(map(len, folders), default=0))
    names = {scene: "/".join(place.parts[shared:]) or scene.id for scene, place in places.items()}
    return dict(sorted(names.items(), key=lambda item: (item[1], item[0].id, item[0].width, item[0].height)))


def by_image(detections: Detections) -> Iterator[tuple[SceneInfo, str, Detections]]:
    """Part detections by image.

    Args:
        detections: Detections of any number of scenes and runs.

    Yields:
        Each image that was looked at, its name, and what was found in it in canonical order.
    """
    ordered = detections.sorted()
    pairs, places = np.unique(np.stack([ordered.run_ids, ordered.scene_ids]), axis=1, return_inverse=True)
    order = np.argsort(places.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(places.reshape(-1), minlength=pairs.shape[1]))
    rows: dict[SceneInfo, list[int]] = defaultdict(list)
    for (run, scene), part in zip(pairs.T.tolist(), np.split(order, ends[:-1]), strict=False):
        rows[ordered.scenes[run, scene]].extend(part.tolist())
    for scene, name in image_names(set(ordered.scenes.values())).items():
        yield scene, name, ordered.take(np.asarray(rows[scene], dtype=np.int64))
