"""Swathe: oriented object detection in remote sensing images far larger than memory.

Names are loaded at first use, so that `import swathe` stays quick and brings no library it may not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swathe import boxes
    from swathe.api import detect
    from swathe.areas import Area, Areas
    from swathe.detections import Detections
    from swathe.engine.across import merge_scenes
    from swathe.query import Query

    __version__: str

__all__ = ["Area", "Areas", "Detections", "Query", "__version__", "boxes", "detect", "merge_scenes"]

_HOME = {
    "Area": "swathe.areas",
    "Areas": "swathe.areas",
    "Detections": "swathe.detections",
    "Query": "swathe.query",
    "detect": "swathe.api",
    "merge_scenes": "swathe.engine.across",
}


def __getattr__(name: str) -> Any:
    """Load the module that a public name lives in."""
    if name == "__version__":
        value: Any = import_module("importlib.metadata").version("swathe")
    elif name == "boxes":
        value = import_module("swathe.boxes")
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'swathe' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names before they are loaded."""
    return sorted(__all__)
