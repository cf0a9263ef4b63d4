"""Swathe's own layout: raw maps of three levels, described by the YWCSL description in the file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from swathe.detectors.heads.head import Candidates, Graph, Outputs
from swathe.errors import ModelError
from swathe.model.info import Angles, ModelInfo

LAYOUT = "ywcsl"


def card_values(info: ModelInfo) -> dict[str, Any]:
    """Return what a model that describes itself says on its card.

    Args:
        info: What its file says.

    Returns:
        Values by the names of the card's fields.
    """
    return {
        "name": info.name,
        "classes": info.classes,
        "size": info.size,
        "layout": LAYOUT,
        "resolution": info.ground_sample_distance,
        # Trained at one scale of scenes whose resolution is known, that scale says the same as the resolution.
        "scales": (1.0,) if info.ground_sample_distance is not None and len(info.scales) == 1 else info.scales,
        "largest_object": info.largest_object,
        "min_score": info.min_score,
        "stride": max(info.strides),
        "bands": info.bands,
        "colour_order": info.colour_order,
        "input_scale": info.input_scale,
        "licence": None if (licence := info.extra.get("licence")) is None else str(licence),
    }


class YwcslHead:
    """Decodes the raw maps p3, p4, p5 of strides 8, 16 and 32.

    180 of the channels of an anchor are angle bins, which are needed for objects alone. Most files leave them out and
    give the features f3, f4, f5 instead, from which the head computes them where it has found something.
    """

    batched = True

    def __init__(self, info: ModelInfo, angles: Sequence[Angles] = ()) -> None:
        """Create the head.

        Args:
            info: What the file says.
            angles: Per level, the weights (anchors, features, bins) and biases (anchors, bins) of the angle bins, if
                these are not among the outputs.
        """
        self.info = info
        self.outputs = output_names(info, lazy=bool(angles))
        self._angles = angles

    def shapes(self, images: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        """Return the shapes (batch, channels, grid height, grid width) for images (batch, 3, height, width)."""
        batch, _, height, width = images
        info, lazy = self.info, bool(self._angles)
        maps = [info.anchors_per_cell * (info.channels - lazy * info.angle_bins)] * len(info.strides)
        features = [weight.shape[1] for weight, _ in self._angles]
        return tuple(
            (batch, channels, height // stride, width // stride)
            for kind in (maps, features)
            for channels, stride in zip(kind, info.strides, strict=False)
        )

    def decode(self, outputs: Outputs, min_score: float) -> Candidates:
        """Decode the maps of one image.

        Args:
            outputs: Per level, float32 logits (anchors * channels, grid height, grid width); then features, if any.
            min_score: Lowest score that is kept.

        Returns:
            Canonical boxes (n, 5), scores (n,) and classes (n,).

        Raises:
            ModelError: If the maps have another shape, or values that are not finite.
        """
        from swathe.model.decode import decode  # compiled code, which planning need not load

        return decode(outputs, self.info, min_score, self._angles)


def output_names(info: ModelInfo, *, lazy: bool) -> tuple[str, ...]:
    """Return the names of a graph's outputs: p3 for stride 8, p4 for stride 16, and so on; if lazy, f3 and on too."""
    return tuple(f"{kind}{stride.bit_length() - 1}" for kind in ("pf" if lazy else "p") for stride in info.strides)


def pack_angles(angles: Sequence[Angles], *, half: bool = False) -> str:
    """Write the layers of the angle bins as text, for the metadata of a file.

    Args:
        angles: Per level, weights (anchors, features, bins) and biases (anchors, bins).
        half: Whether to round them to 16 bits.

    Returns:
        The type of the numbers, and the numbers in base 64.
    """
    kind = "<f2" if half else "<f4"
    data = b"".join(np.asarray(part, kind).tobytes() for layer in angles for part in layer)
    return f"{kind} {base64.b64encode(data).decode()}"


def unpack_angles(text: str, info: ModelInfo, graph: Graph, *, where: str) -> tuple[Angles, ...]:
    """Read what `pack_angles` wrote.

    Args:
        text: From the metadata.
        info: What the file says of itself.
        graph: The file; the shapes of its outputs tell the number of features.
        where: The file, for messages.

    Returns:
        Per level, weights and biases, float32.

    Raises:
        ModelError: If they do not fit the graph.
    """
    kind, _, numbers = text.partition(" ")
    anchors, bins = info.anchors_per_cell, info.angle_bins
    try:
        features = [graph.outputs[name][1] or 0 for name in output_names(info, lazy=True)[len(info.strides) :]]
        values = np.frombuffer(base64.b64decode(numbers, validate=True), np.dtype(kind)).astype(np.float32)
        levels = np.split(values, np.cumsum([anchors * bins * (count + 1) for count in features])[:-1])
        split = [(level[: -anchors * bins], level[-anchors * bins :]) for level in levels]
        return tuple(
            (weight.reshape(anchors, count, bins), bias.reshape(anchors, bins))
            for (weight, bias), count in zip(split, features, strict=True)
        )
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ModelError(
            f"{where}: the weights of the angles do not fit the graph ({error}); export it again"
        ) from error
