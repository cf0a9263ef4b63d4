"""The one decorator of compiled functions: machine code is cached on disk and runs without the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function at its first call and keep the machine code for later processes.

    The code is kept in `__pycache__` beside the source, or in the user's cache folder where that is read-only; where
    neither can be written, the function is compiled anew in each process. Numba notices a change of the file a
    function stands in, but not of a file it calls into: compiled functions that call each other share one file.
    Pass C-contiguous float64 and int64 arrays only, so that a single variant is ever compiled.

    Args:
        function: Function in the part of Python that numba compiles; division by zero gives inf or nan in it.

    Returns:
        The compiled function, called like the original.
    """
    try:
        dispatcher = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # numba found no folder it may write its cache to
        dispatcher = numba.njit(nogil=True, error_model="numpy")(function)
    return cast("Function", dispatcher)
