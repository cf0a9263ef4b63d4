"""What is named rather than imported: plug-ins, and what stands above its caller."""

from __future__ import annotations

import importlib
from typing import Any


def load(reference: str) -> Any:
    """Import what a reference names.

    Args:
        reference: "package.module:name".

    Returns:
        The object.

    Raises:
        ImportError: If there is no such module.
        AttributeError: If it has no such name.
        ValueError: If the reference names no module.
    """
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
