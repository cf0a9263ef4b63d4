"""What a head is: the part behind a network that knows how boxes stand in its outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Outputs = Sequence[npt.NDArray[np.float32]]
Candidates = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]
Shape = tuple[int | None, ...]  # None where a graph leaves an axis open


@dataclass(frozen=True)
class Graph:
    """What a graph file says of itself, as ONNX Runtime and OpenVINO both read it."""

    metadata: Mapping[str, str]
    inputs: Mapping[str, Shape]  # by name, in order
    outputs: Mapping[str, Shape]  # by name, in order

    def batch(self, wanted: int) -> int:
        """Return how many tiles go in at once: as many as the file fixes, else as many as are wanted."""
        shape = next(iter(self.inputs.values()), ())
        return shape[0] or wanted if shape else wanted


class Head(Protocol):
    """Turns the outputs of a network into boxes."""

    outputs: tuple[str, ...]  # names of the outputs that it takes, in their order
    batched: bool  # whether the first axis of the outputs counts images; if not, they are of one image

    def shapes(self, images: tuple[int, ...]) -> tuple[tuple[int, ...], ...] | None:
        """Return the shapes of the outputs for images (batch, 3, height, width); None if only the graph knows."""
        ...

    def decode(self, outputs: Outputs, min_score: float) -> Candidates:
        """Return canonical boxes (n, 5), scores (n,) and classes (n,) of one image, before any suppression.

        The outputs have no batch axis.
        """
        ...


class Layout(Protocol):
    """A way in which boxes stand in outputs; each module of heads is one."""

    def recognise(self, graph: Graph) -> dict[str, Any] | None:
        """Return the values of a model card, as far as the file tells; None if it is of another layout."""
        ...
