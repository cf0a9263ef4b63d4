"""Heads: what knows how boxes stand in the outputs of a network, one module for each family of models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from swathe.detectors.card import SUFFIX, ModelCard, make_card, values_beside
from swathe.detectors.heads import ywcsl
from swathe.detectors.heads.foreign import ForeignHead
from swathe.detectors.heads.head import Graph, Head
from swathe.detectors.heads.layouts import LAYOUTS
from swathe.detectors.heads.recognise import metadata_values, shape_values
from swathe.detectors.protocol import DetectorSpec
from swathe.errors import ModelError
from swathe.model.info import ANGLES_KEY, METADATA_KEY, Angles, ModelInfo


def describe_graph(path: Path, graph: Graph) -> ModelCard:
    """Make the card of an ONNX file; a TOML file beside it goes before what the file says.

    Args:
        path: The file.
        graph: What a runtime read of it.

    Returns:
        The card.

    Raises:
        ModelError: If nothing says the classes or the layout, or a value is impossible.
    """
    given = values_beside(path)
    if METADATA_KEY in graph.metadata:
        values = ywcsl.card_values(ModelInfo.from_json(graph.metadata[METADATA_KEY], where=str(path))) | given
    else:
        values = {"name": path.stem} | metadata_values(path, graph.metadata) | given
        if not values.get("classes"):
            raise ModelError(
                f"{path}: does not say which classes the model finds; write them into {path.with_suffix(SUFFIX)}, for "
                'instance: classes = ["ship", "plane"]'
            )
        values = shape_values(graph, len(values["classes"])) | values
    layouts = (ywcsl.LAYOUT, *LAYOUTS)
    if values.get("layout") not in layouts:
        raise ModelError(
            f"{path}: it is not plain how boxes stand in its outputs {dict(graph.outputs)}; write the layout into "
            f"{path.with_suffix(SUFFIX)}, one of {', '.join(layouts)}"
        )
    return make_card(values, where=path)


def open_head(spec: DetectorSpec, graph: Graph, side: int) -> Head:
    """Open the head that reads the outputs of a graph.

    Args:
        spec: What was planned.
        graph: What a runtime read of the file.
        side: Of the square input, pixels.

    Returns:
        The head.

    Raises:
        ModelError: If the file's description is damaged, or its classes are others than were planned.
    """
    if spec.card is not None and spec.card.layout in LAYOUTS:
        return ForeignHead(spec.card, graph, side)
    info = ModelInfo.from_json(graph.metadata.get(METADATA_KEY, ""), where=spec.path)
    text = graph.metadata.get(ANGLES_KEY)
    return ywcsl_head(spec, info, () if text is None else ywcsl.unpack_angles(text, info, graph, where=spec.path))


def ywcsl_head(spec: DetectorSpec, info: ModelInfo, angles: Sequence[Angles] = ()) -> ywcsl.YwcslHead:
    """Open the head of a YWCSL network.

    Args:
        spec: What was planned.
        info: What the file says about itself.
        angles: Per level, what computes the angle bins outside of the network; nothing if the network does.

    Returns:
        The head.

    Raises:
        ModelError: If the classes differ.
    """
    if info.classes != spec.classes:
        raise ModelError(
            f"{spec.path}: the model finds {', '.join(info.classes)}, but {', '.join(spec.classes)} were planned; "
            "plan the run again with this model"
        )
    return ywcsl.YwcslHead(info, angles)


def check_graph(spec: DetectorSpec, head: Head, graph: Graph, images: tuple[int, ...]) -> None:
    """Compare the inputs and outputs of a graph with what it will be given, and with what the head takes.

    Args:
        spec: The model, for messages.
        head: Reads the outputs.
        graph: What a runtime read of the file.
        images: Shape of the input it will be given, (batch, 3, height, width).

    Raises:
        ModelError: If they do not fit.
    """
    if len(graph.inputs) != 1 or not all(_fits(shape, images) for shape in graph.inputs.values()):
        raise ModelError(
            f"{spec.path}: the graph takes {dict(graph.inputs)} and cannot be given images of shape {images}; use the "
            "tile size it was made for, or export the model again"
        )
    shapes = head.shapes(images) or (None,) * len(head.outputs)
    for name, expected in zip(head.outputs, shapes, strict=True):
        declared = graph.outputs.get(name)
        if declared is None or (expected is not None and not _fits(declared, expected)):
            problem = "is missing" if declared is None else f"is declared as {declared} instead of {expected}"
            raise ModelError(
                f"{spec.path}: output {name!r} of the graph {problem}, so it is not the network that its description "
                "speaks of. Export the model again"
            )


def _fits(declared: tuple[int | None, ...], wanted: tuple[int, ...]) -> bool:
    """Tell whether a declared shape allows another; axes that are left open allow any length."""
    return len(declared) == len(wanted) and all(
        length in (None, other) for length, other in zip(declared, wanted, strict=True)
    )
