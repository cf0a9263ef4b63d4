"""Optional libraries of tests: at home their absence skips a test, where SWATHE_NO_SKIP=1 is set it fails."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest


def need(module: str) -> None:
    """Skip the calling test or test module, or fail it, if a library is not installed.

    Args:
        module: Name of the library as it is imported.
    """
    if importlib.util.find_spec(module) is not None:
        return
    message = f"{module} is not installed; `pip install {module}` brings it"
    if os.environ.get("SWATHE_NO_SKIP") == "1":
        pytest.fail(message)
    pytest.skip(message, allow_module_level=True)


def need_program(name: str) -> str:
    """Skip the calling test, or fail it, if a program is not installed.

    Args:
        name: Name of the program, which is also that of its Debian package.

    Returns:
        Its path.
    """
    path = shutil.which(name)
    if path is not None:
        return path
    message = f"{name} is not installed; `apt-get install --no-install-recommends {name}` brings it"
    if os.environ.get("SWATHE_NO_SKIP") == "1":
        pytest.fail(message)
    pytest.skip(message)
