"""Stores of detections: the protocol, the door to them, the lake store, and exports to other formats."""

from __future__ import annotations

from swathe.store.opening import find_run, open_store, read

__all__ = ["find_run", "open_store", "read"]
