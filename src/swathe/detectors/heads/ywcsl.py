"""Swathe's own layout: raw maps of three levels, described by the YWCSL description in the file."""

from __future__ import annotations

from typing import Any

from swathe.detectors.heads.head import Candidates, Outputs
from swathe.model.info import ModelInfo

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
        "layout": LAYOUT,
        "resolution": info.ground_sample_distance,
        # Trained at one scale of scenes whose resolution is known, that scale says the same as the resolution.
        "scales": (1.0,) if info.ground_sample_distance is not None and len(info.scales) == 1 else info.scales,
        "min_score": info.min_score,
        "stride": max(info.strides),
        "bands": info.bands,
        "colour_order": info.colour_order,
        "input_scale": info.input_scale,
        "licence": None if (licence := info.extra.get("licence")) is None else str(licence),
    }


class YwcslHead:
    """Decodes the raw maps p3, p4, p5 of strides 8, 16 and 32."""

    batched = True

    def __init__(self, info: ModelInfo) -> None:
        self.info = info
        self.outputs = output_names(info)

    def shapes(self, batch: int, side: int) -> tuple[tuple[int, ...], ...]:
        """Return the shapes (batch, anchors * channels, grid height, grid width) for inputs of a side in pixels."""
        channels = self.info.anchors_per_cell * self.info.channels
        return tuple((batch, channels, side // stride, side // stride) for stride in self.info.strides)

    def decode(self, outputs: Outputs, min_score: float) -> Candidates:
        """Decode the maps of one image.

        Args:
            outputs: Per level, float32 logits (anchors * channels, grid height, grid width).
            min_score: Lowest score that is kept.

        Returns:
            Canonical boxes (n, 5), scores (n,) and classes (n,).

        Raises:
            ModelError: If the maps have another shape, or values that are not finite.
        """
        from swathe.model.decode import decode  # compiled code, which planning need not load

        return decode(outputs, self.info, min_score)


def output_names(info: ModelInfo) -> tuple[str, ...]:
    """Return the names of a graph's outputs: p3 for stride 8, p4 for stride 16, and so on."""
    return tuple(f"p{stride.bit_length() - 1}" for stride in info.strides)
