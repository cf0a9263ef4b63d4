"""Group the images of labelled sets by the place they show, and hold out whole places for validation.

Usage: python recipes/places.py OUTPUT.txt IMAGES [IMAGES ...] [--share 0.15] [--seed 1]

Aerial sets hold several crops of one place, which would give the answers of the validation away. Two images show the
same place if enough of their ORB features agree on one similarity. Places are held out at random until they hold the
wanted share of each folder's images. Writes the stems of the held-out images, one a line.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

FEATURES = 200  # per image
LONG_SIDE = 640  # pixels; larger images are reduced to it
AGREEING = 10  # matches on one similarity, from which two images show one place
DISTANCE = 48  # bits in which two descriptors of one point may differ

Features = tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]


def main() -> None:
    """Describe all images, join those of one place, choose, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--share", type=float, default=0.15)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    paths = [path for folder in options.images for path in sorted(folder.iterdir())]
    place = places([features(path) for path in paths])
    chosen = held_out(paths, place, options.share, options.seed)
    options.output.write_text("".join(f"{name}\n" for name in sorted(chosen)), encoding="utf-8")


def features(path: Path) -> Features:
    """Return positions (n, 2) and ORB descriptors (n, 32) of an image."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    factor = min(1.0, LONG_SIDE / max(image.shape))
    image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    points, descriptors = cv2.ORB_create(FEATURES).detectAndCompute(image, None)
    found = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
    return found, np.empty((0, 32), np.uint8) if descriptors is None else descriptors


def places(described: list[Features]) -> list[int]:
    """Return the number of each image's place: the first image that is joined with it, however indirectly."""
    parent = list(range(len(described)))

    def root(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    for first, second in itertools.combinations(range(len(described)), 2):
        low, high = sorted((root(first), root(second)))
        if low != high and agreeing(described[first], described[second]) >= AGREEING:
            parent[high] = low
    return [root(index) for index in range(len(described))]


def agreeing(first: Features, second: Features) -> int:
    """Return how many matches of two images lie on one similarity."""
    if min(len(first[0]), len(second[0])) < AGREEING:
        return 0
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(first[1], second[1])
    near = [(match.queryIdx, match.trainIdx) for match in matches if match.distance <= DISTANCE]
    if len(near) < AGREEING:
        return 0
    left, right = np.array(near).T
    _, inliers = cv2.estimateAffinePartial2D(first[0][left], second[0][right], ransacReprojThreshold=4.0)
    return 0 if inliers is None else int(inliers.sum())


def held_out(paths: list[Path], place: list[int], share: float, seed: int) -> set[str]:
    """Choose whole places until each folder has given its share."""
    chosen: set[str] = set()
    order = np.random.default_rng(seed).permutation(sorted(set(place)))
    for folder in sorted({path.parent for path in paths}):
        members = [index for index, path in enumerate(paths) if path.parent == folder]
        wanted = round(share * len(members))
        for number in order:
            if sum(paths[index].stem in chosen for index in members) >= wanted:
                break
            if any(place[index] == number for index in members):
                chosen |= {path.stem for path, mine in zip(paths, place, strict=True) if mine == number}
    return chosen


if __name__ == "__main__":
    main()
