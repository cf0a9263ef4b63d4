"""Errors are data: what is at fault can be read from them, in any process and by any face."""

from __future__ import annotations

import pickle

import pytest

from swathe.errors import Argument, MissingExtraError, PartialError, StoreError, UsageError


def test_a_bad_argument_is_data() -> None:
    error = UsageError("scene 'a': ", argument="min_score", value=2, accepted="a number from 0 to 1")
    assert (error.argument, error.value, error.accepted) == ("min_score", 2, "a number from 0 to 1")
    assert str(error) == "scene 'a': min_score 2: must be a number from 0 to 1"


def test_a_face_writes_arguments_its_own_way() -> None:
    error = StoreError("a.onnx: exists already; replace it (", Argument("overwrite"), ")")
    assert str(error) == "a.onnx: exists already; replace it (overwrite)"
    assert error.message(lambda argument: f"<{argument.name}>") == "a.onnx: exists already; replace it (<overwrite>)"


def test_long_values_are_cut_and_stay_in_one_line() -> None:
    assert len(str(Argument("name", "x" * 1000))) < 100
    assert "\n" not in str(Argument("name", "a\nb"))


@pytest.mark.parametrize(
    "error",
    [
        UsageError("free text"),
        UsageError(argument="tile", value=0, accepted="at least 1"),
        StoreError("it exists (", Argument("overwrite"), ")"),
        MissingExtraError(library="matplotlib", extra="plot"),
        PartialError("one failed", {"a": "is empty"}),
    ],
)
def test_errors_travel_between_processes(error: Exception) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))
