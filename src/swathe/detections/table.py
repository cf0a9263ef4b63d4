"""The columns of detections: their types, how they are made from arrays, and their canonical order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from swathe.arguments import is_label, is_text, text
from swathe.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

FloatArray: TypeAlias = npt.NDArray[np.float64]
IndexArray: TypeAlias = npt.NDArray[np.int64]

NAME_TYPE = pa.dictionary(pa.int32(), pa.string())
BOX_COLUMNS = ("cx", "cy", "w", "h", "theta")
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("run", NAME_TYPE, nullable=False),
        pa.field("scene", NAME_TYPE, nullable=False),
        pa.field("class", NAME_TYPE, nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in BOX_COLUMNS),
        pa.field("cut", pa.bool_(), nullable=False),
    ]
)


KINDS = {np.float64: "numbers", np.int64: "whole numbers", np.bool_: "flags"}


def make_table(
    boxes: FloatArray,
    scores: npt.ArrayLike,
    class_indices: npt.ArrayLike,
    cut: npt.ArrayLike | None,
    class_names: tuple[str, ...],
    scene: str,
    run: str,
) -> pa.Table:
    """Make the table of one scene.

    Args:
        boxes: Boxes (n, 5) in canonical form.
        scores: Confidences (n,).
        class_indices: Indexes (n,) into `class_names`.
        cut: Whether each box (n,) is a fragment; None if none is.
        class_names: All classes of the model, in its order.
        scene: Id of the scene.
        run: Id of the run.

    Returns:
        A table of `SCHEMA` in the given order; ids number the rows in canonical order.

    Raises:
        UsageError: If lengths differ, a score is not finite, a class index is unknown, or a name is empty.
    """
    count = len(boxes)
    values = _column(scores, count, "scores", np.float64) + 0.0
    indexes = _column(class_indices, count, "class indices", np.int64)
    marks = _column(np.zeros(count, np.bool_) if cut is None else cut, count, "cut flags", np.bool_)
    _check_names(run, class_names)
    if not np.isfinite(values).all():
        raise UsageError(f"scene {scene!r}: a score is not a finite number; remove such detections first")
    if count and (indexes.min() < 0 or indexes.max() >= len(class_names)):
        raise UsageError(f"scene {scene!r}: a class index lies outside the {len(class_names)} classes of the model")
    numbers = np.empty(count, dtype=np.int64)
    numbers[order_rows(boxes, values, leading=[ranks(class_names)[indexes]], trailing=[marks])] = np.arange(count)
    columns = [
        pc.binary_join_element_wise(run, scene, pa.array(numbers).cast(pa.string()), "/"),
        _repeated(run, count),
        _repeated(scene, count),
        pa.DictionaryArray.from_arrays(pa.array(indexes.astype(np.int32)), pa.array(class_names, pa.string())),
        pa.array(values),
        *(pa.array(boxes[:, number]) for number in range(len(BOX_COLUMNS))),
        pa.array(marks),
    ]
    return pa.table(columns, schema=SCHEMA)


def pair_codes(runs: pa.ChunkedArray, scenes: pa.ChunkedArray) -> tuple[list[tuple[str, str]], IndexArray]:
    """Tell which pairs of run and scene there are.

    Args:
        runs: Run ids (n,), a dictionary column.
        scenes: Scene ids (n,), a dictionary column.

    Returns:
        The pairs that occur, and for each row (n,) the place of its pair among them.
    """
    run, scene = runs.combine_chunks(), scenes.combine_chunks()
    pairs = run.indices.to_numpy().astype(np.int64) * len(scene.dictionary) + scene.indices.to_numpy()
    present = np.flatnonzero(np.bincount(pairs))
    names = run.dictionary.to_pylist(), scene.dictionary.to_pylist()
    found = np.divmod(present, max(1, len(scene.dictionary)))
    keys = [(names[0][one], names[1][other]) for one, other in zip(*(part.tolist() for part in found), strict=True)]
    return keys, np.searchsorted(present, pairs)


def as_indexes(rows: npt.ArrayLike, count: int) -> IndexArray:
    """Check numbers of rows.

    Args:
        rows: Indexes (k,), negative ones count from the end; or a mask (n,).
        count: How many rows there are.

    Returns:
        Indexes (k,) from 0.

    Raises:
        UsageError: If they are neither, or an index lies outside.
    """
    accepted = f"indexes from {-count} to {count - 1}, or a mask of {count}"
    try:
        chosen = np.asarray(rows)
    except ValueError as error:  # of lists of different lengths
        raise UsageError(argument="rows", value=rows, accepted=accepted) from error
    if chosen.dtype == np.bool_ and chosen.shape == (count,):
        return np.flatnonzero(chosen)
    whole = chosen.dtype.kind in "iu" or chosen.size == 0
    if chosen.ndim != 1 or not whole or (chosen.size and not -count <= chosen.min() <= chosen.max() < count):
        raise UsageError(argument="rows", value=rows, accepted=accepted)
    indexes = chosen.astype(np.int64)
    return np.where(indexes < 0, indexes + count, indexes)


def order_rows(
    boxes: FloatArray, scores: FloatArray, leading: Sequence[npt.NDArray[Any]], trailing: Sequence[npt.NDArray[Any]]
) -> IndexArray:
    """Sort rows by `leading` keys, falling score, box and `trailing` keys, the most important first.

    Args:
        boxes: Boxes (n, 5).
        scores: Confidences (n,).
        leading: Keys (n,) that count more than the score.
        trailing: Keys (n,) that count less than the box.

    Returns:
        Indexes (n,) of the rows in order.
    """
    keys = [*leading, -scores, *boxes.T, *trailing]
    return np.asarray(np.lexsort(keys[::-1]), dtype=np.int64)


def ranks(names: Sequence[str] | npt.NDArray[np.str_]) -> IndexArray:
    """Return the place of each name in alphabetical order; numbers sort faster than text."""
    return np.unique(np.asarray(names, dtype=np.str_), return_inverse=True)[1].astype(np.int64)


def _column(values: npt.ArrayLike, count: int, name: str, dtype: type[Any]) -> npt.NDArray[Any]:
    """Return values as an array of `count`, or say that there are more or fewer."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # of lists of different lengths
        raise UsageError(argument=name, value=values, accepted=f"{count}, one for each box") from error
    if array.shape != (count,) and not (count == 0 and array.size == 0):
        raise UsageError(f"{count} boxes need {count} {name}, not an array of shape {array.shape}")
    array = array.reshape(count)
    is_number = array.dtype.kind in "biuf"
    if count and not (is_number and (dtype is np.float64 or np.array_equal(array, array.astype(dtype)))):
        raise UsageError(argument=name, value=values, accepted=KINDS[dtype])
    return array.astype(dtype)


def _check_names(run: str, class_names: tuple[str, ...]) -> None:
    """Refuse names that no file can hold."""
    text("run", run, "the id of a run, Unicode text and not empty")
    if not run or not is_text(run):
        raise UsageError(f"run {run!r}: the id of a run must be Unicode text and not empty")
    if len(set(class_names)) != len(class_names) or not all(map(is_label, class_names)):
        raise UsageError(
            f"class names {list(class_names)} must be different from each other, not empty, and without line feeds and "
            "other controls"
        )


def _repeated(name: str, count: int) -> pa.DictionaryArray:
    """Return a dictionary column of one name."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, dtype=np.int32)), pa.array([name], pa.string()))
