"""The head of models of other makes: a layout by name."""

from __future__ import annotations

from swathe.detectors.card import ModelCard
from swathe.detectors.heads.head import Candidates, Graph, Outputs
from swathe.detectors.heads.layouts import LAYOUTS, OUTPUTS


class ForeignHead:
    """Reads the outputs as the card's layout says."""

    def __init__(self, card: ModelCard, graph: Graph, side: int) -> None:
        """Choose the outputs.

        Args:
            card: Its layout is one of `LAYOUTS`.
            graph: The file.
            side: Of the square input, pixels.
        """
        self._card = card
        self._side = side
        _, *names = OUTPUTS.get(card.layout, (0, *graph.outputs))
        self.outputs = tuple(names)
        self.batched = card.layout != "oriented-det"
        if card.layout == "detr-obb":  # logits before boxes
            self.outputs = tuple(sorted(graph.outputs, key=lambda name: ("box" in name, graph.outputs[name][-1] == 5)))

    def shapes(self, images: tuple[int, ...]) -> None:
        """Return nothing: only the graph knows."""

    def decode(self, outputs: Outputs, min_score: float) -> Candidates:
        """Read the outputs of one image.

        Args:
            outputs: As the graph gave them, without batch axis.
            min_score: Lowest score that is kept.

        Returns:
            Canonical boxes (n, 5), scores (n,) and classes (n,), before any suppression.

        Raises:
            ModelError: If the outputs have another shape, or values that are not finite.
        """
        return LAYOUTS[self._card.layout](outputs, self._card, self._side, min_score)
