"""Model cards: what the rest of the program knows of a model, whatever runs it and whoever made it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from swathe.arguments import is_label
from swathe.errors import ModelError, UsageError
from swathe.inputs import read_input

SUFFIX = ".toml"  # of a card beside a model: ships.onnx, ships.toml
Positive = Annotated[float, Meta(gt=0, le=1e6)]  # not infinite
Share = Annotated[float, Meta(ge=0, le=1)]
Pixels = Annotated[int, Meta(ge=1)]
Three = tuple[float, float, float]


class ModelCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Description of a model: from its file, from a TOML file beside it, or from a plug-in."""

    name: str  # how messages call it
    classes: tuple[str, ...]  # class names in the model's order
    size: str | None = None  # of a YWCSL network: n, s, m, l, x or lite0
    layout: str = ""  # how boxes stand in the outputs, see `swathe.detectors.heads`; nothing for plug-ins
    resolution: Positive | None = None  # metres per pixel on the ground that it was trained for
    scales: Annotated[tuple[Positive, ...], Meta(min_length=1)] = (1.0,)  # pyramid scales it was trained for
    largest_object: Positive | None = None  # long side that hardly any object exceeds, pixels of a level
    min_score: Share = 0.25  # lowest score worth reporting
    input_size: Pixels | None = None  # side of the only square input it takes, pixels; None: any
    stride: Pixels = 32  # inputs of any size are multiples of it, pixels
    bands: Pixels = 3  # that it sees: red, green, blue, or as many as images must have
    colour_order: Literal["RGB", "BGR"] = "RGB"
    input_scale: Positive = 1.0 / 255.0  # factor from 8-bit pixels to network input
    mean: Three = (0.0, 0.0, 0.0)  # taken off after the factor, in the colour order
    deviation: tuple[Positive, Positive, Positive] = (1.0, 1.0, 1.0)  # what is left is divided by it
    most: Pixels | None = None  # boxes of one tile that the outputs have room for; None: one for each place
    licence: str | None = None  # of the weights, where known

    def __post_init__(self) -> None:
        """Refuse classes that no table could hold apart."""
        if not self.classes or not all(map(is_label, self.classes)):
            raise ModelError(
                f"model {self.name!r} lists no classes, or a class name that is empty or has line feeds or other "
                "controls in it"
            )
        if len(set(self.classes)) != len(self.classes):
            raise ModelError(f"model {self.name!r} lists a class twice: {', '.join(self.classes)}")

    def check_tile(self, tile: int) -> None:
        """Refuse tiles of a side in pixels that the model does not take.

        Args:
            tile: The side.

        Raises:
            UsageError: If it is less than 1, or another one than the only one that the model takes.
        """
        if tile < 1:
            raise UsageError(argument="tile", value=tile, accepted="pixels, at least 1")
        if self.input_size not in {None, tile}:
            accepted = f"{self.input_size}, the only side in pixels that the input of model {self.name!r} has"
            raise UsageError(argument="tile", value=tile, accepted=accepted)

    def check_bands(self, bands: Sequence[int], scene: str) -> None:
        """Refuse a scene of another number of bands than the model sees; grey is seen as red, green and blue.

        Args:
            bands: Those of the scene that are shown.
            scene: Its id, for the message.

        Raises:
            UsageError: If the numbers differ.
        """
        seen = 3 if len(bands) == 1 else len(bands)
        if seen != self.bands:
            accepted = f"{self.bands} bands of scene {scene!r}, as many as model {self.name!r} sees"
            raise UsageError(argument="bands", value=tuple(bands), accepted=accepted)

    def input_identity(self) -> dict[str, Any]:
        """Return what of the card changes the boxes of a tile."""
        names = ("layout", "input_size", "stride", "colour_order", "input_scale", "mean", "deviation")
        return {name: msgspec.to_builtins(getattr(self, name)) for name in names}

    def to_values(self) -> dict[str, Any]:
        """Return the values that differ from the defaults, by name."""
        return dict(msgspec.to_builtins(self))

    def to_toml(self) -> str:
        """Write the card as the TOML file that stands beside a model, with all that could be said."""
        # Its values are numbers, text and lists of them, which JSON writes as TOML does.
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        known = (
            f"{name} = {msgspec.json.encode(value).decode()}" for name, value in values.items() if value is not None
        )
        examples = {
            "resolution": "0.3 # metres per pixel on the ground of the images that it was trained on",
            "largest_object": "300.0 # the longer side that hardly any object exceeds, in pixels of a window",
            "licence": '"AGPL-3.0"',
        }
        unknown = (f"# not known: {name} = {example}" for name, example in examples.items() if values[name] is None)
        return "\n".join((*known, *unknown, ""))


def make_card(values: dict[str, Any], *, where: Path) -> ModelCard:
    """Make a card from values of any origin, each checked.

    Args:
        values: By the names of the card's fields.
        where: The model file, for messages.

    Returns:
        The card.

    Raises:
        ModelError: If a value is missing, unknown or impossible.
    """
    try:
        return msgspec.convert(values, ModelCard)
    except (msgspec.ValidationError, ModelError) as error:
        beside = where.with_suffix(SUFFIX)
        hint = f"correct {beside}" if beside.exists() else f"write what is missing or wrong into {beside}"
        raise ModelError(f"{where}: its card does not say what it must ({error}); {hint}") from error


def values_beside(path: Path) -> dict[str, Any]:
    """Read the TOML file beside a model; its values go before those of the model file.

    Args:
        path: The model file, such as ships.onnx; the file beside it is ships.toml.

    Returns:
        Values by the names of the card's fields, not yet checked; none without such a file.

    Raises:
        ModelError: If the file cannot be read or is not TOML.
    """
    beside = path.with_suffix(SUFFIX)
    if not beside.exists():
        return {}
    try:
        return msgspec.toml.decode(read_input(beside), type=dict[str, Any])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{beside}: the model card cannot be read ({error}); correct it or move it away") from error
